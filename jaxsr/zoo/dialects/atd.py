"""ATD's checkpoints. How many pixels make a category is not in them; the published sizes are."""

import numpy as np

from jaxsr.zoo.dialects import swinir
from jaxsr.zoo.dialects.constants import position_index
from jaxsr.zoo.dialects.dialect import Description, Dialect, Options, Rules
from jaxsr.zoo.dialects.state import State, count

DICTIONARY = "layers.0.residual_group.td"
FIRST = "layers.0.residual_group.layers.0"
GROUP = "layers.#.residual_group"
LAYER = f"{GROUP}.layers.#"
LIGHT_FEATURES = 48  # such a network's categories are half as large
PARTS: Rules = (
    ("norm1", "norm_attention"),
    ("wqkv", "qkv"),
    ("attn_win.relative_position_bias_table", "position"),
    ("attn_win.proj", "proj_window"),
    ("attn_atd.wq", "dictionary/q"),
    ("attn_atd.wk", "dictionary/k"),
    ("attn_atd.wv", "dictionary/v"),
    ("attn_atd.scale", "dictionary/sharpness"),
    ("attn_aca.logit_scale", "log_scale"),
    ("attn_aca.proj", "proj_category"),
    ("norm2", "norm_mlp"),
    ("convffn.fc1", "mlp/expand"),
    ("convffn.dwconv.depthwise_conv.0", "mlp/conv"),
    ("convffn.fc2", "mlp/reduce"),
    ("norm3", "refinement"),
    ("sigma", "refinement/keep"),
)
HEADS: dict[str, Rules] = {
    "stages": swinir.STAGES,
    "nearest": swinir.NEAREST_STAGES,
    "direct": (("upsample.0", "fuse/conv"),),
    "image": (("conv_last", "fuse/conv"),),
}
MARKS = {  # head → what such a state has and lacks
    "stages": ((swinir.CONV_BEFORE,), (swinir.NEAREST,)),
    "nearest": ((swinir.NEAREST,), ()),
    "direct": ((swinir.DIRECT,), (swinir.CONV_BEFORE,)),
    "image": (("conv_last.weight",), (swinir.DIRECT, swinir.CONV_BEFORE)),
}


def describe(state: State) -> Description:
    """Read head and size; the window's side off the (2·window − 1)² offsets of its table."""
    tokens, features = state[DICTIONARY].shape
    offsets, heads = state[f"{FIRST}.attn_win.relative_position_bias_table"].shape
    options = swinir.ends(state)
    del options["unshuffle"]
    return "atd", options | {
        "features": features,
        "groups": count(state, f"{GROUP}.td"),
        "depth": count(state, "layers.0.residual_group.layers.#."),
        "heads": heads,
        "window": (round(offsets**0.5) + 1) // 2,
        "tokens": tokens,
        "key_features": state[f"{FIRST}.attn_atd.wq.weight"].shape[0],
        "category": 128 if (options["head"], features) == ("direct", LIGHT_FEATURES) else 256,
        "kernel": state[f"{FIRST}.convffn.dwconv.depthwise_conv.0.weight"].shape[-1],
        "ratio": state[f"{FIRST}.convffn.fc1.weight"].shape[0] / features,
        "residual": swinir.residual(state),
        "centred": "no_norm" not in state,
    }


def finish(state: State, options: Options) -> State:
    """Add the index of the windows, and the mark of networks that see images as they are."""
    index = {"relative_position_index_SA": position_index(options["window"])}
    plain = {} if options["centred"] else {"no_norm": np.zeros(1, np.float32)}
    return {**state, **index, **plain}


DIALECTS = tuple(
    Dialect(
        name=f"ATD ({head})",
        has=(DICTIONARY, *MARKS[head][0]),
        lacks=MARKS[head][1],
        describe=describe,
        rules=(
            ("conv_first", "extract/conv"),
            ("patch_embed.norm", "enhance/norm_in"),
            (f"{GROUP}.td", "enhance/group_#/dictionary"),
            *((f"{LAYER}.{theirs}", f"enhance/group_#/layer_#/{ours}") for theirs, ours in PARTS),
            *swinir.skip_rules("layers.#.conv", "enhance/group_#/conv"),
            ("norm", "enhance/norm_out"),
            *swinir.skip_rules("conv_after_body", "enhance/conv"),
            *rules,
        ),
        ignored=("relative_position_index_SA", "no_norm"),
        finish=finish,
        expanded=((f"{LAYER}.attn_aca.logit_scale", (1,)),),
    )
    for head, rules in HEADS.items()
)
