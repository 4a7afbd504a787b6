"""NAFNet's checkpoints."""

from jaxsr.zoo.dialects.dialect import Description, Dialect
from jaxsr.zoo.dialects.state import State, count

PARTS = (
    ("norm1", "norm_0"),
    ("norm2", "norm_1"),
    ("conv1", "expand_0"),
    ("conv2", "depthwise"),
    ("sca.1", "attention/mix"),
    ("conv3", "reduce_0"),
    ("conv4", "expand_1"),
    ("conv5", "reduce_1"),
    ("beta", "scale_0"),
    ("gamma", "scale_1"),
)
PLACES = (
    ("encoders.#.#", "enhance/encode_#_#"),
    ("middle_blks.#", "enhance/middle_#"),
    ("decoders.#.#", "enhance/decode_#_#"),
)


def describe(state: State) -> Description:
    """Read the size: every level has its own number of blocks."""
    features, channels = state["intro.weight"].shape[:2]
    levels = range(count(state, "downs.#."))
    return "nafnet", {
        "scale": 1,
        "features": features,
        "encoder": [count(state, f"encoders.{level}.#.") for level in levels],
        "middle": count(state, "middle_blks.#."),
        "decoder": [count(state, f"decoders.{level}.#.") for level in levels],
        "channels": channels,
    }


DIALECTS = (
    Dialect(
        name="NAFNet",
        has=("intro.weight", "middle_blks.0.beta", "middle_blks.0.sca.1.weight", "ending.weight"),
        describe=describe,
        rules=(
            ("intro", "extract/conv"),
            *(
                (f"{place}.{theirs}", f"{ours}/{name}")
                for place, ours in PLACES
                for theirs, name in PARTS
            ),
            ("downs.#", "enhance/down_#"),
            ("ups.#.0", "enhance/up_#"),
            ("ending", "fuse/conv"),
        ),
        expanded=tuple(
            (f"{place}.{name}", axes)
            for place, _ in PLACES
            for name, axes in (("beta", (0, 2, 3)), ("gamma", (0, 2, 3)), ("sca.1.weight", (2, 3)))
        ),
    ),
)
