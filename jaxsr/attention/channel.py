"""Channel attention: each channel weighed by its statistics over the image (SE, RCAN, IMDN)."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsr.attention.affine import Affine, AffineParams, dense
from jaxsr.attention.gate import gate
from jaxsr.errors import UserError


def mean_descriptor(x: Float[Array, "*b h w c"]) -> Float[Array, "*b 1 1 c"]:
    """Return the mean over the image, in float32 ("squeeze"; Hu et al. 2018, eq. 2)."""
    return jnp.mean(x.astype(jnp.float32), axis=(-3, -2), keepdims=True)


def contrast_descriptor(x: Float[Array, "*b h w c"]) -> Float[Array, "*b 1 1 c"]:
    """Return mean plus standard deviation over the image, in float32 (Hui et al. 2019, eq. 3)."""
    x = x.astype(jnp.float32)
    mean = mean_descriptor(x)
    variance = jnp.mean(jnp.square(x - mean), axis=(-3, -2), keepdims=True)
    # √ has no gradient at 0, where a constant channel would put it; there the contrast is 0
    constant = variance == 0
    return mean + jnp.where(constant, 0.0, jnp.sqrt(jnp.where(constant, 1.0, variance)))


def channel_attention(
    x: Float[Array, "*b h w c"],
    down: Affine,
    up: Affine,
    contrast: bool = False,
    activation: Callable[[Array], Array] = jax.nn.relu,
) -> Float[Array, "*b h w c"]:
    """``x · σ(W₂ relu(W₁ d(x)))`` with ``d`` the mean: squeeze-and-excitation, as in RCAN's blocks.

    Sources: Hu et al., "Squeeze-and-Excitation Networks" (2018), eqs. 2-4; Zhang et al., "Image
    Super-Resolution Using Very Deep Residual Channel Attention Networks" (2018), eqs. 8-10.

    Args:
      down, up: dense layers ``W₁`` to fewer channels and ``W₂`` back.
      contrast: ``d`` is mean plus standard deviation instead: contrast-aware attention of Hui et
        al., "Lightweight Image Super-Resolution with Information Multi-distillation" (2019).
      activation: between them.
    """
    d = contrast_descriptor(x) if contrast else mean_descriptor(x)
    return gate(x, dense(activation(dense(d, down)), up))


class ChannelAttention(nn.Module):
    """:func:`channel_attention` with its parameters.

    Attributes:
      reduction: the inner width is ``channels // reduction``.
      contrast, activation: see :func:`channel_attention`.
      use_bias: of the two layers.

    Raises:
      UserError: there are fewer channels than ``reduction``.
    """

    reduction: int = 16
    contrast: bool = False
    dtype: Any = None
    use_bias: bool = True
    activation: Callable[[Array], Array] = jax.nn.relu

    @nn.compact
    def __call__(self, x: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        channels = x.shape[-1]
        if channels < self.reduction:
            raise UserError(
                f"channel attention with reduction {self.reduction} needs at least that many "
                f"channels, got {channels}"
            )
        inner = channels // self.reduction
        options = {"use_bias": self.use_bias, "dtype": self.dtype}
        down = AffineParams((channels, inner), name="down", **options)()
        up = AffineParams((inner, channels), name="up", **options)()
        return channel_attention(x, down, up, self.contrast, self.activation)


def simplified_channel_attention(
    x: Float[Array, "*b h w c"], weights: Affine
) -> Float[Array, "*b h w c"]:
    """``x · W d(x)`` with ``d`` the mean: channel attention of one layer, without a sigmoid.

    Source: Chen et al., "Simple Baselines for Image Restoration" (2022), eq. 6.
    """
    weight = dense(mean_descriptor(x), weights).astype(x.dtype)
    return x * jnp.broadcast_to(weight, x.shape)


class SimplifiedChannelAttention(nn.Module):
    """:func:`simplified_channel_attention` with its parameters."""

    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        shape = (x.shape[-1], x.shape[-1])
        return simplified_channel_attention(x, AffineParams(shape, dtype=self.dtype, name="mix")())
