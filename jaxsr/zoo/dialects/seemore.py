"""SeemoRe's checkpoints; shuffling and recursions are not in them, but the published sizes are."""

import re

import numpy as np

from jaxsr.zoo.dialects.dialect import Description, Dialect, Options, Rules
from jaxsr.zoo.dialects.state import State, count, shuffle_scale

FIRST = "body.0.local_block.block"
EXPERTS = ".moe_layer.experts."
LOCAL, GLOBAL = "body.#.local_block", "body.#.global_block"
LARGE = (48, 16)  # features and blocks of the network that neither shuffles nor recurs


def describe(state: State) -> Description:
    """Read the size; channels are shuffled and contexts made smaller twice, but in SeemoRe-L."""
    features, blocks = state["conv_1.weight"].shape[0], count(state, "body.#.")
    experts = count(state, f"{FIRST}{EXPERTS}#.")
    large = (features, blocks) == LARGE
    return "seemore", {
        "scale": shuffle_scale(state["upsampler.0.weight"]),
        "features": features,
        "blocks": blocks,
        "ranks": [state[f"{FIRST}{EXPERTS}{i}.conv_1.weight"].shape[0] for i in range(experts)],
        "kernel": state["body.0.global_block.block.attn.conv.0.weight"].shape[-1],
        "shuffle": not large,
        "recursions": 1 if large else 2,
    }


def prepare(state: State) -> State:
    """Put the experts of a block side by side."""
    prepared = {key: value for key, value in state.items() if EXPERTS not in key}
    experts = count(state, f"{FIRST}{EXPERTS}#.")
    for block in {key.partition(EXPERTS)[0] for key in state if EXPERTS in key}:
        for conv, leaf, axis in (
            *(("conv_1", leaf, 0) for leaf in ("weight", "bias")),
            *(("conv_2", leaf, 0) for leaf in ("weight", "bias")),
            ("conv_3", "weight", 1),
        ):
            arrays = [state[f"{block}{EXPERTS}{i}.{conv}.{leaf}"] for i in range(experts)]
            prepared[f"{block}.experts.{conv}.{leaf}"] = np.concatenate(arrays, axis)
        biases = [state[f"{block}{EXPERTS}{i}.conv_3.bias"] for i in range(experts)]
        prepared[f"{block}.experts.biases"] = np.stack(biases)
    return {re.sub(r"\.moe_layer\.gate\.body\.\d", ".choose", k): v for k, v in prepared.items()}


def finish(state: State, options: Options) -> State:
    """Undo :func:`prepare`: every expert of a block has arrays of its own."""
    parts = np.cumsum(options["ranks"])[:-1]
    finished = {}
    for key, value in state.items():
        block, found, name = key.partition(".experts.")
        if not found:
            finished[key.replace(".choose.", ".moe_layer.gate.body.2.")] = value
            continue
        if name == "biases":
            name, arrays = "conv_3.bias", list(value)
        else:
            arrays = np.split(value, parts, int(name == "conv_3.weight"))
        finished |= {f"{block}{EXPERTS}{i}.{name}": array for i, array in enumerate(arrays)}
    return finished


def block_rules(theirs: str, ours: str) -> Rules:
    """Return the rules of a block's norms and perceptron."""
    return (
        (f"{theirs}.norm_1", f"{ours}_norm"),
        (f"{theirs}.norm_2", f"{ours}_mlp_norm"),
        (f"{theirs}.ffn.fn_1.0", f"{ours}_mlp/expand"),
        (f"{theirs}.ffn.fn_2.0", f"{ours}_mlp/reduce"),
        (f"{theirs}.ffn.gate", f"{ours}_mlp/gate"),
        (f"{theirs}.block.proj", f"{ours}/project"),
    )


CHOSEN, STRIPED = "enhance/experts_#", "enhance/stripes_#"

DIALECTS = (
    Dialect(
        name="SeemoRe",
        has=("conv_1.weight", f"{FIRST}.agg_conv.0.weight", f"{FIRST}{EXPERTS}0.conv_1.weight"),
        describe=describe,
        prepare=prepare,
        finish=finish,
        expanded=((f"{LOCAL}.block.experts.conv_#.weight", (2, 3)),),
        rules=(
            ("conv_1", "extract/conv"),
            *block_rules(LOCAL, CHOSEN),
            (f"{LOCAL}.block.conv_1.0", f"{CHOSEN}/conv"),
            (f"{LOCAL}.block.conv_1.2", f"{CHOSEN}/expand"),
            (f"{LOCAL}.block.agg_conv.0", f"{CHOSEN}/gather"),
            (f"{LOCAL}.block.conv.0", f"{CHOSEN}/far_depthwise"),
            (f"{LOCAL}.block.conv.1", f"{CHOSEN}/far_mix"),
            (f"{LOCAL}.block.conv_2.0.conv.0", f"{CHOSEN}/near/row"),
            (f"{LOCAL}.block.conv_2.0.conv.1", f"{CHOSEN}/near/column"),
            (f"{LOCAL}.block.experts.conv_1", f"{CHOSEN}/of_near"),
            (f"{LOCAL}.block.experts.conv_2", f"{CHOSEN}/of_context"),
            (f"{LOCAL}.block.experts.conv_3", f"{CHOSEN}/join"),
            (f"{LOCAL}.block.experts.biases", f"{CHOSEN}/join_biases"),
            (f"{LOCAL}.block.choose", f"{CHOSEN}/choose"),
            *block_rules(GLOBAL, STRIPED),
            (f"{GLOBAL}.block.to_qv.0", f"{STRIPED}/expand"),
            (f"{GLOBAL}.block.attn.conv.0", f"{STRIPED}/stripes/row"),
            (f"{GLOBAL}.block.attn.conv.1", f"{STRIPED}/stripes/column"),
            ("norm", "enhance/out_norm"),
            ("conv_2", "enhance/conv"),
            ("upsampler.0", "fuse/conv"),
        ),
    ),
)
