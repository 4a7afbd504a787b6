"""DnCNN's checkpoints, with batch norms or without; and FDnCNN's, which are told the noise."""

import numpy as np

from jaxsr.zoo.dialects.dialect import Description, Dialect, Options
from jaxsr.zoo.dialects.state import State, count

EPSILON = 1e-4  # of the batch norms


def convolutions(state: State) -> list[str]:
    """Return the names of the convolutions, in order."""
    kernels = [key for key, value in state.items() if value.ndim == 4]
    return sorted((key.removesuffix(".weight") for key in kernels), key=_number)


def _number(name: str) -> int:
    return int(name.split(".")[1])


def describe(state: State) -> Description:
    """Read the size; what has one more channel going in is told the noise, 15/255."""
    names = convolutions(state)
    features, seen = state[f"{names[0]}.weight"].shape[:2]
    channels = state[f"{names[-1]}.weight"].shape[0]
    options = {"scale": 1, "features": features, "depth": len(names), "channels": channels}
    return "dncnn", options | ({} if seen == channels else {"residual": False, "noise": 15.0})


def prepare(state: State) -> State:
    """Multiply batch norms into the convolutions before them; count those; negate the noise.

    DnCNN subtracts the noise it finds, ours adds what is to be added.
    """
    names, prepared = convolutions(state), {}
    _, options = describe(state)
    for i, name in enumerate(names):
        kernel, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        norm = f"model.{_number(name) + 1}"
        if f"{norm}.running_var" in state:
            gain = state[f"{norm}.weight"] / np.sqrt(state[f"{norm}.running_var"] + EPSILON)
            kernel = kernel * gain[:, None, None, None]
            bias = (bias - state[f"{norm}.running_mean"]) * gain + state[f"{norm}.bias"]
        last = i == len(names) - 1
        sign = -1 if last and options.get("residual", True) else 1
        ours = "model.last" if last else f"model.{i}"
        prepared |= {f"{ours}.weight": sign * kernel, f"{ours}.bias": sign * bias}
    return prepared


def finish(state: State, options: Options) -> State:
    """Undo :func:`prepare`, but for the batch norms; activations are counted too."""
    last, finished = count(state, "model.#.weight"), {}
    for key, value in state.items():
        _, place, leaf = key.split(".")
        sign = -1 if place == "last" and options["residual"] else 1
        number = 2 * (last if place == "last" else int(place))
        finished[f"model.{number}.{leaf}"] = sign * value
    return finished


DIALECTS = (
    Dialect(
        name="DnCNN",
        has=("model.0.weight", "model.0.bias", "model.2.weight", "model.2.bias"),
        lacks=("model.1.sub.0.RDB1.conv1.0.weight", "model.1.weight"),
        describe=describe,
        prepare=prepare,
        finish=finish,
        rules=(
            ("model.0", "extract/conv"),
            ("model.last", "fuse/conv"),
            ("model.#", "enhance/conv_#"),
        ),
        first=1,
    ),
)
