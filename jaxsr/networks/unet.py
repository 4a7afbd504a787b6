"""U-Nets: blocks at full size, at half of it and so on, and the way back; what SCUNet … share.

Source: Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation"
(2015); here skips are added, not concatenated.
"""

from collections.abc import Callable

import flax.linen as nn
from jaxtyping import Array

from jaxsr.networks.layers import Conv, Dtype, pixel_shuffle


class UNetBody(nn.Module):
    """Levels within levels, each of half the size and twice the channels.

    Attributes:
      block: makes a block: ``block(features, index, name=…)``, the index counts within its level.
      encoder: numbers of blocks before each halving.
      middle: number of blocks at the smallest size.
      decoder: numbers of blocks after each doubling, the first the smallest.
      around: skips go from where a level is entered to where it is left (DRUNet, SCUNet); if not,
        from before its halving to behind its doubling (NAFNet).
      use_bias: of the halving convolutions.
    """

    block: Callable[..., nn.Module]
    encoder: tuple[int, ...]
    middle: int
    decoder: tuple[int, ...]
    around: bool = True
    use_bias: bool = False
    dtype: Dtype = None

    @nn.compact
    def __call__(self, f0: Array) -> Array:
        return self._level(f0, 0)

    def _level(self, f: Array, level: int) -> Array:
        if level == len(self.encoder):
            inner = self._blocks(f, self.middle, "middle")
            return f + inner if self.around else inner
        before = self._blocks(f, self.encoder[level], f"encode_{level}")
        smaller = halved(before, 2 * f.shape[-1], self.use_bias, self.dtype, f"down_{level}")
        smaller = self._level(smaller, level + 1)
        back = len(self.encoder) - 1 - level  # decoders count from the smallest
        inner = doubled(smaller, f.shape[-1], False, self.dtype, f"up_{back}")
        inner = inner if self.around else before + inner
        inner = self._blocks(inner, self.decoder[back], f"decode_{back}")
        return f + inner if self.around else inner

    def _blocks(self, f: Array, count: int, name: str) -> Array:
        for i in range(count):
            f = self.block(f.shape[-1], i, name=f"{name}_{i}")(f)
        return f


def halved(x: Array, features: int, use_bias: bool, dtype: Dtype, name: str) -> Array:
    """Convolve by 2×2 with stride 2, within a module's ``__call__``."""
    options = {"strides": 2, "padding": "VALID", "use_bias": use_bias, "dtype": dtype}
    return Conv(features, 2, name=name, **options)(x)


def doubled(x: Array, features: int, use_bias: bool, dtype: Dtype, name: str) -> Array:
    """Convolve by 1×1 and shuffle pixels, within a module's ``__call__``.

    It is also what a transposed convolution of 2×2 with stride 2 does, and quicker on CPUs.
    """
    conv = Conv(4 * features, 1, use_bias=use_bias, dtype=dtype, name=name)
    return pixel_shuffle(conv(x), 2)
