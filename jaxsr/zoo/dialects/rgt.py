"""RGT's checkpoints: DAT's names, with attention to the whole image in place of channels."""

from jaxsr.zoo.dialects import dat, swinir
from jaxsr.zoo.dialects.dialect import Description, Dialect, Options
from jaxsr.zoo.dialects.state import State, pattern, stages_scale

GLOBAL = "layers.0.blocks.1.attn.conv.weight"  # there is none where groups have a single layer
PARTS = (
    ("get_v", "conv"),  # of the rectangles
    ("reduction1", "reduce"),
    ("dwconv", "conv"),
    ("conv", "mix"),
    ("norm_act.0", "norm"),
    ("q", "q"),
    ("k", "k"),
    ("v", "v"),
    ("cpe", "position"),
)


def describe(state: State) -> Description:
    """Read scale and size."""
    options = dat.body(state, "mlp")
    if GLOBAL in state:
        inner, features = state[GLOBAL].shape[:2]
        options["key_ratio"] = inner / features
    return "rgt", options | {
        "scale": stages_scale(state, "upsample.#"),
        "head_features": state[swinir.CONV_BEFORE].shape[0],
        "channels": state["conv_first.weight"].shape[1],
    }


def finish(state: State, options: Options) -> State:
    """Add the constants; what convolves the values of global layers has a name of its own."""
    named = {}
    for key, value in state.items():
        layer = pattern(f"{dat.BLOCK}.attn.get_v").match(key)
        if layer and int(layer[2]) % 2:
            key = key.replace(".get_v.", ".dwconv.")
        named[key] = value
    return dat.with_rectangles(named, options)


DIALECTS = (
    Dialect(
        name="RGT",
        has=("before_RG.1.weight", "layers.0.blocks.0.gamma", swinir.CONV_BEFORE),
        describe=describe,
        rules=(
            *dat.BODY,
            *dat.gated_rules("mlp"),
            (f"{dat.BLOCK}.gamma", f"{dat.LAYER}/gamma"),
            *(
                (f"{dat.BLOCK}.attn.{theirs}", f"{dat.LAYER}/attention/{ours}")
                for theirs, ours in PARTS
            ),
            *swinir.STAGES,
        ),
        ignored=dat.CONSTANTS,
        finish=finish,
        expanded=((f"{dat.BLOCK}.attn.conv.weight", (2, 3)),),
    ),
)
