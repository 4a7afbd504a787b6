"""NAFNet: a U-Net without activation functions; products of channels are all that is not linear.

Source: Chen et al., "Simple Baselines for Image Restoration" (2022).
"""

from collections.abc import Sequence
from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from jaxsr.attention.channel import SimplifiedChannelAttention
from jaxsr.attention.depthwise import DepthwiseConv
from jaxsr.networks.layers import Conv, Dtype
from jaxsr.networks.unet import UNetBody
from jaxsr.networks.upscaler import Extract, PixelShuffleDirect, Upscaler, check_restores


def nafnet(
    scale: int = 1,
    *,
    features: int = 64,
    encoder: Sequence[int] = (1, 1, 1, 28),
    middle: int = 1,
    decoder: Sequence[int] = (1, 1, 1, 1),
    channels: int = 3,
    dtype: Dtype = None,
) -> Upscaler:
    """Build NAFNet-64 for blurred photographs, 67.9M parameters.

    For noise the paper has ``encoder=(2, 2, 4, 8), middle=12, decoder=(2, 2, 2, 2)``, 116M.
    Channels are weighed by their mean over the image, so tiles differ a little from the whole.

    Args:
      encoder, middle, decoder: numbers of blocks, see :class:`~jaxsr.networks.unet.UNetBody`.

    Raises:
      UserError: the scale is not 1.
    """
    check_restores("nafnet", scale)
    levels = tuple(encoder), middle, tuple(decoder)
    block = partial(NAFBlock, dtype)
    return Upscaler(
        extract=Extract(features, dtype=dtype),
        enhance=UNetBody(block, *levels, around=False, use_bias=True, dtype=dtype),
        fuse=PixelShuffleDirect(1, channels, skip="nearest", dtype=dtype),
        scale=1,
        channels=channels,
        multiple=2 ** len(encoder),
        padding="zeros",
    )


class NAFBlock(nn.Module):
    """Depthwise convolution and channel attention, then a perceptron, both by products (fig. 3d).

    Both are scaled by a learned number for each channel before they are added.
    """

    dtype: Dtype
    features: int
    index: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        conv = partial(Conv, kernel=1, dtype=self.dtype)
        f = conv(2 * self.features, name="expand_0")(self._norm(0)(x).astype(x.dtype))
        f = simple_gate(DepthwiseConv(3, dtype=self.dtype, name="depthwise")(f))
        f = SimplifiedChannelAttention(dtype=self.dtype, name="attention")(f)
        x = x + self._scaled(0, conv(self.features, name="reduce_0")(f))
        f = conv(2 * self.features, name="expand_1")(self._norm(1)(x).astype(x.dtype))
        f = conv(self.features, name="reduce_1")(simple_gate(f))
        return x + self._scaled(1, f)

    def _norm(self, i: int) -> nn.Module:
        return nn.LayerNorm(epsilon=1e-6, dtype=jnp.float32, name=f"norm_{i}")

    def _scaled(self, i: int, f: Array) -> Array:
        scale = self.param(f"scale_{i}", nn.initializers.zeros, (self.features,), jnp.float32)
        return f * jnp.broadcast_to(scale.astype(f.dtype), f.shape)


def simple_gate(x: Array) -> Array:
    """Multiply one half of the channels by the other (eq. 4)."""
    a, b = jnp.split(x, 2, axis=-1)
    return a * b
