"""EDSR: residual blocks of two convolutions, without normalisation or attention.

Source: Lim et al., "Enhanced Deep Residual Networks for Single Image Super-Resolution" (2017).
"""

import flax.linen as nn
from jaxtyping import Array

from jaxsr.networks.layers import Conv, Dtype
from jaxsr.networks.upscaler import DIV2K_MEAN, Extract, PixelShuffleStages, Upscaler


def edsr(
    scale: int = 4,
    *,
    features: int = 256,
    blocks: int = 32,
    residual_scale: float = 0.1,
    dtype: Dtype = None,
) -> Upscaler:
    """Build EDSR, 43M parameters: 32 blocks of 256 channels, residuals damped to train stably."""
    return Upscaler(
        extract=Extract(features, dtype=dtype),
        enhance=EDSRBody(features, blocks, residual_scale, dtype),
        fuse=PixelShuffleStages(scale, dtype=dtype),
        scale=scale,
        mean=DIV2K_MEAN,
        value_range=255.0,
        receptive_field=1 + 2 * blocks + 1 + 2,
    )


def edsr_baseline(
    scale: int = 4, *, features: int = 64, blocks: int = 16, dtype: Dtype = None
) -> Upscaler:
    """Build the small EDSR that papers compare with, 1.5M parameters at ×4: 16 blocks of 64."""
    return edsr(scale, features=features, blocks=blocks, residual_scale=1.0, dtype=dtype)


class EDSRBody(nn.Module):
    """The blocks, one convolution, and the skip around all of it."""

    features: int
    blocks: int
    residual_scale: float
    dtype: Dtype = None

    @nn.compact
    def __call__(self, f0: Array) -> Array:
        f = f0
        for i in range(self.blocks):
            f = EdsrBlock(self.features, self.residual_scale, self.dtype, name=f"block_{i}")(f)
        return f0 + Conv(self.features, dtype=self.dtype, name="conv")(f)


class EdsrBlock(nn.Module):
    """``x + scale · conv(relu(conv(x)))`` (fig. 2c)."""

    features: int
    scale: float
    dtype: Dtype = None
    use_bias: bool = True

    @nn.compact
    def __call__(self, x: Array) -> Array:
        options = {"use_bias": self.use_bias, "dtype": self.dtype}
        f = nn.relu(Conv(self.features, name="conv_0", **options)(x))
        return x + self.scale * Conv(self.features, name="conv_1", **options)(f)
