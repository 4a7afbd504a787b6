"""RCAN's checkpoints: the authors' and those of BasicSR."""

from functools import partial

from jaxsr.zoo.dialects.constants import mean_layers
from jaxsr.zoo.dialects.dialect import AUTHORS_STAGES, BASICSR_STAGES, Description, Dialect
from jaxsr.zoo.dialects.state import MEAN_LAYERS, State, check_mean, count, stages_scale


def describe(
    state: State, first: str, group: str, block: str, squeeze: str, stages: str
) -> Description:
    """Read the size off the first convolution, groups, blocks, attention and upsampling stages."""
    check_mean(state)
    features = state[first].shape[0]
    return "rcan", {
        "scale": stages_scale(state, stages),
        "features": features,
        "groups": count(state, group),
        "blocks": count(state, block),
        "reduction": features // state[squeeze].shape[0],
    }


DIALECTS = (
    Dialect(
        name="RCAN",
        has=("body.0.body.0.body.3.conv_du.0.weight", "sub_mean.bias", "tail.1.weight"),
        describe=partial(
            describe,
            first="head.0.weight",
            group="body.#.body.",
            block="body.0.body.#.body.",
            squeeze="body.0.body.0.body.3.conv_du.0.weight",
            stages="tail.0.#",
        ),
        rules=(
            ("head.0", "extract/conv"),
            ("body.#.body.#.body.0", "enhance/group_#/block_#/conv_0"),
            ("body.#.body.#.body.2", "enhance/group_#/block_#/conv_1"),
            ("body.#.body.#.body.3.conv_du.0", "enhance/group_#/block_#/attention/down"),
            ("body.#.body.#.body.3.conv_du.2", "enhance/group_#/block_#/attention/up"),
            ("body.#.body.#", "enhance/group_#/conv"),
            ("body.#", "enhance/conv"),
            *AUTHORS_STAGES,
        ),
        ignored=MEAN_LAYERS,
        finish=lambda state, options: {**state, **mean_layers()},
        expanded=(("body.#.body.#.body.3.conv_du.#.weight", (2, 3)),),
    ),
    Dialect(
        name="RCAN (BasicSR)",
        has=("body.0.residual_group.0.rcab.3.attention.1.weight", "conv_after_body.weight"),
        describe=partial(
            describe,
            first="conv_first.weight",
            group="body.#.residual_group.",
            block="body.0.residual_group.#.",
            squeeze="body.0.residual_group.0.rcab.3.attention.1.weight",
            stages="upsample.#",
        ),
        rules=(
            ("conv_first", "extract/conv"),
            ("body.#.residual_group.#.rcab.0", "enhance/group_#/block_#/conv_0"),
            ("body.#.residual_group.#.rcab.2", "enhance/group_#/block_#/conv_1"),
            (
                "body.#.residual_group.#.rcab.3.attention.1",
                "enhance/group_#/block_#/attention/down",
            ),
            ("body.#.residual_group.#.rcab.3.attention.3", "enhance/group_#/block_#/attention/up"),
            ("body.#.conv", "enhance/group_#/conv"),
            ("conv_after_body", "enhance/conv"),
            *BASICSR_STAGES,
        ),
        expanded=(("body.#.residual_group.#.rcab.3.attention.#.weight", (2, 3)),),
    ),
)
