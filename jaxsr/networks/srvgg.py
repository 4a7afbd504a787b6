"""SRVGGNetCompact ("Compact"): plain convolutions in a row, all at the low resolution.

Source: Wang et al., "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic
Data" (2021), the network of whose small models this is; its paper has the larger one alone.
"""

import math
from functools import partial

import flax.linen as nn
from jaxtyping import Array

from jaxsr.errors import UserError
from jaxsr.networks.layers import ChannelPrelu, Conv, Dtype, fan_in, resize_cubic
from jaxsr.networks.upscaler import PixelShuffleDirect, Upscaler

ACTIVATIONS = {"relu": nn.relu, "leaky_relu": partial(nn.leaky_relu, negative_slope=0.1)}


def srvgg_compact(
    scale: int = 4,
    *,
    channels: int = 3,
    features: int = 64,
    convolutions: int = 16,
    activation: str = "prelu",
    shuffle: int | None = None,
    dtype: Dtype = None,
) -> Upscaler:
    """Build SRVGGNetCompact, 621K parameters at ×4: 16 convolutions between the first and the last.

    Args:
      channels: of images.
      convolutions: between the first and the last; Real-ESRGAN's "general" networks have 32.
      activation: prelu, with a slope for each channel; relu; or leaky_relu, of slope 0.1.
      shuffle: the network enlarges so many times, and the result is resized to ``scale`` by cubic
        convolution. So Real-ESRGAN's network for ×4 serves ×2 and ×3. None: ``scale`` times.

    Raises:
      UserError: there is no such activation.
    """
    if activation not in (known := ["prelu", *ACTIVATIONS]):
        raise UserError(f"unknown activation {activation!r}; there are: {', '.join(known)}")
    shuffle = shuffle or scale
    common = math.gcd(shuffle, scale)
    head = PixelShuffleDirect(shuffle, channels, skip="nearest", variance=0.1, dtype=dtype)
    resized = shuffle != scale
    return Upscaler(
        extract=Activated(features, activation, dtype),
        enhance=SrvggBody(features, convolutions, activation, dtype),
        fuse=Resized(head, scale // common, shuffle // common) if resized else head,
        scale=scale,
        channels=channels,
        # cubic convolution sees two pixels of what is shuffled, up to a pixel of the image
        receptive_field=1 + convolutions + 1 + resized,
    )


class SrvggBody(nn.Module):
    """The convolutions; no skip but the head's, of the image."""

    features: int
    convolutions: int
    activation: str
    dtype: Dtype = None

    @nn.compact
    def __call__(self, f0: Array) -> Array:
        f = f0
        for i in range(self.convolutions):
            f = Activated(self.features, self.activation, self.dtype, name=f"layer_{i}")(f)
        return f


class Activated(nn.Module):
    """A 3×3 convolution and its activation."""

    features: int
    activation: str
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        f = Conv(self.features, kernel_init=fan_in(2.0), dtype=self.dtype, name="conv")(x)
        if self.activation == "prelu":
            return ChannelPrelu(name="prelu")(f)
        return ACTIVATIONS[self.activation](f)


class Resized(nn.Module):
    """A head whose result is resized by ``up / down``."""

    head: PixelShuffleDirect
    up: int
    down: int

    def setup(self) -> None:
        """Give the head's parameters the names that they have without resizing."""
        nn.share_scope(self, self.head)

    def __call__(self, x: Array, f: Array) -> Array:
        return resize_cubic(self.head(x, f), self.up, self.down)
