"""IMDN's checkpoints."""

from jaxsr.zoo.dialects.dialect import Description, Dialect
from jaxsr.zoo.dialects.state import State, count, shuffle_scale


def describe(state: State) -> Description:
    """Read scale and size."""
    features, channels = state["fea_conv.weight"].shape[:2]
    inner, outer = state["IMDB1.cca.conv_du.0.weight"].shape[:2]
    return "imdn", {
        "scale": shuffle_scale(state["upsampler.0.weight"], channels),
        "features": features,
        "blocks": count(state, "IMDB#."),
        "reduction": outer // inner,
        "channels": channels,
    }


DIALECTS = (
    Dialect(
        name="IMDN",
        has=("fea_conv.weight", "IMDB1.cca.conv_du.0.weight", "upsampler.0.weight"),
        describe=describe,
        rules=(
            ("fea_conv", "extract/conv"),
            ("IMDB#.c5", "enhance/block_#/mix"),
            ("IMDB#.c#", "enhance/block_#/conv_#"),
            ("IMDB#.cca.conv_du.0", "enhance/block_#/attention/down"),
            ("IMDB#.cca.conv_du.2", "enhance/block_#/attention/up"),
            ("c.0", "enhance/join"),
            ("LR_conv", "enhance/conv"),
            ("upsampler.0", "fuse/conv"),
        ),
        expanded=(("IMDB#.cca.conv_du.#.weight", (2, 3)),),
        first=1,
    ),
)
