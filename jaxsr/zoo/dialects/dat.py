"""DAT's checkpoints. Batch norms are folded into the layers before them."""

from typing import Any

from jaxsr.attention.rectangle import shifts
from jaxsr.attention.window import sides
from jaxsr.errors import UserError
from jaxsr.zoo.dialects import swinir
from jaxsr.zoo.dialects.constants import rectangles
from jaxsr.zoo.dialects.dialect import Description, Dialect, Options, Rules
from jaxsr.zoo.dialects.state import (
    State,
    count,
    pattern,
    with_batch_norm,
    without_batch_norm,
)

BLOCK = "layers.#.blocks.#"
LAYER = "enhance/group_#/layer_#"
FIRST = "layers.0.blocks.0"
IMAGE = 64  # pixels a side, of the images that published masks are for
NORMED = (  # layers, and the batch norms behind them
    (f"{BLOCK}.attn.dwconv.0", f"{BLOCK}.attn.dwconv.1"),
    (f"{BLOCK}.attn.channel_interaction.1", f"{BLOCK}.attn.channel_interaction.2"),
    (f"{BLOCK}.attn.spatial_interaction.0", f"{BLOCK}.attn.spatial_interaction.1"),
)
POSITIONS: Rules = (
    ("pos_proj", "project"),
    ("pos1.0", "norm_0"),
    ("pos1.2", "dense_0"),
    ("pos2.0", "norm_1"),
    ("pos2.2", "dense_1"),
    ("pos3.0", "norm_2"),
    ("pos3.2", "dense_2"),
)


def gated_rules(theirs: str) -> Rules:
    """Return the rules of a layer's perceptron, and of its norms (DAT, RGT).

    Args:
      theirs: what the perceptron is called in the layer.
    """
    return (
        (f"{BLOCK}.norm1", f"{LAYER}/norm_attention"),
        (f"{BLOCK}.norm2", f"{LAYER}/norm_mlp"),
        (f"{BLOCK}.{theirs}.fc1", f"{LAYER}/mlp/expand"),
        (f"{BLOCK}.{theirs}.sg.norm", f"{LAYER}/mlp/norm"),
        (f"{BLOCK}.{theirs}.sg.conv", f"{LAYER}/mlp/conv"),
        (f"{BLOCK}.{theirs}.fc2", f"{LAYER}/mlp/reduce"),
    )


BODY: Rules = (
    ("conv_first", "extract/conv"),
    ("before_RG.1", "enhance/norm_in"),
    (f"{BLOCK}.attn.qkv", f"{LAYER}/attention/qkv"),
    (f"{BLOCK}.attn.proj", f"{LAYER}/attention/proj"),
    *(
        (f"{BLOCK}.attn.attns.#.pos.{theirs}", f"{LAYER}/attention/position_#/{ours}")
        for theirs, ours in POSITIONS
    ),
    *swinir.skip_rules("layers.#.conv", "enhance/group_#/conv"),
    ("norm", "enhance/norm_out"),
    *swinir.skip_rules("conv_after_body", "enhance/conv"),
)
CONSTANTS = (  # follow from the sizes
    f"{BLOCK}.attn.attn_mask_#",
    f"{BLOCK}.attn.attns.#.rpe_biases",
    f"{BLOCK}.attn.attns.#.relative_position_index",
)


def body(state: State, perceptron: str) -> dict[str, Any]:
    """Read the body's size; the window's height and width off its last offset, where it is kept.

    Args:
      perceptron: what it is called in a layer.
    """
    features = state["before_RG.1.weight"].shape[0]
    options = {
        "features": features,
        "groups": count(state, "layers.#."),
        "depth": count(state, "layers.0.blocks.#."),
        # each half of the channels has half of the heads
        "heads": 2 * state[f"{FIRST}.attn.attns.0.pos.pos3.2.weight"].shape[0],
        "ratio": state[f"{FIRST}.{perceptron}.fc1.weight"].shape[0] / features,
        "residual": swinir.residual(state),
    }
    offsets = state.get(f"{FIRST}.attn.attns.0.rpe_biases")
    if offsets is not None:
        options["window"] = tuple(int(last) + 1 for last in offsets[-1])
    return options


def describe(state: State) -> Description:
    """Read head and size."""
    options = body(state, "ffn") | swinir.ends(state)
    del options["unshuffle"]
    return "dat", options


def with_rectangles(state: State, options: Options) -> State:
    """Add offsets, indices and masks of the layers that attend in rectangles (DAT, RGT).

    Raises:
      UserError: images of the side that is published cannot be cut into these rectangles.
    """
    window = options["window"]
    if any(IMAGE % side for side in sides(window)):
        raise UserError(f"rectangles of {window} do not fill images of {IMAGE} pixels a side")
    constants = {}
    for key in state:
        if found := pattern(f"{BLOCK}.attn.attns.0.pos.pos_proj.weight").fullmatch(key):
            group, layer = map(int, found.groups())
            name = key.partition(".attns.")[0]
            constants |= rectangles(name, window, shifts(window, group, layer), IMAGE)
    return {**state, **constants}


DIALECTS = tuple(
    Dialect(
        name=name,
        has=("before_RG.1.weight", f"{FIRST}.ffn.sg.norm.weight", *has),
        lacks=lacks,
        describe=describe,
        prepare=lambda state: without_batch_norm(state, NORMED),
        rules=(
            *BODY,
            *gated_rules("ffn"),
            (f"{BLOCK}.attn.temperature", f"{LAYER}/attention/temperature"),
            (f"{BLOCK}.attn.dwconv.0", f"{LAYER}/attention/conv"),
            (f"{BLOCK}.attn.channel_interaction.1", f"{LAYER}/attention/interaction/channel_down"),
            (f"{BLOCK}.attn.channel_interaction.4", f"{LAYER}/attention/interaction/channel_up"),
            (f"{BLOCK}.attn.spatial_interaction.0", f"{LAYER}/attention/interaction/spatial_down"),
            (f"{BLOCK}.attn.spatial_interaction.3", f"{LAYER}/attention/interaction/spatial_up"),
            *head,
        ),
        ignored=CONSTANTS,
        finish=lambda state, options: with_batch_norm(with_rectangles(state, options), NORMED),
        expanded=(
            (f"{BLOCK}.attn.temperature", (1, 2)),
            (f"{BLOCK}.attn.channel_interaction.#.weight", (2, 3)),
            (f"{BLOCK}.attn.spatial_interaction.#.weight", (2, 3)),
        ),
    )
    for name, has, lacks, head in (
        ("DAT", (swinir.CONV_BEFORE,), (), swinir.STAGES),
        ("DAT-light", (swinir.DIRECT,), (swinir.CONV_BEFORE,), (("upsample.0", "fuse/conv"),)),
    )
)
