"""DRCT's checkpoints: SwinIR's names for the layers, which are joined densely."""

from jaxsr.networks.drct import LAYERS
from jaxsr.zoo.dialects import swinir
from jaxsr.zoo.dialects.constants import square_windows
from jaxsr.zoo.dialects.dialect import Description, Dialect, Options
from jaxsr.zoo.dialects.state import State, count, stages_scale

TABLE = "layers.0.swin1.attn.relative_position_bias_table"


def describe(state: State) -> Description:
    """Read scale and size; the window's side off the (2·window − 1)² offsets of its table."""
    offsets, heads = state[TABLE].shape
    channels = state["conv_first.weight"].shape[1]
    features = state["patch_embed.norm.weight"].shape[0]
    return "drct", {
        "scale": stages_scale(state, "upsample.#"),
        "features": features,
        "groups": count(state, "layers.#."),
        # the first layer has as many heads as are asked for where these divide the features
        "heads": heads,
        "window": (round(offsets**0.5) + 1) // 2,
        "growth": state["layers.0.adjust1.weight"].shape[0],
        "ratio": state["layers.0.swin1.mlp.fc1.weight"].shape[0] / features,
        "head_features": state[swinir.CONV_BEFORE].shape[0],
        "residual": swinir.residual(state),
        "channels": channels,
    }


def finish(state: State, options: Options) -> State:
    """Add the constants of the windows; those of every second layer are shifted."""
    window = options["window"]
    layers = {
        f"layers.{group}.swin{i + 1}": i % 2 * (window // 2)
        for group in range(options["groups"])
        for i in range(LAYERS)
    }
    return {**state, **square_windows(layers, ".attn", window)}


DIALECTS = (
    Dialect(
        name="DRCT",
        has=(TABLE, "layers.0.adjust1.weight", swinir.CONV_BEFORE),
        describe=describe,
        rules=(
            ("conv_first", "extract/conv"),
            ("patch_embed.norm", "enhance/norm_in"),
            *(
                rule
                for i in range(LAYERS)
                for rule in (
                    *swinir.layer_rules(
                        f"layers.#.swin{i + 1}", f"enhance/group_#/layer_{i}", ".attn"
                    ),
                    (f"layers.#.adjust{i + 1}", f"enhance/group_#/adjust_{i}"),
                )
            ),
            ("norm", "enhance/norm_out"),
            ("conv_after_body", "enhance/conv"),
            *swinir.STAGES,
        ),
        ignored=("layers.#.swin#.attn_mask", "layers.#.swin#.attn.relative_position_index"),
        finish=finish,
    ),
)
