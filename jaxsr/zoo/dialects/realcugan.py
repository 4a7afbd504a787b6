"""Real-CUGAN's checkpoints, for ×2, ×3, ×4, fast and pro."""

import re

import numpy as np

from jaxsr.zoo.dialects.dialect import Description, Dialect, Options, Rules
from jaxsr.zoo.dialects.state import State

FINAL = "conv_final.weight"  # have the networks that end in a pixel shuffle
TRIPLE = 5  # side of the kernel that enlarges ×3
PRO = "pro"  # a key of such states, whose value means nothing
TRANSPOSED = r"unet\d\.(conv\d_up|conv_bottom)\.weight"


def describe(state: State) -> Description:
    """Read scale and size; fast is what sees four times as many channels as it gives."""
    features, seen = state["unet2.conv1.conv.2.weight"].shape[0], _seen(state)
    attention = state["unet2.conv2.seblock.conv1.weight"].shape
    options = {"features": features, "reduction": attention[1] // attention[0]}
    options |= {"pro": PRO in state, "channels": seen, "fast": False}
    if FINAL in state:
        if state[FINAL].shape[0] == seen:
            return "realcugan", options | {"scale": 2, "fast": True, "channels": seen // 4}
        return "realcugan", options | {"scale": 4}
    side = state["unet1.conv_bottom.weight"].shape[-1]
    return "realcugan", options | {"scale": 3 if side == TRIPLE else 2}


def _seen(state: State) -> int:
    return state["unet1.conv1.conv.0.weight"].shape[1]


def prepare(state: State) -> State:
    """Order the axes of transposed convolutions as those of others: outputs first."""
    return {
        key: value.swapaxes(0, 1) if _transposed(key) else value for key, value in state.items()
    }


def finish(state: State, options: Options) -> State:
    """Undo :func:`prepare`, which is its own inverse, and mark the networks of "pro"."""
    mark = {PRO: np.zeros(1, np.float32)} if options["pro"] else {}
    return {**prepare(state), **mark}


def _transposed(key: str) -> bool:
    return bool(re.fullmatch(TRANSPOSED, key)) and key != "unet2.conv_bottom.weight"


def pair(theirs: str, ours: str) -> Rules:
    """Return the rules of two convolutions, and of their channel attention."""
    return (
        (f"{theirs}.conv.0", f"{ours}/conv_0"),
        (f"{theirs}.conv.2", f"{ours}/conv_1"),
        (f"{theirs}.seblock.conv1", f"{ours}/attention/down"),
        (f"{theirs}.seblock.conv2", f"{ours}/attention/up"),
    )


SECOND = "fuse/correct"

DIALECTS = (
    Dialect(
        name="Real-CUGAN",
        has=(
            "unet1.conv1.conv.0.weight",
            "unet1.conv2.seblock.conv1.weight",
            "unet2.conv4_up.weight",
            "unet2.conv_bottom.weight",
        ),
        describe=describe,
        prepare=prepare,
        rules=(
            *pair("unet1.conv1", "extract"),
            ("unet1.conv1_down", "enhance/down"),
            *pair("unet1.conv2", "enhance/pair"),
            ("unet1.conv2_up", "enhance/up"),
            ("unet1.conv3", "enhance/conv"),
            ("unet1.conv_bottom", "fuse/enlarge"),
            *pair("unet2.conv1", f"{SECOND}/pair_0"),
            ("unet2.conv1_down", f"{SECOND}/down_0"),
            *pair("unet2.conv2", f"{SECOND}/pair_1"),
            ("unet2.conv2_down", f"{SECOND}/down_1"),
            *pair("unet2.conv3", f"{SECOND}/pair_2"),
            ("unet2.conv3_up", f"{SECOND}/up_0"),
            *pair("unet2.conv4", f"{SECOND}/pair_3"),
            ("unet2.conv4_up", f"{SECOND}/up_1"),
            ("unet2.conv5", f"{SECOND}/conv"),
            ("unet2.conv_bottom", f"{SECOND}/conv_last"),
            ("conv_final", "fuse/conv"),
        ),
        ignored=(PRO,),
        finish=finish,
        expanded=(("unet#.conv#.seblock.conv#.weight", (2, 3)),),
    ),
)
