"""SCUNet: a U-Net of blocks that are half convolution, half attention in shifted windows.

Source: Zhang et al., "Practical Blind Image Denoising via Swin-Conv-UNet and Data Synthesis"
(2023).
"""

from collections.abc import Sequence
from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from jaxsr.errors import UserError
from jaxsr.networks.edsr import EdsrBlock
from jaxsr.networks.layers import Conv, Dtype
from jaxsr.networks.swinir import SwinLayer
from jaxsr.networks.unet import UNetBody
from jaxsr.networks.upscaler import Extract, PixelShuffleDirect, Upscaler, check_restores


def scunet(
    scale: int = 1,
    *,
    features: int = 64,
    encoder: Sequence[int] = (4, 4, 4),
    middle: int = 4,
    decoder: Sequence[int] = (4, 4, 4),
    head_features: int = 32,
    window: int = 8,
    channels: int = 3,
    dtype: Dtype = None,
) -> Upscaler:
    """Build SCUNet, 17.9M parameters: it removes noise, also of unknown kinds.

    Args:
      encoder, middle, decoder: numbers of blocks, see :class:`~jaxsr.networks.unet.UNetBody`.
      head_features: channels of each head of the attention.

    Raises:
      UserError: the scale is not 1.
    """
    check_restores("scunet", scale)
    block = partial(SwinConvBlock, head_features, window, dtype)
    levels = tuple(encoder), middle, tuple(decoder)
    return Upscaler(
        extract=Extract(features, use_bias=False, dtype=dtype),
        enhance=UNetBody(block, *levels, dtype=dtype),
        fuse=PixelShuffleDirect(1, channels, use_bias=False, dtype=dtype),
        scale=1,
        channels=channels,
        multiple=window * 2 ** len(encoder),
    )


class SwinConvBlock(nn.Module):
    """Half of the channels convolved, half under attention, between 1×1 convolutions; a skip.

    Attributes:
      index: windows are shifted in every second block.

    Raises:
      UserError: half of the channels are not so many for each of one or more heads.
    """

    head_features: int
    window: int
    dtype: Dtype
    features: int
    index: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        half = self.features // 2
        if not half or half % self.head_features:
            raise UserError(
                f"heads of {self.head_features} channels do not divide half of {self.features}"
            )
        split = Conv(self.features, 1, dtype=self.dtype, name="split")(x)
        local = EdsrBlock(half, 1.0, self.dtype, use_bias=False, name="conv")
        shift = self.window // 2 if self.index % 2 else 0
        swin = SwinLayer(
            half // self.head_features, self.window, shift, self.dtype, ratio=4.0, name="swin"
        )
        f = jnp.concatenate([local(split[..., :half]), swin(split[..., half:])], axis=-1)
        return x + Conv(self.features, 1, dtype=self.dtype, name="join")(f)
