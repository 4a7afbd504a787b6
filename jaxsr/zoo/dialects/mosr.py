"""MoSR's checkpoints, with its three heads."""

from jaxsr.zoo.dialects.constants import sample_places
from jaxsr.zoo.dialects.dialect import Description, Dialect, Options
from jaxsr.zoo.dialects.state import State, count

SHUFFLE, ENSEMBLE = "upsampler.0", "upsampler.in_to_k"
COPIES = 8  # of the image, whose mean the second head returns


def describe(state: State) -> Description:
    """Read size and scale; the head by what it is called."""
    features, channels = state["gblocks.0.weight"].shape[:2]
    options = {
        "features": features,
        "blocks": count(state, "gblocks.#.norm."),
        "hidden": state["gblocks.1.fc2.weight"].shape[1],
        "part": state["gblocks.1.conv.weight"].shape[0],
        "kernel": state["gblocks.1.conv.weight"].shape[-1],
    }
    if "upsampler.offset.weight" in state:
        outputs = state["upsampler.offset.weight"].shape[0] // 8
        channels = state["upsampler.end_conv.weight"].shape[0]
        options["head"] = "dysample"
    elif f"{ENSEMBLE}.weight" in state:
        outputs = state[f"{ENSEMBLE}.weight"].shape[0] // COPIES // channels
    else:
        outputs = state[f"{SHUFFLE}.weight"].shape[0] // channels
    return "mosr", options | {"scale": round(outputs**0.5), "channels": channels}


def prepare(state: State) -> State:
    """Average the copies of the second head, and number the convolutions behind the blocks."""
    blocks = count(state, "gblocks.#.norm.")
    prepared = {}
    for key, value in state.items():
        if key.startswith(ENSEMBLE):
            key = key.replace(ENSEMBLE, SHUFFLE)
            value = value.reshape(COPIES, -1, *value.shape[1:]).mean(0)
        for i in range(3):
            key = key.replace(f"gblocks.{blocks + 1 + 2 * i}.", f"gblocks.behind_{i}.")
        prepared[key] = value
    return prepared


def finish(state: State, options: Options) -> State:
    """Undo :func:`prepare`, but for copies of one image: the head of one gives the same."""
    blocks = count(state, "gblocks.#.norm.")
    numbers = {f"gblocks.behind_{i}.": f"gblocks.{blocks + 1 + 2 * i}." for i in range(3)}
    finished = {}
    for key, value in state.items():
        name = next((n for n in numbers if key.startswith(n)), "")
        finished[numbers.get(name, "") + key.removeprefix(name)] = value
    if (offset := state.get("upsampler.offset.weight")) is not None:
        finished["upsampler.init_pos"] = sample_places(offset, options["scale"])
    return finished


DIALECTS = (
    Dialect(
        name="MoSR",
        has=("gblocks.0.weight", "gblocks.1.norm.weight", "gblocks.1.fc1.weight"),
        describe=describe,
        prepare=prepare,
        finish=finish,
        rules=(
            ("gblocks.0", "extract/conv"),
            ("gblocks.#.norm", "enhance/block_#/norm"),
            ("gblocks.#.fc1", "enhance/block_#/expand"),
            ("gblocks.#.conv", "enhance/block_#/large"),
            ("gblocks.#.fc2", "enhance/block_#/reduce"),
            *((f"gblocks.behind_{i}", f"enhance/conv_{i}") for i in range(3)),
            ("shortcut.block.0", "fuse/conv_0"),
            ("shortcut.block.2", "fuse/conv_1"),
            ("shortcut.conv11", "fuse/skip"),
            (SHUFFLE, "fuse/conv"),
            ("upsampler.offset", "fuse/sample/offset"),
            ("upsampler.scope", "fuse/sample/scope"),
            ("upsampler.end_conv", "fuse/final"),
        ),
        ignored=("upsampler.init_pos",),  # the regular grid
        first=1,
    ),
)
