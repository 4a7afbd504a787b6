"""SwinIR's checkpoints: classical, light, for real photographs, and for denoising and JPEG."""

from typing import Any

from jaxsr.zoo.dialects.constants import square_windows
from jaxsr.zoo.dialects.dialect import BASICSR_STAGES, Description, Dialect, Options, Rules
from jaxsr.zoo.dialects.state import State, count, stages_scale

LAYER = "layers.0.residual_group.blocks.0"
TABLE = f"{LAYER}.attn.relative_position_bias_table"
MARKS = ("patch_embed.norm.weight", TABLE, f"{LAYER}.attn.qkv.weight")
CONV_BEFORE = "conv_before_upsample.0.weight"  # have the heads that are not light
NEAREST = "conv_up1.weight"  # has the head for real photographs
DIRECT = "upsample.0.weight"  # of the other heads, has the light one, but none that restores
JPEG_WINDOW = 7  # only the networks for JPEG have it, and with it values of 0..255
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


NARROW = (("0", "conv_0"), ("2", "conv_1"), ("4", "conv_2"))  # of three convolutions before a skip


def skip_rules(theirs: str, ours: str) -> Rules:
    """Return the rules of what precedes a skip: one convolution, or three."""
    return (
        (theirs, ours),
        *((f"{theirs}.{their_conv}", f"{ours}/{our_conv}") for their_conv, our_conv in NARROW),
    )


BODY: Rules = (
    ("conv_first", "extract/conv"),
    ("conv_first.1", "extract/conv"),  # behind a pixel unshuffle
    ("patch_embed.norm", "enhance/norm_in"),
    *layer_rules("layers.#.residual_group.blocks.#", "enhance/group_#/layer_#", ".attn"),
    *skip_rules("layers.#.conv", "enhance/group_#/conv"),
    ("norm", "enhance/norm_out"),
    *skip_rules("conv_after_body", "enhance/conv"),
)
STAGES: Rules = (("conv_before_upsample.0", "fuse/conv_before"), *BASICSR_STAGES)
NEAREST_STAGES: Rules = (
    ("conv_before_upsample.0", "fuse/conv_before"),
    ("conv_up1", "fuse/stage_0"),
    ("conv_up2", "fuse/stage_1"),
    ("conv_up3", "fuse/stage_2"),
    ("conv_hr", "fuse/conv"),
    ("conv_last", "fuse/conv_last"),
)
CONSTANTS = (  # follow from the sizes
    "layers.#.residual_group.blocks.#.attn_mask",
    "layers.#.residual_group.blocks.#.attn.relative_position_index",
)


def describe(state: State) -> Description:
    """Read head and size; values are 0..255 inside where the window is that of JPEG's networks."""
    options = body(state) | ends(state)
    if options["window"] == JPEG_WINDOW:
        options["value_range"] = 255.0
    if options["head"] != "direct":
        return "swinir", options
    del options["head"]
    return "swinir_light", options


def body(state: State) -> dict[str, Any]:
    """Read the body's size; the window's side off the (2·window − 1)² offsets of its table."""
    offsets, heads = state[TABLE].shape
    features = state["patch_embed.norm.weight"].shape[0]
    return {
        "features": features,
        "groups": count(state, "layers.#."),
        "depth": count(state, "layers.0.residual_group.blocks.#."),
        "heads": heads,
        "window": (round(offsets**0.5) + 1) // 2,
        "ratio": state[f"{LAYER}.mlp.fc1.weight"].shape[0] / features,
        "residual": residual(state),
    }


def residual(state: State) -> str:
    """Return the name of what precedes the body's skip, see ``networks.swinir.before_skip``."""
    if "conv_after_body.weight" in state:
        return "1conv"
    return "3conv" if "conv_after_body.0.weight" in state else "identity"


def inputs_of(state: State) -> tuple[int, int]:
    """Return the image's channels, and how many pixels a side make one position of the network."""
    if "conv_first.1.weight" in state:  # behind a pixel unshuffle, of colours only
        return 3, round((state["conv_first.1.weight"].shape[1] / 3) ** 0.5)
    return state["conv_first.weight"].shape[1], 1


def ends(state: State) -> dict[str, Any]:
    """Read what is before and behind the body: head, scale, channels, pixel unshuffle."""
    channels, unshuffle = inputs_of(state)
    options: dict[str, Any] = {"channels": channels, "unshuffle": unshuffle}
    if CONV_BEFORE in state:
        options["head_features"] = state[CONV_BEFORE].shape[0]
    if NEAREST in state:
        head, scale = "nearest", 2 ** count(state, "conv_up#.weight")
    elif CONV_BEFORE in state:
        head, scale = "stages", stages_scale(state, "upsample.#")
    elif DIRECT in state:
        head, scale = "direct", round((state[DIRECT].shape[0] / channels) ** 0.5)
    else:
        head, scale = "image", 1
    return options | {"head": head, "scale": scale // unshuffle}


def finish(state: State, options: Options) -> State:
    """Add the constants; the first convolution has another name behind a pixel unshuffle."""
    window = options["window"]
    layers = {
        f"layers.{group}.residual_group.blocks.{i}": i % 2 * (window // 2)
        for group in range(options["groups"])
        for i in range(options["depth"])
    }
    finished = {**state, **square_windows(layers, ".attn", window)}
    if options["unshuffle"] > 1:
        for leaf in ("weight", "bias"):
            finished[f"conv_first.1.{leaf}"] = finished.pop(f"conv_first.{leaf}")
    return finished


DIALECTS = (
    Dialect(
        name="SwinIR",
        has=(*MARKS, CONV_BEFORE),
        lacks=(CROSSING, NEAREST),
        describe=describe,
        rules=(*BODY, *STAGES),
        ignored=CONSTANTS,
        finish=finish,
    ),
    Dialect(
        name="SwinIR (nearest)",
        has=(*MARKS, CONV_BEFORE, NEAREST),
        lacks=(CROSSING,),
        describe=describe,
        rules=(*BODY, *NEAREST_STAGES),
        ignored=CONSTANTS,
        finish=finish,
    ),
    Dialect(
        name="SwinIR-light",
        has=(*MARKS, DIRECT),
        lacks=(CROSSING, CONV_BEFORE),
        describe=describe,
        rules=(*BODY, ("upsample.0", "fuse/conv")),
        ignored=CONSTANTS,
        finish=finish,
    ),
    Dialect(
        name="SwinIR (denoising, JPEG)",
        has=(*MARKS, "conv_last.weight"),
        lacks=(CROSSING, CONV_BEFORE, DIRECT),
        describe=describe,
        rules=(*BODY, ("conv_last", "fuse/conv")),
        ignored=CONSTANTS,
        finish=finish,
    ),
)
