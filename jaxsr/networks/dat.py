"""DAT: attention in rectangles and attention between channels take turns, each beside convolution.

Source: Chen et al., "Dual Aggregation Transformer for Image Super-Resolution" (2023).
"""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from jaxsr.attention.depthwise import DepthwiseConv
from jaxsr.attention.interaction import AdaptiveInteraction
from jaxsr.attention.rectangle import rectangle_attention, rectangle_tables, shifts
from jaxsr.attention.transposed import transposed_attention
from jaxsr.attention.window import INIT, Shift, Window
from jaxsr.networks.layers import Dtype, gelu
from jaxsr.networks.swinir import LayerNorm, SwinBody, before_skip, head_of, mean_of
from jaxsr.networks.upscaler import Extract, Upscaler


def dat(
    scale: int = 4,
    *,
    features: int = 180,
    groups: int = 6,
    depth: int = 6,
    heads: int = 6,
    window: Window = (8, 32),
    ratio: float = 4.0,
    head: str = "stages",
    head_features: int = 64,
    residual: str = "1conv",
    channels: int = 3,
    value_range: float = 1.0,
    dtype: Dtype = None,
) -> Upscaler:
    """Build DAT, 14.8M parameters: 6 groups of 6 layers, every second one attending to channels.

    The published network normalises its depthwise convolutions and interactions by batch; here
    these norms are part of the layers before them, 15K parameters less.

    Args:
      depth: layers in a group.
      window: height and width of its rectangles; half of the channels have them turned.
      ratio: the perceptrons' inner width, relative to ``features``.
      head: "stages" or "direct", as in :func:`jaxsr.networks.swinir.swinir`; as are the rest.
    """
    layer = partial(DualLayer, heads, window, ratio, dtype)
    group = partial(DualGroup, depth, layer, dtype, residual)
    return Upscaler(
        extract=Extract(features, dtype=dtype),
        enhance=SwinBody(groups, group, dtype, residual, numbered=True),
        fuse=head_of(head, scale, channels, head_features, dtype),
        scale=scale,
        channels=channels,
        mean=mean_of(channels),
        value_range=value_range,
    )


# The published variants: DAT-S and DAT-2, 11.2M parameters, and DAT-light, 573K with its norms.
dat_s = partial(dat, window=(8, 16), ratio=2.0)
dat_2 = partial(dat, ratio=2.0)
dat_light = partial(
    dat, features=60, groups=1, depth=18, ratio=2.0, head="direct", residual="3conv"
)


class DualGroup(nn.Module):
    """Layers that attend to places and to channels in turn; a convolution, a skip (RG).

    Attributes:
      layer: makes one, given the numbers of its group and its own, and its name.
      index: the group's number, from 0.
    """

    depth: int
    layer: Callable[..., nn.Module]
    dtype: Dtype = None
    residual: str = "1conv"
    index: int = 0

    @nn.compact
    def __call__(self, x: Array) -> Array:
        f = x
        for i in range(self.depth):
            f = self.layer(group=self.index, index=i, name=f"layer_{i}")(f)
        return before_skip(self.residual, x.shape[-1], self.dtype, name="conv")(f) + x


class DualLayer(nn.Module):
    """Attention, then a gated perceptron; each after a norm and beside a skip (DATB, eq. 10)."""

    heads: int
    window: Window
    ratio: float
    dtype: Dtype = None
    group: int = 0
    index: int = 0

    @nn.compact
    def __call__(self, x: Array) -> Array:
        if self.index % 2:
            attention = AdaptiveChannelAttention(self.heads, self.dtype, name="attention")
        else:
            shift = shifts(self.window, self.group, self.index)
            attention = AdaptiveSpatialAttention(
                self.heads, self.window, shift, self.dtype, name="attention"
            )
        x = x + attention(LayerNorm(name="norm_attention")(x))
        mlp = GatedPerceptron(self.ratio, self.dtype, name="mlp")
        return x + mlp(LayerNorm(name="norm_mlp")(x))


class AdaptiveSpatialAttention(nn.Module):
    """Attention in rectangles and a depthwise convolution that weigh each other (AS-SA, eq. 6)."""

    heads: int
    window: Window
    shift: Shift = 0
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels = x.shape[-1]
        qkv = nn.Dense(3 * channels, dtype=self.dtype, kernel_init=INIT, name="qkv")(x)
        tables = rectangle_tables(channels, self.heads, self.window)
        attended = rectangle_attention(qkv, tables, self.window, self.shift)
        local = local_values(qkv[..., 2 * channels :], self.dtype)
        y = AdaptiveInteraction(self.dtype, name="interaction")(attended, local)
        return nn.Dense(channels, dtype=self.dtype, kernel_init=INIT, name="proj")(y)


class AdaptiveChannelAttention(nn.Module):
    """Attention to channels and a depthwise convolution that weigh each other (AC-SA, eq. 7)."""

    heads: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        batch, height, width, channels = x.shape
        qkv = nn.Dense(3 * channels, dtype=self.dtype, kernel_init=INIT, name="qkv")(x)
        split = (batch, height * width, self.heads, channels // self.heads)
        q, k, v = (part.reshape(split) for part in jnp.split(qkv, 3, axis=-1))
        temperature = self.param("temperature", nn.initializers.ones, (self.heads,), jnp.float32)
        attended = transposed_attention(q, k, v, temperature).reshape(x.shape)
        local = local_values(qkv[..., 2 * channels :], self.dtype)
        y = AdaptiveInteraction(self.dtype, name="interaction")(local, attended)
        return nn.Dense(channels, dtype=self.dtype, kernel_init=INIT, name="proj")(y)


def local_values(v: Array, dtype: Dtype) -> Array:
    """Convolve the values that attention sums; within a module's compact method."""
    return gelu(DepthwiseConv(3, dtype=dtype, name="conv")(v))


class GatedPerceptron(nn.Module):
    """A perceptron, half of whose inner channels, convolved, weigh the other half (SGFN, eq. 9).

    Attributes:
      ratio: its inner width relative to the features'.
    """

    ratio: float = 2.0
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels = x.shape[-1]
        dense = partial(nn.Dense, dtype=self.dtype, kernel_init=INIT)
        inner = dense(round(self.ratio * channels), name="expand")(x)
        passing, gate = jnp.split(gelu(inner), 2, axis=-1)
        gate = DepthwiseConv(3, dtype=self.dtype, name="conv")(LayerNorm(name="norm")(gate))
        return dense(channels, name="reduce")(passing * gate)
