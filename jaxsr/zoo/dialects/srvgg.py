"""SRVGGNetCompact's checkpoints: convolutions and slopes, all in one list."""

import re

import numpy as np

from jaxsr.zoo.dialects.dialect import Description, Dialect, Options, Rules
from jaxsr.zoo.dialects.state import State, count, shuffle_scale

RESIZED = "resized"  # of ncnn's files: the numbers (up, down) by which the result is resized


def describe(state: State) -> Description:
    """Read channels, scale, size and activation; without slopes, ReLU is taken to be it."""
    last = last_of(state)
    channels = state["body.0.weight"].shape[1]
    shuffle = shuffle_scale(state[f"body.{last}.weight"], channels)
    up, down = (int(n) for n in state.get(RESIZED, np.array([1, 1])))
    options = {
        "scale": shuffle * up // down,
        "channels": channels,
        "features": state["body.0.weight"].shape[0],
        "convolutions": last // 2 - 1,
        "activation": "prelu" if "body.1.weight" in state else "relu",
    }
    return "srvgg_compact", options | ({"shuffle": shuffle} if RESIZED in state else {})


def last_of(state: State) -> int:
    """Return the number of the last convolution; activations are counted too."""
    return max(int(m[1]) for key in state if (m := re.match(r"body\.(\d+)\.", key)))


def numbered_by_convolution(state: State) -> State:
    """Rename keys so that convolutions and slopes are counted apart, the ends of the list named."""
    last, renamed = last_of(state), {}
    for key, value in state.items():
        if match := re.fullmatch(r"body\.(\d+)\.(weight|bias)", key):
            number, leaf = int(match[1]), match[2]
            place = {0: "first", 1: "first"}.get(number, f"layer.{number // 2 - 1}")
            place = "last" if number == last else place
            key = f"{place}.{leaf}" if number % 2 == 0 else f"{place}.slope"
        renamed[key] = value
    return renamed


def numbered_through(state: State, options: Options) -> State:
    """Undo :func:`numbered_by_convolution`."""
    layers = count(state, "layer.#.weight")
    starts = {"first": 0, "last": 2 * layers + 2}
    numbered = {}
    for key, value in state.items():
        name, _, leaf = key.rpartition(".")
        number = starts[name] if name in starts else 2 * int(name.removeprefix("layer.")) + 2
        number, leaf = (number + 1, "weight") if leaf == "slope" else (number, leaf)
        numbered[f"body.{number}.{leaf}"] = value
    return numbered


RULES: Rules = (
    ("first", "extract/conv"),
    ("first.slope", "extract/prelu/slope"),
    ("layer.#", "enhance/layer_#/conv"),
    ("layer.#.slope", "enhance/layer_#/prelu/slope"),
    ("last", "fuse/conv"),
)

DIALECTS = (
    Dialect(
        name="SRVGGNetCompact",
        has=("body.0.weight", "body.1.weight", "body.2.weight"),
        describe=describe,
        prepare=numbered_by_convolution,
        finish=numbered_through,
        rules=RULES,
        ignored=(RESIZED,),
    ),
    Dialect(
        name="SRVGGNetCompact without slopes",
        has=("body.0.weight", "body.2.weight"),
        lacks=("body.1.weight", "head.0.weight", "conv_first.weight"),
        describe=describe,
        prepare=numbered_by_convolution,
        finish=numbered_through,
        rules=RULES,
    ),
)
