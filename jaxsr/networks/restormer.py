"""Restormer: a U-Net in which channels attend to channels, so that whole images can.

Source: Zamir et al., "Restormer: Efficient Transformer for High-Resolution Image Restoration"
(2022).
"""

from collections.abc import Sequence
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsr.attention.transposed import TransposedAttention
from jaxsr.networks.blocks import GatedFeedForward
from jaxsr.networks.layers import Conv, Dtype, pixel_shuffle, pixel_unshuffle
from jaxsr.networks.swinir import LayerNorm
from jaxsr.networks.upscaler import Extract, PixelShuffleDirect, Upscaler, check_restores

EPSILON = 1e-5  # of the uncentred norms


def restormer(
    scale: int = 1,
    *,
    features: int = 48,
    encoder: Sequence[int] = (4, 6, 6),
    middle: int = 8,
    decoder: Sequence[int] = (6, 6, 4),
    refinement: int = 4,
    heads: int = 1,
    ratio: float = 2.66,
    centred: bool = True,
    channels: int = 3,
    dtype: Dtype = None,
) -> Upscaler:
    """Build Restormer, 26.1M parameters.

    Channels are compared over the whole image, so tiles differ a little from it.

    Args:
      encoder: numbers of blocks before each halving.
      middle: number of blocks at the smallest size.
      decoder: numbers of blocks after each doubling, the first the smallest.
      refinement: number of blocks behind the last of them, with twice ``features``.
      heads: of the attention at full size; twice as many at half of it, and so on.
      ratio: channels within a block's perceptron, relative to those around it.
      centred: norms take the mean off and add a bias; not so in the networks for noise.

    Raises:
      UserError: the scale is not 1.
    """
    check_restores("restormer", scale)
    levels = tuple(encoder), middle, tuple(decoder), refinement
    block = partial(RestormerBlock, ratio=ratio, centred=centred, dtype=dtype)
    return Upscaler(
        extract=Extract(features, use_bias=False, dtype=dtype),
        enhance=RestormerBody(block, *levels, heads, dtype),
        fuse=PixelShuffleDirect(1, channels, skip="nearest", use_bias=False, dtype=dtype),
        scale=1,
        channels=channels,
        multiple=2 ** len(encoder),
    )


class RestormerBody(nn.Module):
    """Levels within levels, each of half the size and twice the channels, joined to the way back.

    The last one keeps the channels of both ways (fig. 2).
    """

    block: partial
    encoder: tuple[int, ...]
    middle: int
    decoder: tuple[int, ...]
    refinement: int
    heads: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, f0: Array) -> Array:
        return self._blocks(self._level(f0, 0), self.refinement, 0, "refine")

    def _level(self, f: Array, level: int) -> Array:
        if level == len(self.encoder):
            return self._blocks(f, self.middle, level, "middle")
        features, conv = f.shape[-1], partial(Conv, use_bias=False, dtype=self.dtype)
        before = self._blocks(f, self.encoder[level], level, f"encode_{level}")
        smaller = pixel_unshuffle(conv(features // 2, name=f"down_{level}")(before), 2)
        smaller = self._level(smaller, level + 1)
        back = len(self.encoder) - 1 - level  # decoders count from the smallest
        behind = pixel_shuffle(conv(4 * features, name=f"up_{back}")(smaller), 2)
        f = jnp.concatenate([behind, before], axis=-1)
        if level:
            f = conv(features, 1, name=f"reduce_{back}")(f)
        return self._blocks(f, self.decoder[back], level, f"decode_{back}")

    def _blocks(self, f: Array, count: int, level: int, name: str) -> Array:
        for i in range(count):
            f = self.block(self.heads * 2**level, name=f"{name}_{i}")(f)
        return f


class RestormerBlock(nn.Module):
    """Attention of channels to channels, then a gated perceptron; each behind a norm, with a skip.

    Attributes:
      ratio, centred: see :func:`restormer`.
    """

    heads: int
    ratio: float
    centred: bool
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        attention = TransposedAttention(self.heads, dtype=self.dtype, name="attention")
        x = x + attention(self._norm("norm_attention")(x).astype(x.dtype))
        hidden = int(self.ratio * x.shape[-1])
        mlp = GatedFeedForward(hidden, dtype=self.dtype, name="mlp")
        return x + mlp(self._norm("norm_mlp")(x).astype(x.dtype))

    def _norm(self, name: str) -> nn.Module:
        if self.centred:
            return LayerNorm(name=name)
        return UncentredNorm(name=name)


class UncentredNorm(nn.Module):
    """``γ x / √(σ²(x) + ε)``, in float32: nothing is taken off or added.

    What is brighter stays so. Source: Mohan et al., "Robust and Interpretable Blind Image Denoising
    via Bias-Free Convolutional Neural Networks" (2020).
    """

    @nn.compact
    def __call__(self, x: Float[Array, "*b c"]) -> Float[Array, "*b c"]:
        scale = self.param("scale", nn.initializers.ones, x.shape[-1:], jnp.float32)
        x = x.astype(jnp.float32)
        variance = jnp.var(x, axis=-1, keepdims=True)
        factor = jnp.broadcast_to(jax.lax.rsqrt(variance + EPSILON), x.shape)
        return x * factor * jnp.broadcast_to(scale, x.shape)
