"""RRDB, the network of ESRGAN, Real-ESRGAN, BSRGAN and ESRGAN+: densely joined convolutions.

Sources: Wang et al., "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks" (2018);
Wang et al., "Real-ESRGAN" (2021), for the pixel unshuffle; Rakotonirina and Rasoanaivo, "ESRGAN+:
Further Improving ESRGAN" (2020).
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from jaxsr.networks.layers import Conv, Dtype, fan_in
from jaxsr.networks.upscaler import Extract, NearestStages, Upscaler

RESIDUAL_SCALE = 0.2  # β of both papers: of each dense block, and of the three together
SLOPE = 0.2  # of leaky ReLUs
DENSE_BLOCKS, CONVOLUTIONS = 3, 5  # in a block; in a dense block


def rrdb(
    scale: int = 4,
    *,
    channels: int = 3,
    features: int = 64,
    blocks: int = 23,
    growth: int = 32,
    plus: bool = False,
    unshuffle: int = 1,
    dtype: Dtype = None,
) -> Upscaler:
    """Build ESRGAN's network, 16.7M parameters: 23 blocks of three dense blocks each.

    Args:
      channels: of images.
      growth: channels that a convolution within a dense block adds.
      plus: have ESRGAN+'s two additional skips in each dense block.
      unshuffle: squares of so many pixels a side go in as channels, so that ×4's network works at
        a half or a quarter of the image's size: 2 with ``scale=2``, 4 with ``scale=1`` are
        Real-ESRGAN's.
    """
    return Upscaler(
        extract=Extract(features, dtype=dtype),
        enhance=RrdbBody(features, blocks, growth, plus, dtype),
        fuse=NearestStages(scale * unshuffle, channels, dtype=dtype),
        scale=scale,
        channels=channels,
        multiple=unshuffle,
        unshuffle=unshuffle,
        # the head sees two pixels of its input, whatever its scale
        receptive_field=unshuffle * (1 + blocks * DENSE_BLOCKS * CONVOLUTIONS + 1 + 2),
    )


class RrdbBody(nn.Module):
    """The blocks, one convolution, and the skip around all of it."""

    features: int
    blocks: int
    growth: int
    plus: bool = False
    dtype: Dtype = None

    @nn.compact
    def __call__(self, f0: Array) -> Array:
        f = f0
        for i in range(self.blocks):
            f = ResidualInResidual(self.growth, self.plus, self.dtype, name=f"block_{i}")(f)
        return f0 + Conv(self.features, dtype=self.dtype, name="conv")(f)


class ResidualInResidual(nn.Module):
    """Three dense blocks: ``x + β · dense(dense(dense(x)))`` (ESRGAN, fig. 4)."""

    growth: int
    plus: bool = False
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        f = x
        for i in range(DENSE_BLOCKS):
            f = DenseBlock(self.growth, self.plus, self.dtype, name=f"dense_{i}")(f)
        return x + RESIDUAL_SCALE * f


class DenseBlock(nn.Module):
    """Five convolutions; each sees the input and what all before it gave: ``x + β · f₅``.

    Attributes:
      growth: channels that each but the last gives.
      plus: add a 1×1 convolution of the input to the second's output, and that to the fourth's
        (ESRGAN+, fig. 2).
    """

    growth: int
    plus: bool = False
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        def conv(i, features):
            seen = jnp.concatenate(known, axis=-1)
            # a tenth of He's deviation, with which ESRGAN begins (sec. 3.1)
            return Conv(features, kernel_init=fan_in(0.02), dtype=self.dtype, name=f"conv_{i}")(
                seen
            )

        known = [x]
        for i in range(CONVOLUTIONS - 1):
            f = nn.leaky_relu(conv(i, self.growth), SLOPE)
            if self.plus and i == 1:
                f = f + Conv(self.growth, 1, use_bias=False, dtype=self.dtype, name="skip")(x)
            if self.plus and i == 3:
                f = f + known[2]
            known.append(f)
        return x + RESIDUAL_SCALE * conv(CONVOLUTIONS - 1, x.shape[-1])
