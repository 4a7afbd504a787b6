"""MoSR: gated convolutions as in MambaOut, a large depthwise kernel on some of the channels.

Source: its community's network, of the blocks of Yu and Wang, "MambaOut: Do We Really Need Mamba
for Vision?" (2025), fig. 1, with 3×3 convolutions in place of dense layers and Mish activations.
"""

from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from jaxsr.attention.depthwise import DepthwiseConv
from jaxsr.attention.sampling import DynamicUpsample
from jaxsr.errors import UserError
from jaxsr.networks.layers import Conv, Dtype, mish, pixel_shuffle
from jaxsr.networks.upscaler import Extract, Upscaler

HALF = 0.5  # taken off at each skip, as a mean of images in [0, 1]


def mosr(
    scale: int = 4,
    *,
    features: int = 64,
    blocks: int = 24,
    hidden: int = 96,
    part: int = 64,
    kernel: int = 7,
    head: str = "shuffle",
    channels: int = 3,
    dtype: Dtype = None,
) -> Upscaler:
    """Build MoSR, 4.3M parameters at ×4: 24 blocks of 64 channels.

    Args:
      hidden: channels that a block's gates multiply.
      part: how many of them the large kernel filters.
      kernel: its side, odd.
      head: "shuffle", or "dysample": pixels that choose where in the features they look.

    Raises:
      UserError: there is no such head, or ``part`` is more than ``hidden``.
    """
    if head not in ("shuffle", "dysample"):
        raise UserError(f"unknown head {head!r}; there are: shuffle, dysample")
    if part > hidden:
        raise UserError(f"a large kernel on {part} channels needs as many; hidden is {hidden}")
    field = 1 + blocks * (2 + kernel // 2) + 2 + 1
    return Upscaler(
        extract=Extract(features, dtype=dtype),
        enhance=MoSRBody(blocks, partial(GatedConvBlock, hidden, part, kernel, dtype), dtype),
        fuse=ShortcutHead(scale, channels, head, dtype),
        scale=scale,
        channels=channels,
        receptive_field=field if head == "shuffle" else None,
    )


class MoSRBody(nn.Module):
    """The blocks, then two convolutions with Mish and one of 1×1."""

    blocks: int
    block: partial
    dtype: Dtype = None

    @nn.compact
    def __call__(self, f0: Array) -> Array:
        f, features = f0, f0.shape[-1]
        for i in range(self.blocks):
            f = self.block(name=f"block_{i}")(f)
        f = mish(Conv(2 * features, dtype=self.dtype, name="conv_0")(f))
        f = mish(Conv(features, dtype=self.dtype, name="conv_1")(f))
        return Conv(features, 1, dtype=self.dtype, name="conv_2")(f)


class GatedConvBlock(nn.Module):
    """``x − ½ + mish(W₂ (mish(g) · [i; D c]))`` with ``g, i, c`` of one convolution ``W₁``."""

    hidden: int
    part: int
    kernel: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        norm = nn.LayerNorm(epsilon=1e-6, dtype=jnp.float32, name="norm")
        f = Conv(2 * self.hidden, dtype=self.dtype, name="expand")(norm(x).astype(x.dtype))
        gates, near, far = jnp.split(f, [self.hidden, 2 * self.hidden - self.part], axis=-1)
        far = DepthwiseConv(self.kernel, dtype=self.dtype, name="large")(far)
        f = mish(gates) * jnp.concatenate([near, far], axis=-1)
        return x - HALF + mish(Conv(x.shape[-1], dtype=self.dtype, name="reduce")(f))


class ShortcutHead(nn.Module):
    """Features of the image itself are added to the body's; then pixels are shuffled, or choose.

    Attributes:
      channels: of the image.
      head: see :func:`mosr`.
    """

    scale: int
    channels: int
    head: str
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array, f: Array) -> Array:
        features = f.shape[-1]
        near = mish(Conv(features, dtype=self.dtype, name="conv_0")(x))
        near = mish(Conv(features, dtype=self.dtype, name="conv_1")(near))
        f = f + near + Conv(features, 1, dtype=self.dtype, name="skip")(x) - HALF
        if self.head == "shuffle":
            outputs = self.channels * self.scale**2
            return pixel_shuffle(Conv(outputs, dtype=self.dtype, name="conv")(f), self.scale)
        f = DynamicUpsample(self.scale, dtype=self.dtype, name="sample")(f)
        return Conv(self.channels, 1, dtype=self.dtype, name="final")(f)
