"""OmniSR's checkpoints."""

from jaxsr.zoo.dialects.dialect import Description, Dialect, Rules
from jaxsr.zoo.dialects.state import State, count

GROUP = "residual_layer.#"
BLOCK = "residual_layer.#.residual_layer.#.layer"
OURS = "enhance/group_#/block_#"
TABLE = "residual_layer.0.residual_layer.0.layer.2.fn.rel_pos_bias.weight"
FORWARD = (("project_in", "expand"), ("dwconv", "local"), ("project_out", "reduce"))
# numbers of their layers; between them are those that only move axes
PLACES = ((2, "meso_places"), (8, "global_places"))
CHANNELS = ((5, "meso_channels"), (11, "global_channels"))
FORWARDS = (
    *((4, "meso_places_forward"), (6, "meso_channels_forward")),
    *((10, "global_places_forward"), (12, "global_channels_forward")),
)


def describe(state: State) -> Description:
    """Read scale and size; the window's side off the (2·window − 1)² offsets of its table."""
    features, channels = state["input.weight"].shape[:2]
    offsets, heads = state[TABLE].shape
    return "omnisr", {
        "scale": round((state["up.0.weight"].shape[0] / channels) ** 0.5),
        "features": features,
        "groups": count(state, "residual_layer.#."),
        "blocks": count(state, "residual_layer.0.residual_layer.#.layer."),
        "heads": heads,
        "window": (round(offsets**0.5) + 1) // 2,
        "channels": channels,
    }


def without_counters(state: State) -> State:
    """Leave out what a profiler added to every layer of the authors' checkpoints."""
    return {k: v for k, v in state.items() if not k.endswith(("total_ops", "total_params"))}


def places(number: int, name: str) -> Rules:
    """Return the rules of an attention of places to places."""
    theirs, ours = f"{BLOCK}.{number}", f"{OURS}/{name}"
    return (
        (f"{theirs}.norm", f"{ours}_norm"),
        (f"{theirs}.fn.rel_pos_bias.weight", f"{ours}/position"),
        (f"{theirs}.fn.to_qkv", f"{ours}/qkv"),
        (f"{theirs}.fn.to_out.0", f"{ours}/proj"),
    )


def channels(number: int, name: str) -> Rules:
    """Return the rules of an attention of channels to channels."""
    theirs, ours = f"{BLOCK}.{number}", f"{OURS}/{name}"
    return (
        (f"{theirs}.norm", f"{ours}_norm"),
        (f"{theirs}.fn.temperature", f"{ours}/temperature"),
        (f"{theirs}.fn.qkv", f"{ours}/qkv"),
        (f"{theirs}.fn.qkv_dwconv", f"{ours}/qkv_local"),
        (f"{theirs}.fn.project_out", f"{ours}/project"),
    )


DIALECTS = (
    Dialect(
        name="OmniSR",
        has=("residual_layer.0.residual_layer.0.layer.0.fn.0.weight", "up.0.weight"),
        describe=describe,
        rules=(
            ("input", "extract/conv"),
            (f"{BLOCK}.0.fn.0", f"{OURS}/local/expand"),
            (f"{BLOCK}.0.fn.2", f"{OURS}/local/depthwise"),
            (f"{BLOCK}.0.fn.4.gate.1", f"{OURS}/local/attention/down"),
            (f"{BLOCK}.0.fn.4.gate.3", f"{OURS}/local/attention/up"),
            (f"{BLOCK}.0.fn.5", f"{OURS}/local/reduce"),
            *(rule for of in PLACES for rule in places(*of)),
            *(rule for of in CHANNELS for rule in channels(*of)),
            *((f"{BLOCK}.{number}.norm", f"{OURS}/{name}_norm") for number, name in FORWARDS),
            *(
                (f"{BLOCK}.{number}.fn.{theirs}", f"{OURS}/{name}/{ours}")
                for number, name in FORWARDS
                for theirs, ours in FORWARD
            ),
            (f"{GROUP}.residual_layer.#", "enhance/group_#/mix"),
            *((f"{GROUP}.esa.conv{i}", f"enhance/group_#/attention/conv_{i}") for i in range(1, 5)),
            (f"{GROUP}.esa.conv_f", "enhance/group_#/attention/conv_skip"),
            ("output", "enhance/conv"),
            ("up.0", "fuse/conv"),
        ),
        ignored=(f"{BLOCK}.#.fn.rel_pos_indices",),
        prepare=without_counters,
        expanded=((f"{BLOCK}.#.fn.temperature", (1, 2)),),
    ),
)
