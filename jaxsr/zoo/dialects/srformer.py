"""SRFormer's checkpoints."""

from jaxsr.attention.permuted import SQUARE, square_mask
from jaxsr.zoo.dialects import swinir
from jaxsr.zoo.dialects.constants import added, position_index
from jaxsr.zoo.dialects.dialect import Description, Dialect, Options, Rules
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


def finish(state: State, options: Options) -> State:
    """Add the table's row for each pixel and square, and what pixels see of squares."""
    if MARKS[1] not in state:  # all of SwinIR's arrays have names here, too
        raise KeyError(MARKS[1])
    window = options["window"]
    side = window // SQUARE
    rows = position_index(side).reshape(side, side, -1)
    rows = rows.repeat(SQUARE, axis=0).repeat(SQUARE, axis=1).reshape(window**2, -1)
    mask = added(square_mask(2 * window, 2 * window, window, window // 2))
    constants = {}
    for group in range(options["groups"]):
        for i in range(options["depth"]):
            name = f"layers.{group}.residual_group.blocks.{i}"
            constants[f"{name}.attn.aligned_relative_position_index"] = rows
            if i % 2:
                constants[f"{name}.attn_mask"] = mask
    return {**state, **constants}


DIALECTS = tuple(
    Dialect(
        name=f"SRFormer ({head})",
        has=(*MARKS, *has),
        lacks=lacks,
        describe=describe,
        rules=(*BODY, *rules),
        finish=finish,
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
