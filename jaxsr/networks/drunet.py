"""DRUNet: a U-Net of residual blocks that is told how much noise there is.

Source: Zhang et al., "Plug-and-Play Image Restoration with Deep Denoiser Prior" (2021).
"""

from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from jaxsr.networks.edsr import EdsrBlock
from jaxsr.networks.layers import Conv, Dtype
from jaxsr.networks.unet import UNetBody
from jaxsr.networks.upscaler import PixelShuffleDirect, Upscaler, check_restores

LEVELS = 3  # halvings


def drunet(
    scale: int = 1,
    *,
    features: int = 64,
    blocks: int = 4,
    noise: float = 15.0,
    channels: int = 3,
    dtype: Dtype = None,
) -> Upscaler:
    """Build DRUNet, 32.6M parameters; ``channels=1`` for gray images.

    Args:
      blocks: number of residual blocks of every level, on the way down and back.
      noise: standard deviation of the noise that is to be removed, in steps of 1/255: 0 to 50.

    Raises:
      UserError: the scale is not 1.
    """
    check_restores("drunet", scale)
    levels = (blocks,) * LEVELS, blocks, (blocks,) * LEVELS
    # a convolution at half the size sees twice as far; then what lies in one square when halved
    convolutions = 2 * blocks * (2 * (2**LEVELS - 1) + 2**LEVELS)
    return Upscaler(
        extract=ToldExtract(features, noise, use_bias=False, dtype=dtype),
        enhance=UNetBody(partial(_block, dtype), *levels, dtype=dtype),
        fuse=PixelShuffleDirect(1, channels, use_bias=False, dtype=dtype),
        scale=1,
        channels=channels,
        multiple=2**LEVELS,
        receptive_field=1 + convolutions + 1 + 2**LEVELS - 1,
    )


def _block(dtype: Dtype, features: int, index: int, name: str) -> nn.Module:
    return EdsrBlock(features, 1.0, dtype, use_bias=False, name=name)


class ToldExtract(nn.Module):
    """One 3×3 convolution of the image and, as one more channel, how much noise there is.

    Attributes:
      noise: its standard deviation in steps of 1/255.
    """

    features: int
    noise: float
    use_bias: bool = True
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        told = jnp.full_like(x[..., :1], self.noise / 255)
        conv = Conv(self.features, use_bias=self.use_bias, dtype=self.dtype, name="conv")
        return conv(jnp.concatenate([x, told], axis=-1))
