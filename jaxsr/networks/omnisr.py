"""OmniSR: attention over places and over channels, in windows and on grids, in turns.

Source: Wang et al., "Omni Aggregation Networks for Lightweight Image Super-Resolution" (2023).
"""

from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from jaxsr.attention.channel import ChannelAttention
from jaxsr.attention.depthwise import DepthwiseConv
from jaxsr.attention.spatial import EnhancedSpatialAttention
from jaxsr.attention.transposed import TransposedAttention
from jaxsr.attention.window import WindowAttention
from jaxsr.networks.blocks import GatedFeedForward
from jaxsr.networks.layers import Conv, Dtype, gelu
from jaxsr.networks.upscaler import Extract, PixelShuffleDirect, Upscaler


def omnisr(
    scale: int = 4,
    *,
    features: int = 64,
    groups: int = 5,
    blocks: int = 1,
    heads: int = 4,
    window: int = 8,
    channels: int = 3,
    dtype: Dtype = None,
) -> Upscaler:
    """Build OmniSR, 805K parameters at ×4 (785K at ×2): 5 groups of one block.

    That is what the official code has; the paper states 792K (772K). It takes images of more
    than 8 pixels a side. Its grids lie over the whole image, so tiles differ a little from it.
    """
    return Upscaler(
        extract=Extract(features, dtype=dtype),
        enhance=OmniBody(groups, partial(OmniGroup, blocks, heads, window, dtype), dtype),
        fuse=PixelShuffleDirect(scale, channels, dtype=dtype),
        scale=scale,
        channels=channels,
        multiple=window,
        padding="zeros",
    )


class OmniBody(nn.Module):
    """The groups, one convolution, and the skip around all of it."""

    groups: int
    group: partial
    dtype: Dtype = None

    @nn.compact
    def __call__(self, f0: Array) -> Array:
        f = f0
        for i in range(self.groups):
            f = self.group(name=f"group_{i}")(f)
        return f0 + Conv(f0.shape[-1], dtype=self.dtype, name="conv")(f)


class OmniGroup(nn.Module):
    """The blocks and a 1×1 convolution beside a skip, then enhanced spatial attention (fig. 4)."""

    blocks: int
    heads: int
    window: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        features, f = x.shape[-1], x
        for i in range(self.blocks):
            f = OmniBlock(self.heads, self.window, self.dtype, name=f"block_{i}")(f)
        f = x + Conv(features, 1, dtype=self.dtype, name="mix")(f)
        inner = max(features // 4, 16)
        return EnhancedSpatialAttention(inner, dtype=self.dtype, name="attention")(f)


class OmniBlock(nn.Module):
    """A local convolution, then omni attention twice: "meso" in windows, "global" on grids.

    Each time places attend to places, and channels to channels (fig. 3).
    """

    heads: int
    window: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = InvertedBottleneck(dtype=self.dtype, name="local")(x)
        for name, grid in (("meso", False), ("global", True)):
            options = {"window": self.window, "grid": grid, "use_bias": False, "dtype": self.dtype}
            places = WindowAttention(self.heads, name=f"{name}_places", **options)
            x = x + places(self._norm(f"{name}_places", x, 1e-5))
            x = self._fed_forward(f"{name}_places", x)
            channels = TransposedAttention(self.heads, name=f"{name}_channels", **options)
            x = x + channels(self._norm(f"{name}_channels", x))
            x = self._fed_forward(f"{name}_channels", x)
        return x

    def _fed_forward(self, name: str, x: Array) -> Array:
        forward = GatedFeedForward(x.shape[-1], dtype=self.dtype, name=f"{name}_forward")
        return x + forward(self._norm(f"{name}_forward", x))

    def _norm(self, name: str, x: Array, epsilon: float = 1e-6) -> Array:
        norm = nn.LayerNorm(epsilon=epsilon, dtype=jnp.float32, name=f"{name}_norm")
        return norm(x).astype(x.dtype)


class InvertedBottleneck(nn.Module):
    """A 1×1, a 3×3 depthwise and a 1×1 convolution, channels weighed before the last; a skip."""

    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels = x.shape[-1]
        f = gelu(Conv(channels, 1, dtype=self.dtype, name="expand")(x))
        f = gelu(DepthwiseConv(3, dtype=self.dtype, name="depthwise")(f))
        attention = ChannelAttention(
            4, use_bias=False, activation=nn.silu, dtype=self.dtype, name="attention"
        )
        return x + Conv(channels, 1, dtype=self.dtype, name="reduce")(attention(f))
