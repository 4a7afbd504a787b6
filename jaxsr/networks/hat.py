"""HAT: Swin layers beside channel attention, and attention across overlapping windows.

Source: Chen et al., "Activating More Pixels in Image Super-Resolution Transformer" (2023).
"""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
from jaxtyping import Array

from jaxsr.attention.channel import ChannelAttention
from jaxsr.attention.window import OverlappingCrossAttention, WindowAttention
from jaxsr.networks.layers import Conv, Dtype, gelu
from jaxsr.networks.swinir import LayerNorm, Perceptron, SwinBody, before_skip, mean_of
from jaxsr.networks.upscaler import Extract, PixelShuffleStages, Upscaler


def hat(
    scale: int = 4,
    *,
    features: int = 180,
    groups: int = 6,
    depth: int = 6,
    heads: int = 6,
    window: int = 16,
    overlap: float = 0.5,
    compress: int = 3,
    squeeze: int = 30,
    channel_weight: float = 0.01,
    ratio: float = 2.0,
    head_features: int = 64,
    residual: str = "1conv",
    channels: int = 3,
    value_range: float = 1.0,
    dtype: Dtype = None,
) -> Upscaler:
    """Build HAT as published, 20.8M parameters: 6 groups of 6 hybrid and one overlapping layer.

    Its channel attention averages over the whole image, so tiles differ a little from the whole.

    Args:
      compress: the channel branch's inner width is ``features // compress``.
      channel_weight: of the channel branch beside the windows' attention: α of eq. 2.
      ratio, residual, channels, value_range: as in :func:`jaxsr.networks.swinir.swinir`.
    """
    layer = partial(
        HybridLayer,
        heads,
        window,
        compress=compress,
        squeeze=squeeze,
        weight=channel_weight,
        dtype=dtype,
        ratio=ratio,
    )
    crossing = partial(CrossingLayer, heads, window, overlap, dtype, ratio)
    group = partial(HybridGroup, depth, layer, crossing, dtype, residual)
    return Upscaler(
        extract=Extract(features, dtype=dtype),
        enhance=SwinBody(groups, group, dtype, residual),
        fuse=PixelShuffleStages(scale, channels, head_features, dtype=dtype),
        scale=scale,
        channels=channels,
        mean=mean_of(channels),
        value_range=value_range,
        multiple=window,
    )


# The published variants: HAT-S, 9.6M parameters, and HAT-L, 40.8M.
hat_s = partial(hat, features=144, compress=24, squeeze=24)
hat_l = partial(hat, groups=12)


class HybridGroup(nn.Module):
    """Hybrid layers, every second one shifted, a crossing layer and a convolution beside a skip.

    Attributes:
      depth: how many hybrid layers.
      layer: makes one, given whether it is ``shifted`` and its name.
      crossing: makes the crossing layer, given its name.
    """

    depth: int
    layer: Callable[..., nn.Module]
    crossing: Callable[..., nn.Module]
    dtype: Dtype = None
    residual: str = "1conv"

    @nn.compact
    def __call__(self, x: Array) -> Array:
        f = x
        for i in range(self.depth):
            f = self.layer(shifted=bool(i % 2), name=f"layer_{i}")(f)
        f = self.crossing(name="crossing")(f)
        return before_skip(self.residual, x.shape[-1], self.dtype, name="conv")(f) + x


class HybridLayer(nn.Module):
    """A Swin layer with channel attention beside the window attention (HAB, eq. 2)."""

    heads: int
    window: int
    shifted: bool
    compress: int = 3
    squeeze: int = 30
    weight: float = 0.01  # of the channel branch: α of eq. 2
    dtype: Dtype = None
    ratio: float = 2.0

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shift = self.window // 2 if self.shifted else 0
        attention = WindowAttention(self.heads, self.window, shift, self.dtype, name="attention")
        channels = ChannelBlock(self.compress, self.squeeze, self.dtype, name="channels")
        y = LayerNorm(name="norm_attention")(x)
        x = x + attention(y) + self.weight * channels(y)
        mlp = Perceptron(self.ratio, self.dtype, name="mlp")
        return x + mlp(LayerNorm(name="norm_mlp")(x))


class ChannelBlock(nn.Module):
    """Two 3×3 convolutions through few channels, then channel attention (CAB, fig. 4)."""

    compress: int
    squeeze: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels = x.shape[-1]
        y = Conv(channels // self.compress, dtype=self.dtype, name="conv_0")(x)
        y = Conv(channels, dtype=self.dtype, name="conv_1")(gelu(y))
        return ChannelAttention(self.squeeze, dtype=self.dtype, name="attention")(y)


class CrossingLayer(nn.Module):
    """A Swin layer whose windows look beyond their borders (OCAB)."""

    heads: int
    window: int
    overlap: float
    dtype: Dtype = None
    ratio: float = 2.0

    @nn.compact
    def __call__(self, x: Array) -> Array:
        attention = OverlappingCrossAttention(
            self.heads, self.window, self.overlap, self.dtype, name="attention"
        )
        x = x + attention(LayerNorm(name="norm_attention")(x))
        mlp = Perceptron(self.ratio, self.dtype, name="mlp")
        return x + mlp(LayerNorm(name="norm_mlp")(x))
