"""DnCNN: plain convolutions that tell the noise from the image.

Source: Zhang et al., "Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image
Denoising" (2017). Its batch norms are constants once it is trained, and part of the convolutions.
"""

import flax.linen as nn
from jaxtyping import Array

from jaxsr.networks.drunet import ToldExtract
from jaxsr.networks.layers import Conv, Dtype
from jaxsr.networks.upscaler import Extract, PixelShuffleDirect, Upscaler, check_restores


def dncnn(
    scale: int = 1,
    *,
    features: int = 64,
    depth: int = 17,
    residual: bool = True,
    noise: float | None = None,
    channels: int = 1,
    dtype: Dtype = None,
) -> Upscaler:
    """Build DnCNN for gray images, 556K parameters; the blind one, also for colours, has depth 20.

    Args:
      depth: number of convolutions.
      residual: whether what it finds is added to the image; if not, it is the image.
      noise: its standard deviation in steps of 1/255, for networks that are told it (FDnCNN).

    Raises:
      UserError: the scale is not 1.
    """
    check_restores("dncnn", scale)
    extract = Extract(features, dtype=dtype)
    if noise is not None:
        extract = ToldExtract(features, noise, dtype=dtype)
    skip = "nearest" if residual else None
    return Upscaler(
        extract=extract,
        enhance=PlainBody(features, depth - 2, dtype),
        fuse=PixelShuffleDirect(1, channels, skip=skip, variance=0.1, dtype=dtype),
        scale=1,
        channels=channels,
        receptive_field=depth,
    )


class PlainBody(nn.Module):
    """Convolutions, a ReLU before and behind each."""

    features: int
    depth: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, f0: Array) -> Array:
        f = nn.relu(f0)
        for i in range(self.depth):
            f = nn.relu(Conv(self.features, dtype=self.dtype, name=f"conv_{i}")(f))
        return f
