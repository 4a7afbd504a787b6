"""SRFormer's checkpoints."""

from jaxsr.zoo.dialects import swinir
from jaxsr.zoo.dialects.dialect import Description, Dialect, Rules
from jaxsr.zoo.dialects.state import State

LAYER = "layers.#.residual_group.blocks.#"
OURS = "enhance/group_#/layer_#"
MARKS = ("patch_embed.norm.weight", f"{swinir.LAYER}.attn.kv.weight", swinir.TABLE)
BODY: Rules = (
    ("conv_first", "extract/conv"),
    ("patch_embed.norm", "enhance/norm_in"),
    *swinir.layer_rules(LAYER, OURS, ".attn"),
    (f"{LAYER}.attn.q", f"{OURS}/attention/q"),
    (f"{LAYER}.attn.kv", f"{OURS}/attention/kv"),
    (f"{LAYER}.mlp.dwconv.depthwise_conv.0", f"{OURS}/mlp/conv"),
    *swinir.skip_rules("layers.#.conv", "enhance/group_#/conv"),
    ("norm", "enhance/norm_out"),
    *swinir.skip_rules("conv_after_body", "enhance/conv"),
)


def describe(state: State) -> Description:
    """Read head and size; a table's offsets are between squares of two pixels a side."""
    options = swinir.body(state) | swinir.ends(state)
    del options["unshuffle"]
    options["window"] *= 2
    kernel = state[f"{swinir.LAYER}.mlp.dwconv.depthwise_conv.0.weight"]
    return "srformer", options | {"kernel": kernel.shape[-1]}


DIALECTS = tuple(
    Dialect(
        name=f"SRFormer ({head})",
        has=(*MARKS, *has),
        lacks=lacks,
        describe=describe,
        rules=(*BODY, *rules),
        ignored=(
            f"{LAYER}.attn_mask",
            f"{LAYER}.attn.aligned_relative_position_index",
            f"{LAYER}.attn.relative_position_index",
        ),
    )
    for head, has, lacks, rules in (
        ("stages", (swinir.CONV_BEFORE,), (swinir.NEAREST,), swinir.STAGES),
        ("nearest", (swinir.NEAREST,), (), swinir.NEAREST_STAGES),
        ("light", (swinir.DIRECT,), (swinir.CONV_BEFORE,), (("upsample.0", "fuse/conv"),)),
    )
)
