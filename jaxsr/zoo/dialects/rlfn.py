"""RLFN's checkpoints."""

from jaxsr.zoo.dialects.dialect import Description, Dialect
from jaxsr.zoo.dialects.state import State, count, shuffle_scale


def describe(state: State) -> Description:
    """Read scale and size."""
    return "rlfn", {
        "scale": shuffle_scale(state["upsampler.0.weight"]),
        "features": state["conv_1.weight"].shape[0],
        "blocks": count(state, "block_#."),
        "attention_features": state["block_1.esa.conv1.weight"].shape[0],
    }


DIALECTS = (
    Dialect(
        name="RLFN",
        has=("block_1.esa.conv_f.weight", "block_1.c1_r.weight", "upsampler.0.weight"),
        describe=describe,
        rules=(
            ("conv_1", "extract/conv"),
            ("block_#.c#_r", "enhance/block_#/conv_#"),
            ("block_#.c5", "enhance/block_#/mix"),
            ("block_#.esa.conv1", "enhance/block_#/attention/conv_1"),
            ("block_#.esa.conv2", "enhance/block_#/attention/conv_2"),
            ("block_#.esa.conv3", "enhance/block_#/attention/conv_3"),
            ("block_#.esa.conv4", "enhance/block_#/attention/conv_4"),
            ("block_#.esa.conv_f", "enhance/block_#/attention/conv_skip"),
            ("conv_2", "enhance/conv"),
            ("upsampler.0", "fuse/conv"),
        ),
        first=1,
    ),
)
