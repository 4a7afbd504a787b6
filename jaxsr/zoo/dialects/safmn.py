"""SAFMN's checkpoints."""

from jaxsr.zoo.dialects.dialect import Description, Dialect
from jaxsr.zoo.dialects.state import State, count, shuffle_scale


def describe(state: State) -> Description:
    """Read scale and size."""
    return "safmn", {
        "scale": shuffle_scale(state["to_img.0.weight"]),
        "features": state["to_feat.weight"].shape[0],
        "blocks": count(state, "feats.#."),
        "hidden": state["feats.0.ccm.ccm.0.weight"].shape[0],
    }


DIALECTS = (
    Dialect(
        name="SAFMN",
        has=("to_feat.weight", "feats.0.safm.mfr.0.weight", "feats.0.safm.aggr.weight"),
        describe=describe,
        rules=(
            ("to_feat", "extract/conv"),
            ("feats.#.norm1", "enhance/block_#/norm_modulation"),
            ("feats.#.norm2", "enhance/block_#/norm_mixer"),
            ("feats.#.safm.mfr.#", "enhance/block_#/modulation/depthwise_#"),
            ("feats.#.safm.aggr", "enhance/block_#/modulation/join"),
            ("feats.#.ccm.ccm.0", "enhance/block_#/expand"),
            ("feats.#.ccm.ccm.2", "enhance/block_#/reduce"),
            ("to_img.0", "fuse/conv"),
        ),
    ),
)
