"""SwinIR: residual groups of Swin transformer layers, attention in shifted windows.

Source: Liang et al., "SwinIR: Image Restoration Using Swin Transformer" (2021).
"""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from jaxsr.attention.window import INIT, WindowAttention
from jaxsr.errors import UserError
from jaxsr.networks.layers import Conv, Dtype, gelu
from jaxsr.networks.upscaler import (
    DIV2K_MEAN,
    Extract,
    NearestStages,
    PixelShuffleDirect,
    PixelShuffleStages,
    Upscaler,
)

# epsilon is torch's, as the published weights want; norms compute in float32 whatever `dtype`.
LayerNorm = partial(nn.LayerNorm, epsilon=1e-5, dtype=jnp.float32)
HEADS = ("stages", "direct", "nearest", "image")


def swinir_light(
    scale: int = 4,
    *,
    features: int = 60,
    groups: int = 4,
    depth: int = 6,
    heads: int = 6,
    window: int = 8,
    ratio: float = 2.0,
    residual: str = "1conv",
    channels: int = 3,
    value_range: float = 1.0,
    unshuffle: int = 1,
    dtype: Dtype = None,
) -> Upscaler:
    """Build SwinIR-light, 930K parameters at ×4: 4 groups of 6 layers and one pixel shuffle.

    The paper states 897K (878K at ×2), one 3×3 convolution less than the official code has:
    929,628 (910,152), as here. Its options are those of :func:`swinir`.
    """
    return swinir(
        scale,
        features=features,
        groups=groups,
        depth=depth,
        heads=heads,
        window=window,
        ratio=ratio,
        head="direct",
        residual=residual,
        channels=channels,
        value_range=value_range,
        unshuffle=unshuffle,
        dtype=dtype,
    )


def swinir(
    scale: int = 4,
    *,
    features: int = 180,
    groups: int = 6,
    depth: int = 6,
    heads: int = 6,
    window: int = 8,
    ratio: float = 2.0,
    head: str = "stages",
    head_features: int = 64,
    residual: str = "1conv",
    channels: int = 3,
    value_range: float = 1.0,
    unshuffle: int = 1,
    dtype: Dtype = None,
) -> Upscaler:
    """Build SwinIR for classical super-resolution, 11.9M parameters: 6 groups of 6 layers.

    Args:
      scale: 1 for ``head="image"``.
      ratio: the perceptrons' inner width, relative to ``features``.
      head: "stages" as published for classical super-resolution, "direct" for the light one,
        "nearest" for real photographs, "image" to remove noise or JPEG's artefacts: one convolution
        whose result is added to the image.
      residual: what precedes a skip, see :func:`before_skip` ("3conv" in the large network).
      channels: of the images; colours are centred where there are 3.
      value_range: of the values inside; 255 in the network for JPEG, whose ``window`` is 7.
      unshuffle: the network sees squares of so many pixels a side as one position.

    Raises:
      UserError: there is no such head, or "image" is to enlarge.
    """
    group = partial(SwinGroup, depth, heads, window, dtype, ratio, residual)
    return Upscaler(
        extract=Extract(features, dtype=dtype),
        enhance=SwinBody(groups, group, dtype, residual),
        fuse=head_of(head, scale * unshuffle, channels, head_features, dtype),
        scale=scale,
        channels=channels,
        mean=mean_of(channels),
        value_range=value_range,
        multiple=window * unshuffle,
        unshuffle=unshuffle,
    )


def mean_of(channels: int) -> tuple[float, ...]:
    """Return what SwinIR and its successors subtract from images of so many channels."""
    return DIV2K_MEAN if channels == 3 else (0.0,)


def head_of(head: str, scale: int, channels: int, features: int, dtype: Dtype) -> nn.Module:
    """Build the head of this name.

    Raises:
      UserError: there is none, or it cannot enlarge by ``scale``.
    """
    match head:
        case "stages":
            return PixelShuffleStages(scale, channels, features, dtype=dtype)
        case "nearest":
            return NearestStages(scale, channels, features, dtype=dtype)
        case "direct":
            return PixelShuffleDirect(scale, channels, dtype=dtype)
        case "image" if scale == 1:
            return PixelShuffleDirect(1, channels, skip="nearest", dtype=dtype)
    if head in HEADS:
        raise UserError(f"head {head!r} adds to the image as it is; it needs scale=1, not {scale}")
    raise UserError(f"unknown head {head!r}; there are: {', '.join(HEADS)}")


