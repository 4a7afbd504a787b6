"""IMDN: each convolution keeps a quarter of its channels, and the next one sees the others.

Source: Hui et al., "Lightweight Image Super-Resolution with Information Multi-distillation Network"
(2019).
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from jaxsr.attention.channel import ChannelAttention
from jaxsr.networks.layers import Conv, Dtype
from jaxsr.networks.upscaler import Extract, PixelShuffleDirect, Upscaler

SLOPE = 0.05  # of the leaky ReLUs


def imdn(
    scale: int = 4,
    *,
    features: int = 64,
    blocks: int = 6,
    reduction: int = 16,
    channels: int = 3,
    dtype: Dtype = None,
) -> Upscaler:
    """Build IMDN, 715K parameters at ×4 (694K at ×2).

    Channels are weighed by their statistics over the image, so tiles differ a little from the
    whole.

    Args:
      features: a multiple of 4.
      reduction: of the channel attention.
    """
    return Upscaler(
        extract=Extract(features, dtype=dtype),
        enhance=IMDNBody(features, blocks, reduction, dtype),
        fuse=PixelShuffleDirect(scale, channels, dtype=dtype),
        scale=scale,
        channels=channels,
    )


class IMDNBody(nn.Module):
    """The blocks, a 1×1 convolution over what each of them gives, one of 3×3, and a skip."""

    features: int
    blocks: int
    reduction: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, f0: Array) -> Array:
        outputs, f = [], f0
        for i in range(self.blocks):
            block = DistillationBlock(self.features, self.reduction, self.dtype, name=f"block_{i}")
            f = block(f)
            outputs.append(f)
        join = Conv(self.features, 1, dtype=self.dtype, name="join")
        f = nn.leaky_relu(join(jnp.concatenate(outputs, axis=-1)), SLOPE)
        return f0 + Conv(self.features, dtype=self.dtype, name="conv")(f)


class DistillationBlock(nn.Module):
    """Three splits, a fourth convolution, contrast-aware attention, a skip (IMDB, eqs. 1 to 3)."""

    features: int
    reduction: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kept, rest, quarter = [], x, self.features // 4
        for i in range(3):
            f = nn.leaky_relu(Conv(self.features, dtype=self.dtype, name=f"conv_{i}")(rest), SLOPE)
            kept.append(f[..., :quarter])
            rest = f[..., quarter:]
        kept.append(Conv(quarter, dtype=self.dtype, name="conv_3")(rest))
        attention = ChannelAttention(
            self.reduction, contrast=True, dtype=self.dtype, name="attention"
        )
        f = attention(jnp.concatenate(kept, axis=-1))
        return x + Conv(self.features, 1, dtype=self.dtype, name="mix")(f)
