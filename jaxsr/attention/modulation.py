"""Self-modulation: features weighed by what much smaller maxima and the variance say (SMFANet)."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxsr.attention.affine import Affine, AffineParams, biased, convolve
from jaxsr.attention.depthwise import depthwise_conv


def self_modulation(
    x: Float[Array, "b h w c"],
    depthwise: Affine,
    mix: Affine,
    alpha: Float[Array, "c"],
    beta: Float[Array, "c"],
    reduction: int = 8,
) -> Float[Array, "b h w c"]:
    """``x · ↑ gelu(W (α · D ↓x + β · σ²(x)))``, what is not local in the features.

    ``↓`` takes maxima, ``↑`` repeats, ``σ²`` is a channel's variance over the image, in float32.
    Source: Zheng et al., "SMFANet: A Lightweight Self-Modulation Feature Aggregation Network for
    Efficient Image Super-Resolution" (2024), eqs. 3 and 4.

    Args:
      depthwise: ``D``, 3×3.
      mix: ``W``, 1×1.
      alpha, beta: of each channel.
      reduction: how much smaller the maxima's sides are, rounded down, but at least one pixel.
    """
    height, width = x.shape[1:3]
    exact = x.astype(jnp.float32)
    variance = jnp.var(exact, axis=(1, 2), keepdims=True, ddof=1 if height * width > 1 else 0)
    least = exact
    for axis in (1, 2):
        least = _maxima(least, axis, max(1, x.shape[axis] // reduction))
    far = biased(depthwise_conv(least.astype(x.dtype), depthwise.kernel), depthwise.bias)
    far = far * _over(alpha, far) + _over(beta, far) * _over(variance.astype(x.dtype), far)
    weight = jax.nn.gelu(convolve(far, mix), approximate=False)
    return x * _repeated(_repeated(weight, 1, height), 2, width)


def _over(values: Array, x: Array) -> Array:
    return jnp.broadcast_to(values.astype(x.dtype), x.shape)


def _maxima(x: Array, axis: int, count: int) -> Array:
    """Return the maxima of ``count`` pieces, which overlap where they do not divide the axis."""
    size = x.shape[axis]
    if size % count == 0:
        pieces = x.reshape(*x.shape[:axis], count, size // count, *x.shape[axis + 1 :])
        return pieces.max(axis + 1)
    first = np.arange(count) * size // count
    behind = -(-np.arange(1, count + 1) * size // count)
    within = first[:, None] + np.arange((behind - first).max())
    return jnp.take(x, np.minimum(within, behind[:, None] - 1), axis=axis).max(axis + 1)


def _repeated(x: Array, axis: int, size: int) -> Array:
    """Repeat what lies along an axis, to be ``size`` long."""
    count = x.shape[axis]
    if size % count == 0:
        return jnp.repeat(x, size // count, axis=axis)
    ratio = np.float32(count) / np.float32(size)  # rounded as PyTorch does: it decides which it is
    nearest = np.floor(np.arange(size, dtype=np.float32) * ratio).astype(int)
    return jnp.take(x, np.minimum(nearest, count - 1), axis=axis)


class SelfModulation(nn.Module):
    """:func:`self_modulation` with its parameters."""

    reduction: int = 8
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        channels = x.shape[-1]
        depthwise = AffineParams((3, 3, 1, channels), dtype=self.dtype, name="depthwise")()
        mix = AffineParams((1, 1, channels, channels), dtype=self.dtype, name="mix")()
        alpha = self.param("alpha", nn.initializers.ones, (channels,), jnp.float32)
        beta = self.param("beta", nn.initializers.zeros, (channels,), jnp.float32)
        return self_modulation(x, depthwise, mix, alpha, beta, self.reduction)
