"""PAN's checkpoints. Those of ×2 and ×3 have the same shapes: the caller must tell the scale."""

from jaxsr.zoo.dialects.dialect import Description, Dialect
from jaxsr.zoo.dialects.state import State, count


def describe(state: State) -> Description:
    """Read the size; the scale too where it is 4, which has a second enlargement."""
    options = {
        "features": state["conv_first.weight"].shape[0],
        "head_features": state["upconv1.weight"].shape[0],
        "blocks": count(state, "SCPA_trunk.#."),
    }
    return "pan", options | ({"scale": 4} if "upconv2.weight" in state else {})


DIALECTS = (
    Dialect(
        name="PAN",
        has=("SCPA_trunk.0.PAConv.k2.weight", "upconv1.weight"),
        describe=describe,
        rules=(
            ("conv_first", "extract/conv"),
            ("SCPA_trunk.#.conv1_a", "enhance/block_#/reduce_plain"),
            ("SCPA_trunk.#.conv1_b", "enhance/block_#/reduce_gated"),
            ("SCPA_trunk.#.k1.0", "enhance/block_#/conv_plain"),
            ("SCPA_trunk.#.PAConv.k2", "enhance/block_#/attention"),
            ("SCPA_trunk.#.PAConv.k3", "enhance/block_#/conv_gated"),
            ("SCPA_trunk.#.PAConv.k4", "enhance/block_#/conv_out"),
            ("SCPA_trunk.#.conv3", "enhance/block_#/join"),
            ("trunk_conv", "enhance/conv"),
            ("upconv1", "fuse/enlarge_0"),
            ("att1.conv", "fuse/attention_0/conv"),
            ("HRconv1", "fuse/conv_0"),
            ("upconv2", "fuse/enlarge_1"),
            ("att2.conv", "fuse/attention_1/conv"),
            ("HRconv2", "fuse/conv_1"),
            ("conv_last", "fuse/conv_last"),
        ),
    ),
)
