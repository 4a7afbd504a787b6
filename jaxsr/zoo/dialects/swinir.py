"""SwinIR's checkpoints for super-resolution: classical, and light."""

from jaxsr.errors import UserError
from jaxsr.zoo.dialects.dialect import BASICSR_STAGES, Description, Dialect, Rules
from jaxsr.zoo.dialects.state import State, count, shuffle_scale, stages_scale

TABLE = "layers.0.residual_group.blocks.0.attn.relative_position_bias_table"
MARKS = ("patch_embed.norm.weight", TABLE)
CONV_BEFORE = "conv_before_upsample.0.weight"  # has SwinIR, but not its light variant
CROSSING = "layers.0.residual_group.overlap_attn.qkv.weight"  # has HAT, but not SwinIR


def layer_rules(theirs: str, ours: str, attention: str) -> Rules:
    """Return the rules of one Swin layer, whose parts are alike in SwinIR and HAT.

    Args:
      attention: what follows ``theirs`` in the names of the attention.
    """
    return (
        (f"{theirs}.norm1", f"{ours}/norm_attention"),
        (f"{theirs}{attention}.relative_position_bias_table", f"{ours}/attention/position"),
        (f"{theirs}{attention}.qkv", f"{ours}/attention/qkv"),
        (f"{theirs}{attention}.proj", f"{ours}/attention/proj"),
        (f"{theirs}.norm2", f"{ours}/norm_mlp"),
        (f"{theirs}.mlp.fc1", f"{ours}/mlp/expand"),
        (f"{theirs}.mlp.fc2", f"{ours}/mlp/reduce"),
    )


BODY: Rules = (
    ("conv_first", "extract/conv"),
    ("patch_embed.norm", "enhance/norm_in"),
    *layer_rules("layers.#.residual_group.blocks.#", "enhance/group_#/layer_#", ".attn"),
    ("layers.#.conv", "enhance/group_#/conv"),
    ("norm", "enhance/norm_out"),
    ("conv_after_body", "enhance/conv"),
)
STAGES: Rules = (("conv_before_upsample.0", "fuse/conv_before"), *BASICSR_STAGES)
CONSTANTS = (  # follow from the sizes
    "layers.#.residual_group.blocks.#.attn_mask",
    "layers.#.residual_group.blocks.#.attn.relative_position_index",
)


def describe(state: State) -> Description:
    """Read scale and size; the window's side off the (2·window − 1)² offsets of its table.

    Raises:
      UserError: the network does not enlarge.
    """
    offsets, heads = state[TABLE].shape
    options = {
        "features": state["conv_first.weight"].shape[0],
        "groups": count(state, "layers.#."),
        "depth": count(state, "layers.0.residual_group.blocks.#."),
        "heads": heads,
        "window": (round(offsets**0.5) + 1) // 2,
    }
    if CONV_BEFORE in state:
        options["head_features"] = state[CONV_BEFORE].shape[0]
        return "swinir", options | {"scale": stages_scale(state, "upsample.#")}
    if "upsample.0.weight" in state:
        return "swinir_light", options | {"scale": shuffle_scale(state["upsample.0.weight"])}
    raise UserError("this SwinIR does not enlarge; only its super-resolution networks are here")


DIALECTS = (
    Dialect(
        name="SwinIR",
        has=(*MARKS, CONV_BEFORE),
        lacks=(CROSSING,),
        describe=describe,
        rules=(*BODY, *STAGES),
        ignored=CONSTANTS,
    ),
    Dialect(
        name="SwinIR-light",
        has=MARKS,
        lacks=(CROSSING, CONV_BEFORE),
        describe=describe,
        rules=(*BODY, ("upsample.0", "fuse/conv")),
        ignored=CONSTANTS,
    ),
)
