"""EDSR's checkpoints: the authors' and those of BasicSR."""

from functools import partial

from jaxsr.zoo.dialects.constants import mean_layers
from jaxsr.zoo.dialects.dialect import AUTHORS_STAGES, BASICSR_STAGES, Description, Dialect
from jaxsr.zoo.dialects.state import MEAN_LAYERS, State, check_mean, count, stages_scale


def describe(state: State, first: str, block: str, stages: str) -> Description:
    """Read the size off the first convolution, the blocks and the upsampling stages."""
    check_mean(state)
    options = {
        "scale": stages_scale(state, stages),
        "features": state[first].shape[0],
        "blocks": count(state, block),
    }
    # Nothing stored tells the residual scale: the authors damp their wide network only.
    return ("edsr" if options["features"] > 64 else "edsr_baseline"), options


DIALECTS = (
    Dialect(
        name="EDSR",
        has=("head.0.weight", "body.0.body.2.weight", "sub_mean.bias", "tail.1.weight"),
        lacks=("body.0.body.0.body.0.weight",),  # RCAN's groups
        describe=partial(describe, first="head.0.weight", block="body.#.body.", stages="tail.0.#"),
        rules=(
            ("head.0", "extract/conv"),
            ("body.#.body.0", "enhance/block_#/conv_0"),
            ("body.#.body.2", "enhance/block_#/conv_1"),
            ("body.#", "enhance/conv"),
            *AUTHORS_STAGES,
        ),
        ignored=MEAN_LAYERS,
        finish=lambda state, options: {**state, **mean_layers()},
    ),
    Dialect(
        name="EDSR (BasicSR)",
        has=("body.0.conv1.weight", "conv_after_body.weight", "upsample.0.weight"),
        describe=partial(describe, first="conv_first.weight", block="body.#.", stages="upsample.#"),
        rules=(
            ("conv_first", "extract/conv"),
            ("body.#.conv1", "enhance/block_#/conv_0"),
            ("body.#.conv2", "enhance/block_#/conv_1"),
            ("conv_after_body", "enhance/conv"),
            *BASICSR_STAGES,
        ),
    ),
)
