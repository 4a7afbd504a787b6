"""RRDB's checkpoints: ESRGAN's first and later names, and BSRGAN's; each also as ESRGAN+.

One that was trained with pixel unshuffle takes 4 or 16 times the channels that it gives.
"""

import re
from functools import partial

from jaxsr.errors import UserError
from jaxsr.networks.rrdb import CONVOLUTIONS, DENSE_BLOCKS
from jaxsr.zoo.dialects.dialect import Description, Dialect, Options, Rules
from jaxsr.zoo.dialects.state import State, count

UNSHUFFLES = {1: 1, 4: 2, 16: 4}  # channels in for one out → side of the squares


def describe(
    state: State, first: str, block: str, conv: str, enlarge: str, others: int = 0
) -> Description:
    """Read channels, size, scale and unshuffle.

    Args:
      first: name of the first convolution.
      block: of the blocks, which are counted.
      conv: of the first convolution within the first dense block.
      enlarge: of those that enlarge ×2 each, which are counted.
      others: how many other convolutions have such a name.

    Raises:
      UserError: the channels in and out fit no unshuffle, or the scale is below 1.
    """
    features, seen = state[f"{first}.weight"].shape[:2]
    given = state[f"{last_of(state)}.weight"].shape[0]
    unshuffle = UNSHUFFLES.get(seen // given) if seen % given == 0 else None
    if unshuffle is None:
        raise UserError(
            f"this RRDB takes {seen} channels and gives {given}; ours gives as many as it takes, "
            "or a quarter or a sixteenth of them"
        )
    enlarged = 2 ** (count(state, enlarge) - others)
    if enlarged % unshuffle:
        raise UserError(f"this RRDB shrinks images: ×{enlarged} of squares of {unshuffle} pixels")
    growth = state[f"{conv}.weight"].shape[0]
    return "rrdb", {
        "scale": enlarged // unshuffle,
        "channels": given,
        "features": features,
        "blocks": count(state, block),
        "growth": growth,
        "plus": any(".conv1x1." in key for key in state),
        "unshuffle": unshuffle,
    }


def last_of(state: State) -> str:
    """Return the name of the last convolution: ``conv_last``, or the highest number."""
    numbers = [int(m[1]) for key in state if (m := re.fullmatch(r"model\.(\d+)\.weight", key))]
    return f"model.{max(numbers)}" if numbers else "conv_last"


def dense_rules(block: str, leaf: str = "") -> Rules:
    """Return the rules of the dense blocks; they and what is within count from 1.

    Args:
      block: the name of a dense block, with ``{}`` for its number.
      leaf: what follows the name of a convolution.
    """
    return tuple(
        (f"{block.format(i + 1)}.{theirs}", f"enhance/block_#/dense_{i}/{ours}")
        for i in range(DENSE_BLOCKS)
        for theirs, ours in (
            *((f"conv{j + 1}{leaf}", f"conv_{j}") for j in range(CONVOLUTIONS)),
            ("conv1x1", "skip"),
        )
    )


def outer_rules() -> Rules:
    """Return the rules of the first names' head: convolutions behind each enlargement, and two.

    The numbers tell them apart for up to four enlargements, of three layers each.
    """
    enlarging = [(f"model.{3 + 3 * i}", f"fuse/stage_{i}") for i in range(4)]
    ends = [
        rule
        for i in range(5)
        for rule in ((f"model.{2 + 3 * i}", "fuse/conv"), (f"model.{4 + 3 * i}", "fuse/conv_last"))
    ]
    return (*enlarging, *ends)


def without_skips(state: State, options: Options) -> State:
    """Refuse ESRGAN+, whose programs know the first names alone."""
    if any(".conv1x1." in key for key in state):
        raise UserError("ESRGAN+ has the first names only")
    return state


def behind_stages(state: State, options: Options) -> State:
    """Give the last two convolutions the numbers behind the enlargements."""
    stages = 3 * count(state, "model.#.weight") - 3 * 3  # without the first and the last two
    moved = {f"model.{i}.": f"model.{i + stages}." for i in (2, 4)}
    return {
        key.replace(start, moved.get(start, start), 1): value
        for key, value in state.items()
        if (start := ".".join(key.split(".")[:2]) + ".")
    }


# of several names the first are written: ComfyUI, chaiNNer and others read these
DIALECTS = (
    Dialect(
        name="RRDB (BasicSR)",
        has=("conv_first.weight", "body.0.rdb1.conv1.weight", "conv_body.weight"),
        describe=partial(
            describe,
            first="conv_first",
            block="body.#.",
            conv="body.0.rdb1.conv1",
            enlarge="conv_up#.weight",
        ),
        rules=(
            ("conv_first", "extract/conv"),
            *dense_rules("body.#.rdb{}"),
            ("conv_body", "enhance/conv"),
            *((f"conv_up{i + 1}", f"fuse/stage_{i}") for i in range(4)),
            ("conv_hr", "fuse/conv"),
            ("conv_last", "fuse/conv_last"),
        ),
        finish=without_skips,
    ),
    Dialect(
        name="RRDB (ESRGAN)",
        has=("model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight"),
        describe=partial(
            describe,
            first="model.0",
            block="model.1.sub.#.RDB1.",
            conv="model.1.sub.0.RDB1.conv1.0",
            enlarge="model.#.weight",
            others=3,  # the first and the last two
        ),
        rules=(
            ("model.0", "extract/conv"),
            *dense_rules("model.1.sub.#.RDB{}", ".0"),
            ("model.1.sub.#", "enhance/conv"),
            *outer_rules(),
        ),
        finish=behind_stages,
    ),
    Dialect(
        name="RRDB (BSRGAN)",
        has=("conv_first.weight", "RRDB_trunk.0.RDB1.conv1.weight", "trunk_conv.weight"),
        describe=partial(
            describe,
            first="conv_first",
            block="RRDB_trunk.#.",
            conv="RRDB_trunk.0.RDB1.conv1",
            enlarge="upconv#.weight",
        ),
        rules=(
            ("conv_first", "extract/conv"),
            *dense_rules("RRDB_trunk.#.RDB{}"),
            ("trunk_conv", "enhance/conv"),
            *((f"upconv{i + 1}", f"fuse/stage_{i}") for i in range(4)),
            ("HRconv", "fuse/conv"),
            ("conv_last", "fuse/conv_last"),
        ),
    ),
)
