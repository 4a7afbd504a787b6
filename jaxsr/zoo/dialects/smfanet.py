"""SMFANet's checkpoints."""

from jaxsr.zoo.dialects.dialect import Description, Dialect
from jaxsr.zoo.dialects.state import State, count, shuffle_scale


def describe(state: State) -> Description:
    """Read scale and size."""
    return "smfanet", {
        "scale": shuffle_scale(state["to_img.0.weight"]),
        "features": state["to_feat.weight"].shape[0],
        "blocks": count(state, "feats.#."),
        "hidden": state["feats.0.pcfn.conv_0.weight"].shape[0],
        "part": state["feats.0.pcfn.conv_1.weight"].shape[0],
    }


DIALECTS = (
    Dialect(
        name="SMFANet",
        has=("to_feat.weight", "feats.0.smfa.linear_0.weight", "feats.0.pcfn.conv_1.weight"),
        describe=describe,
        rules=(
            ("to_feat", "extract/conv"),
            ("feats.#.smfa.linear_0", "enhance/block_#/aggregation/project_in"),
            ("feats.#.smfa.linear_1", "enhance/block_#/aggregation/modulation/mix"),
            ("feats.#.smfa.linear_2", "enhance/block_#/aggregation/project_out"),
            ("feats.#.smfa.lde.conv_0.0", "enhance/block_#/aggregation/depthwise"),
            ("feats.#.smfa.lde.conv_0.1", "enhance/block_#/aggregation/mix"),
            ("feats.#.smfa.lde.conv_1", "enhance/block_#/aggregation/reduce"),
            ("feats.#.smfa.dw_conv", "enhance/block_#/aggregation/modulation/depthwise"),
            ("feats.#.smfa.alpha", "enhance/block_#/aggregation/modulation/alpha"),
            ("feats.#.smfa.belt", "enhance/block_#/aggregation/modulation/beta"),
            ("feats.#.pcfn.conv_0", "enhance/block_#/mlp/expand"),
            ("feats.#.pcfn.conv_1", "enhance/block_#/mlp/conv"),
            ("feats.#.pcfn.conv_2", "enhance/block_#/mlp/reduce"),
            ("to_img.0", "fuse/conv"),
        ),
        expanded=(("feats.#.smfa.alpha", (0, 2, 3)), ("feats.#.smfa.belt", (0, 2, 3))),
    ),
)
