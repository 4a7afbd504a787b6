"""DRCT: Swin layers joined densely, so that what early ones have found is not lost in late ones.

Source: Hsu et al., "DRCT: Saving Image Super-resolution away from Information Bottleneck" (2024).
"""

from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from jaxsr.networks.layers import Conv, Dtype
from jaxsr.networks.swinir import SwinBody, SwinLayer, mean_of
from jaxsr.networks.upscaler import Extract, PixelShuffleStages, Upscaler

LAYERS = 5  # in a group
NARROW = 3  # from this layer on, the perceptron is no wider inside than its input
RESIDUAL_SCALE = 0.2  # α of eq. 5


def drct(
    scale: int = 4,
    *,
    features: int = 180,
    groups: int = 6,
    heads: int = 6,
    window: int = 16,
    growth: int = 32,
    ratio: float = 2.0,
    head_features: int = 64,
    residual: str = "1conv",
    channels: int = 3,
    value_range: float = 1.0,
    dtype: Dtype = None,
) -> Upscaler:
    """Build DRCT, 14.1M parameters: 6 groups of five densely joined layers.

    Args:
      growth: channels that a layer adds to those of its group.
      ratio: the first perceptrons' inner width, relative to their channels.
      residual, channels, value_range: as in :func:`jaxsr.networks.swinir.swinir`.
    """
    group = partial(DenseGroup, heads, window, growth, ratio, dtype)
    return Upscaler(
        extract=Extract(features, dtype=dtype),
        enhance=SwinBody(groups, group, dtype, residual),
        fuse=PixelShuffleStages(scale, channels, head_features, dtype=dtype),
        scale=scale,
        channels=channels,
        mean=mean_of(channels),
        value_range=value_range,
        multiple=window,
    )


# DRCT-L, 27.6M parameters.
drct_l = partial(drct, groups=12)


class DenseGroup(nn.Module):
    """Swin layers, each of which sees what all before it have found; a skip (RDG, eq. 3-5)."""

    heads: int
    window: int
    growth: int
    ratio: float
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        found = x
        for i in range(LAYERS - 1):
            adjust = Conv(self.growth, 1, dtype=self.dtype, name=f"adjust_{i}")
            new = nn.leaky_relu(adjust(self.layer(i, found)), 0.2)
            found = jnp.concatenate([found, new.astype(found.dtype)], axis=-1)
        last = LAYERS - 1
        adjust = Conv(x.shape[-1], 1, dtype=self.dtype, name=f"adjust_{last}")
        return RESIDUAL_SCALE * adjust(self.layer(last, found)) + x

    @nn.nowrap
    def layer(self, index: int, found: Array) -> Array:
        """Run one layer; every second one is shifted."""
        shift = self.window // 2 if index % 2 else 0
        ratio = self.ratio if index < NARROW else 1.0
        heads = self.heads - found.shape[-1] % self.heads  # a number that may divide the channels
        return SwinLayer(heads, self.window, shift, self.dtype, ratio, name=f"layer_{index}")(found)
