"""SPAN's checkpoints: as trained, and folded."""

import numpy as np

from jaxsr.networks.span import fold_kernel
from jaxsr.zoo.dialects.dialect import Description, Dialect, Options, Rules
from jaxsr.zoo.dialects.state import State, pattern, shuffle_scale

TRAINED = "conv_1.sk.weight"  # a branch, which only the training form has
CONVOLUTIONS = (  # re-parameterised ones: theirs, ours
    ("conv_1", "extract"),
    ("block_#.c#_r", "enhance/block_#/conv_#"),
    ("conv_2", "enhance/conv_last"),
)
BRANCHES = (("sk", "skip"), ("conv.0", "expand"), ("conv.1", "middle"), ("conv.2", "reduce"))
PLAIN: Rules = (("conv_cat", "enhance/conv_join"), ("upsampler.0", "fuse/conv"))


def describe(state: State) -> Description:
    """Read channels, scale, size and form.

    A key without values, ``no_norm``, says that images are seen as they are. Where it lacks, mean
    and range are the paper's; nothing tells others.
    """
    kernel = state[TRAINED if TRAINED in state else "conv_1.eval_conv.weight"]
    channels = kernel.shape[1]
    options = {
        "scale": shuffle_scale(state["upsampler.0.weight"], channels),
        "channels": channels,
        "features": state["conv_cat.weight"].shape[0],
        "folded": TRAINED not in state,
    }
    plain = {"mean": (0.0,), "value_range": 1.0} if "no_norm" in state else {}
    return "span", options | plain


def with_folded(state: State, options: Options) -> State:
    """Add the folded copies and the mark of networks that see images as they are."""
    copies = {}
    for theirs, _ in CONVOLUTIONS:
        for key in filter(pattern(f"{theirs}.sk.weight").fullmatch, state):
            name = key.removesuffix(".sk.weight")
            kernel, bias = fold_kernel(
                {
                    ours: {
                        "kernel": state[f"{name}.{branch}.weight"].transpose(2, 3, 1, 0),
                        "bias": state[f"{name}.{branch}.bias"],
                    }
                    for branch, ours in BRANCHES
                }
            )
            copies[f"{name}.eval_conv.weight"] = np.asarray(kernel).transpose(3, 2, 0, 1)
            copies[f"{name}.eval_conv.bias"] = np.asarray(bias)
    plain = options["value_range"] == 1 and not any(options["mean"])
    return {**state, **copies, **({"no_norm": np.zeros(1, np.float32)} if plain else {})}


def with_branches(state: State, options: Options) -> State:
    """Give folded convolutions the branches they are loaded with: all but one let things pass."""
    branched = {key: value for key, value in state.items() if ".eval_conv." not in key}
    for key, kernel in state.items():
        name, found, leaf = key.partition(".eval_conv.")
        if not found or leaf == "bias":
            continue
        (outputs, inputs), bias = kernel.shape[:2], state[f"{name}.eval_conv.bias"]
        middle = np.zeros((2 * outputs, 2 * inputs, *kernel.shape[2:]), np.float32)
        middle[:outputs, :inputs] = kernel
        branches = {
            "sk": (np.zeros((outputs, inputs)), bias),
            "conv.0": (np.eye(2 * inputs, inputs), np.zeros(2 * inputs)),
            "conv.1": (middle, np.zeros(2 * outputs)),
            "conv.2": (np.eye(outputs, 2 * outputs), np.zeros(outputs)),
        }
        for branch, (weight, offset) in branches.items():
            weight = weight if weight.ndim == 4 else weight[..., None, None]
            branched[f"{name}.{branch}.weight"] = weight.astype(np.float32)
            branched[f"{name}.{branch}.bias"] = offset.astype(np.float32)
    return with_folded(branched, options)


DIALECTS = (
    Dialect(
        name="SPAN",
        has=(TRAINED, "block_1.c1_r.conv.0.weight", "conv_cat.weight"),
        describe=describe,
        rules=(
            *(
                (f"{theirs}.{branch}", f"{ours}/{name}_")
                for theirs, ours in CONVOLUTIONS
                for branch, name in BRANCHES
            ),
            *PLAIN,
        ),
        # the folded copy beside the branches may be stale
        ignored=(
            "no_norm",
            *(
                f"{theirs}.eval_conv.{leaf}"
                for theirs, _ in CONVOLUTIONS
                for leaf in ("weight", "bias")
            ),
        ),
        finish=with_folded,
        first=1,
    ),
    Dialect(
        name="SPAN (folded)",
        has=("conv_1.eval_conv.weight", "block_1.c1_r.eval_conv.weight", "conv_cat.weight"),
        lacks=(TRAINED,),
        describe=describe,
        rules=(
            *((f"{theirs}.eval_conv", f"{ours}/conv") for theirs, ours in CONVOLUTIONS),
            *PLAIN,
        ),
        ignored=("no_norm",),
        finish=with_branches,
        first=1,
    ),
)