class SwinBody(nn.Module):
    """Groups of layers between two norms, a convolution, and the skip around all of it.

    Attributes:
      groups: how many there are.
      group: makes one, given its name (HAT has groups of its own).
      residual: see :func:`before_skip`.
      numbered: give each group its number, from 0, as ``index``.
    """

    groups: int
    group: Callable[..., nn.Module]
    dtype: Dtype = None
    residual: str = "1conv"
    numbered: bool = False

    @nn.compact
    def __call__(self, f0: Array) -> Array:
        f = LayerNorm(name="norm_in")(f0).astype(f0.dtype)
        for i in range(self.groups):
            number = {"index": i} if self.numbered else {}
            f = self.group(**number, name=f"group_{i}")(f)
        f = LayerNorm(name="norm_out")(f)
        return before_skip(self.residual, f0.shape[-1], self.dtype, name="conv")(f) + f0


def before_skip(residual: str, features: int, dtype: Dtype, name: str) -> Callable[[Array], Array]:
    """Build what precedes the skips around groups and body.

    Args:
      residual: "1conv", one 3×3 convolution; "3conv", a :class:`NarrowConv`; "identity", nothing.

    Raises:
      UserError: it is none of these.
    """
    match residual:
        case "1conv":
            return Conv(features, dtype=dtype, name=name)
        case "3conv":
            return NarrowConv(dtype, name=name)
        case "identity":
            return lambda f: f
    raise UserError(f"unknown residual {residual!r}; there are: 1conv, 3conv, identity")


class NarrowConv(nn.Module):
    """3×3, 1×1 and 3×3 convolutions through a quarter of the channels (SwinIR-L)."""

    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels = x.shape[-1]
        y = Conv(channels // 4, dtype=self.dtype, name="conv_0")(x)
        y = Conv(channels // 4, 1, dtype=self.dtype, name="conv_1")(nn.leaky_relu(y, 0.2))
        return Conv(channels, dtype=self.dtype, name="conv_2")(nn.leaky_relu(y, 0.2))


class SwinGroup(nn.Module):
    """``depth`` layers, every second one shifted by half a window; a convolution, a skip (RSTB).

    Attributes:
      layer: makes one, as :class:`SwinLayer` (SRFormer has layers of its own); None: that one.
    """

    depth: int
    heads: int
    window: int
    dtype: Dtype = None
    ratio: float = 2.0
    residual: str = "1conv"
    layer: Callable[..., nn.Module] | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        layer = partial(self.layer or SwinLayer, dtype=self.dtype, ratio=self.ratio)
        f = x
        for i in range(self.depth):
            shift = self.window // 2 if i % 2 else 0
            f = layer(self.heads, self.window, shift, name=f"layer_{i}")(f)
        return before_skip(self.residual, x.shape[-1], self.dtype, name="conv")(f) + x


class SwinLayer(nn.Module):
    """Attention, then a perceptron; each after a norm and beside a skip (eq. 6)."""

    heads: int
    window: int
    shift: int
    dtype: Dtype = None
    ratio: float = 2.0

    @nn.compact
    def __call__(self, x: Array) -> Array:
        attention = WindowAttention(
            self.heads, self.window, self.shift, self.dtype, name="attention"
        )
        x = x + attention(LayerNorm(name="norm_attention")(x))
        mlp = Perceptron(self.ratio, self.dtype, name="mlp")
        return x + mlp(LayerNorm(name="norm_mlp")(x))


class Perceptron(nn.Module):
    """Two dense layers on every pixel, exact GELU between, ``ratio`` times as wide inside."""

    ratio: float = 2.0
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels = x.shape[-1]
        dense = partial(nn.Dense, dtype=self.dtype, kernel_init=INIT)
        inner = gelu(dense(round(self.ratio * channels), name="expand")(x))
        return dense(channels, name="reduce")(inner)
