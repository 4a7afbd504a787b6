"""RCAN: residual blocks that weigh their channels, in groups, with a skip around each level.

Source: Zhang et al., "Image Super-Resolution Using Very Deep Residual Channel Attention Networks"
(2018).
"""

import flax.linen as nn
from jaxtyping import Array

from jaxsr.attention.channel import ChannelAttention
from jaxsr.networks.layers import Conv, Dtype
from jaxsr.networks.upscaler import DIV2K_MEAN, Extract, PixelShuffleStages, Upscaler


def rcan(
    scale: int = 4,
    *,
    features: int = 64,
    groups: int = 10,
    blocks: int = 20,
    reduction: int = 16,
    dtype: Dtype = None,
) -> Upscaler:
    """Build RCAN, 15.6M parameters: 10 groups of 20 blocks, 64 channels."""
    return Upscaler(
        extract=Extract(features, dtype=dtype),
        enhance=RCANBody(features, groups, blocks, reduction, dtype),
        fuse=PixelShuffleStages(scale, dtype=dtype),
        scale=scale,
        mean=DIV2K_MEAN,
        value_range=255.0,
    )


class RCANBody(nn.Module):
    """Residual in residual: the groups, one convolution, and the long skip (eq. 4)."""

    features: int
    groups: int
    blocks: int
    reduction: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, f0: Array) -> Array:
        f = f0
        for i in range(self.groups):
            group = ResidualGroup(
                self.features, self.blocks, self.reduction, self.dtype, name=f"group_{i}"
            )
            f = group(f)
        return f0 + Conv(self.features, dtype=self.dtype, name="conv")(f)


class ResidualGroup(nn.Module):
    """The blocks, one convolution, and the short skip (eq. 5)."""

    features: int
    blocks: int
    reduction: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        f = x
        for i in range(self.blocks):
            block = ChannelAttentionBlock(
                self.features, self.reduction, self.dtype, name=f"block_{i}"
            )
            f = block(f)
        return x + Conv(self.features, dtype=self.dtype, name="conv")(f)


class ChannelAttentionBlock(nn.Module):
    """``x + attention(conv(relu(conv(x))))`` (RCAB, eq. 11-12)."""

    features: int
    reduction: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        f = nn.relu(Conv(self.features, dtype=self.dtype, name="conv_0")(x))
        f = Conv(self.features, dtype=self.dtype, name="conv_1")(f)
        return x + ChannelAttention(self.reduction, dtype=self.dtype, name="attention")(f)
