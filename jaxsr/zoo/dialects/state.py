"""What a PyTorch state dict tells of its network: counts, scales, centring."""

import functools
import re
from collections.abc import Iterable, Mapping

import numpy as np

from jaxsr.errors import UserError
from jaxsr.networks.upscaler import DIV2K_MEAN

State = Mapping[str, np.ndarray]  # parameter names → arrays

# Buffers of the official EDSR and RCAN, which shift colours by constants.
MEAN_LAYERS = ("sub_mean.weight", "sub_mean.bias", "add_mean.weight", "add_mean.bias")

NORM_EPSILON = 1e-5  # PyTorch's batch norms add it to variances


@functools.cache
def pattern(name: str) -> re.Pattern[str]:
    """Compile a name in which every ``#`` stands for a number."""
    return re.compile(re.escape(name).replace(r"\#", r"(\d+)"))


def count(state: State, name: str) -> int:
    """Count the different numbers that the first ``#`` of ``name`` takes among the keys."""
    matches = (pattern(name).match(key) for key in state)
    return len({match[1] for match in matches if match})


def shuffle_scale(weight: np.ndarray, channels: int = 3) -> int:
    """Return the scale of a convolution to ``channels·scale²`` channels before a pixel shuffle.

    Raises:
      UserError: it gives no such number of channels.
    """
    given = weight.shape[0]
    scale = round((given / channels) ** 0.5)
    if channels * scale**2 != given:
        raise UserError(
            f"the checkpoint's network takes {channels} channels, and its last convolution gives "
            f"{given}; ours gives as many channels as it takes, times a scale's square"
        )
    return scale


def stages_scale(state: State, stages: str) -> int:
    """Return the scale of convolutions to ``step²`` times the channels: the steps' product."""
    keys = [key for key in state if pattern(stages).match(key) and key.endswith(".weight")]
    steps = [round((state[key].shape[0] / state[key].shape[1]) ** 0.5) for key in keys]
    return int(np.prod(steps))


def check_mean(state: State) -> None:
    """Check that a centring layer, where there is one, subtracts the mean that ours does.

    Raises:
      UserError: it subtracts another.
    """
    expected = -255 * np.array(DIV2K_MEAN)
    if not np.allclose(state.get("sub_mean.bias", expected), expected, atol=1e-2):
        raise UserError(
            f"the checkpoint centres images by {state['sub_mean.bias']}, ours by {expected}"
        )


def without_batch_norm(state: State, layers: Iterable[tuple[str, str]]) -> State:
    """Fold batch norms, by the statistics they have kept, into the layers before them.

    Args:
      layers: names of a layer with a bias and of the norm behind it; ``#`` stands for a number.
    """
    folded = dict(state)
    for layer, norm in layers:
        for key in filter(pattern(f"{norm}.running_var").fullmatch, state):
            numbers = pattern(f"{norm}.running_var").fullmatch(key)
            _fold_norm(folded, _numbered(layer, numbers), key.removesuffix(".running_var"))
    return folded


def with_batch_norm(state: State, layers: Iterable[tuple[str, str]]) -> State:
    """Put a batch norm that changes nothing behind layers: :func:`without_batch_norm` undoes it.

    Args:
      layers: names of a layer with a bias and of the norm behind it; ``#`` stands for a number.
    """
    normed = dict(state)
    for layer, norm in layers:
        for key in filter(pattern(f"{layer}.bias").fullmatch, state):
            name = _numbered(norm, pattern(f"{layer}.bias").fullmatch(key))
            ones = np.ones_like(state[key])
            normed |= {
                f"{name}.weight": ones,
                f"{name}.bias": 0 * ones,
                f"{name}.running_mean": 0 * ones,
                f"{name}.running_var": ones - np.float32(NORM_EPSILON),
                f"{name}.num_batches_tracked": np.zeros((), np.int64),
            }
    return normed


def _numbered(name: str, match: re.Match[str] | None) -> str:
    numbers = iter(match.groups() if match else ())
    return re.sub("#", lambda _: next(numbers), name)


def _fold_norm(state: dict[str, np.ndarray], layer: str, norm: str) -> None:
    """Fold one norm into its layer, in place."""
    scale, offset, mean, variance = (
        state.pop(f"{norm}.{name}") for name in ("weight", "bias", "running_mean", "running_var")
    )
    state.pop(f"{norm}.num_batches_tracked", None)
    factor = scale / np.sqrt(variance + NORM_EPSILON)
    weight = state[f"{layer}.weight"]
    state[f"{layer}.weight"] = weight * factor.reshape(-1, *(1,) * (weight.ndim - 1))
    state[f"{layer}.bias"] = (state[f"{layer}.bias"] - mean) * factor + offset
