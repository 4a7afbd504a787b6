"""HAT's checkpoints: SwinIR's names, with channel attention and overlapping windows beside."""

import numpy as np

from jaxsr.zoo.dialects import swinir
from jaxsr.zoo.dialects.dialect import Description, Dialect
from jaxsr.zoo.dialects.state import State, stages_scale

TABLE = "overlap_attn.relative_position_bias_table"
CHANNELS = "blocks.#.conv_block.cab"
CHANNEL_PARTS = (
    ("0", "conv_0"),
    ("2", "conv_1"),
    ("3.attention.1", "attention/down"),
    ("3.attention.3", "attention/up"),
)
GROUP = "layers.#.residual_group"


def describe(state: State) -> Description:
    """Read scale and size; the overlap off the (2·window + extra − 1)² offsets of its table."""
    options = swinir.body(state)
    window, features = options["window"], options["features"]
    offsets = state[f"layers.0.residual_group.{TABLE}"].shape[0]
    extra = round(offsets**0.5) + 1 - 2 * window
    channels = "layers.0.residual_group.blocks.0.conv_block.cab"
    return "hat", options | {
        "scale": stages_scale(state, "upsample.#"),
        "channels": state["conv_first.weight"].shape[1],
        "head_features": state[swinir.CONV_BEFORE].shape[0],
        "overlap": extra / window,
        "compress": features // state[f"{channels}.0.weight"].shape[0],
        "squeeze": features // state[f"{channels}.3.attention.1.weight"].shape[0],
    }


def unwrap_positions(state: State) -> State:
    """Bring overlapping tables, ordered by key − query and wrapped around, into our order.

    HAT's code subtracts ``grown − 2`` too much from both offsets, so that most indices are negative
    and count from the table's end. Every row is still used once: a rotation puts them right, and
    reading backwards makes them offsets of query − key.
    """
    _, options = describe(state)
    grown = round(options["window"] * (1 + options["overlap"]))
    turn = (grown - 2) * (options["window"] + grown)
    return {
        key: np.roll(value, turn, axis=0)[::-1] if key.endswith(f".{TABLE}") else value
        for key, value in state.items()
    }


DIALECTS = (
    Dialect(
        name="HAT",
        has=(*swinir.MARKS, swinir.CROSSING),
        describe=describe,
        prepare=unwrap_positions,
        rules=(
            *swinir.BODY,
            *swinir.layer_rules(f"{GROUP}.overlap_attn", "enhance/group_#/crossing", ""),
            *(
                (f"{GROUP}.{CHANNELS}.{theirs}", f"enhance/group_#/layer_#/channels/{ours}")
                for theirs, ours in CHANNEL_PARTS
            ),
            *swinir.STAGES,
        ),
        ignored=(
            *swinir.CONSTANTS,
            "relative_position_index_SA",
            "relative_position_index_OCA",
        ),
    ),
)
