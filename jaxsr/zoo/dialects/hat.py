"""HAT's checkpoints: SwinIR's names, with channel attention and overlapping windows beside."""

import numpy as np

from jaxsr.attention.window import relative_positions
from jaxsr.zoo.dialects import swinir
from jaxsr.zoo.dialects.constants import position_index
from jaxsr.zoo.dialects.dialect import Description, Dialect, Options
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
    _, _, turn = crossing(options)
    return {
        key: np.roll(value, turn, axis=0)[::-1] if key.endswith(f".{TABLE}") else value
        for key, value in state.items()
    }


def crossing(options: Options) -> tuple[int, int, int]:
    """Return the sides of the queries' and the keys' windows, and how far tables are turned."""
    window, grown = options["window"], round(options["window"] * (1 + options["overlap"]))
    return window, grown, (grown - 2) * (window + grown)


def finish(state: State, options: Options) -> State:
    """Undo :func:`unwrap_positions`, and add the indices of both kinds of windows."""
    window, grown, turn = crossing(options)
    wrapped = {
        key: np.roll(value[::-1], -turn, axis=0) if key.endswith(f".{TABLE}") else value
        for key, value in state.items()
    }
    last = (window + grown) * (window + grown - 2)
    return wrapped | {
        "relative_position_index_SA": position_index(window),
        "relative_position_index_OCA": last - turn - relative_positions(window, grown),
    }


DIALECTS = (
    Dialect(
        name="HAT",
        has=(*swinir.MARKS, swinir.CROSSING),
        describe=describe,
        prepare=unwrap_positions,
        finish=finish,
        expanded=((f"{GROUP}.{CHANNELS}.3.attention.#.weight", (2, 3)),),
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
