"""SwinIR: residual groups of Swin transformer layers, attention in shifted windows.

Source: Liang et al., "SwinIR: Image Restoration Using Swin Transformer" (2021).
"""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from jaxsr.attention.window import INIT, WindowAttention
from jaxsr.networks.layers import Conv, Dtype
from jaxsr.networks.upscaler import (
    DIV2K_MEAN,
    Extract,
    PixelShuffleDirect,
    PixelShuffleStages,
    Upscaler,
)

# epsilon is torch's, as the published weights want; norms compute in float32 whatever `dtype`.
LayerNorm = partial(nn.LayerNorm, epsilon=1e-5, dtype=jnp.float32)


def swinir_light(
    scale: int = 4,
    *,
    features: int = 60,
    groups: int = 4,
    depth: int = 6,
    heads: int = 6,
    window: int = 8,
    dtype: Dtype = None,
) -> Upscaler:
    """Build SwinIR-light, 930K parameters at ×4: 4 groups of 6 layers and one pixel shuffle.

    The paper states 897K (878K at ×2), one 3×3 convolution less than the official code has:
    929,628 (910,152), as here.
    """
    return Upscaler(
        extract=Extract(features, dtype=dtype),
        enhance=SwinBody(groups, partial(SwinGroup, depth, heads, window, dtype), dtype),
        fuse=PixelShuffleDirect(scale, dtype=dtype),
        scale=scale,
        mean=DIV2K_MEAN,
        multiple=window,
    )


def swinir(
    scale: int = 4,
    *,
    features: int = 180,
    groups: int = 6,
    depth: int = 6,
    heads: int = 6,
    window: int = 8,
    head_features: int = 64,
    dtype: Dtype = None,
) -> Upscaler:
    """Build SwinIR for classical super-resolution, 11.9M parameters: 6 groups of 6 layers."""
    return Upscaler(
        extract=Extract(features, dtype=dtype),
        enhance=SwinBody(groups, partial(SwinGroup, depth, heads, window, dtype), dtype),
        fuse=PixelShuffleStages(scale, features=head_features, dtype=dtype),
        scale=scale,
        mean=DIV2K_MEAN,
        multiple=window,
    )


class SwinBody(nn.Module):
    """Groups of layers between two norms, a convolution, and the skip around all of it.

    Attributes:
      groups: how many there are.
      group: makes one, given its name (HAT has groups of its own).
    """

    groups: int
    group: Callable[..., nn.Module]
    dtype: Dtype = None

    @nn.compact
    def __call__(self, f0: Array) -> Array:
        f = LayerNorm(name="norm_in")(f0).astype(f0.dtype)
        for i in range(self.groups):
            f = self.group(name=f"group_{i}")(f)
        f = LayerNorm(name="norm_out")(f)
        return Conv(f0.shape[-1], dtype=self.dtype, name="conv")(f) + f0


class SwinGroup(nn.Module):
    """``depth`` layers, every second one shifted by half a window; a convolution, a skip (RSTB)."""

    depth: int
    heads: int
    window: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        f = x
        for i in range(self.depth):
            shift = self.window // 2 if i % 2 else 0
            f = SwinLayer(self.heads, self.window, shift, self.dtype, name=f"layer_{i}")(f)
        return Conv(x.shape[-1], dtype=self.dtype, name="conv")(f) + x


class SwinLayer(nn.Module):
    """Attention, then a perceptron; each after a norm and beside a skip (eq. 6)."""

    heads: int
    window: int
    shift: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        attention = WindowAttention(
            self.heads, self.window, self.shift, self.dtype, name="attention"
        )
        x = x + attention(LayerNorm(name="norm_attention")(x))
        return x + Perceptron(dtype=self.dtype, name="mlp")(LayerNorm(name="norm_mlp")(x))


class Perceptron(nn.Module):
    """Two dense layers on every pixel, exact GELU between, ``ratio`` times as wide inside."""

    ratio: int = 2
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels = x.shape[-1]
        dense = partial(nn.Dense, dtype=self.dtype, kernel_init=INIT)
        inner = nn.gelu(dense(self.ratio * channels, name="expand")(x), approximate=False)
        return dense(channels, name="reduce")(inner)
