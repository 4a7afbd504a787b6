"""PLKSR and RealPLKSR: a large kernel on a part of the channels, small ones on all.

Sources: Lee et al., "Partial Large Kernel CNNs for Efficient Super-Resolution" (2024); RealPLKSR is
its community's variant for real photographs: Mish, and a norm in every block.
"""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from jaxsr.attention.gate import gate
from jaxsr.attention.sampling import DynamicUpsample
from jaxsr.errors import UserError
from jaxsr.networks.layers import Conv, Dtype, gelu, mish, two_rows_on_cpu
from jaxsr.networks.upscaler import Extract, PixelShuffleDirect, Upscaler

MIXERS = {"CCM": (3, 1), "ICCM": (1, 3), "DCCM": (3, 3)}  # sides of the mixers' two kernels
HEADS = ("shuffle", "dysample")


def plksr(
    scale: int = 4,
    *,
    features: int = 64,
    blocks: int = 28,
    kernel: int = 17,
    part: int = 16,
    mixer: str = "DCCM",
    attention: bool = True,
    dtype: Dtype = None,
) -> Upscaler:
    """Build PLKSR, 7.39M parameters at ×4; ``blocks=12, kernel=13, attention=False`` is its tiny.

    Args:
      kernel: side of the large kernel, odd.
      part: channels that pass it.
      mixer: "CCM", "ICCM" or "DCCM": 3×3 and 1×1, 1×1 and 3×3, or two 3×3 convolutions (fig. 3).
      attention: whether every value is weighed by a 3×3 convolution's view of its features.

    Raises:
      UserError: there is no such mixer.
    """
    if mixer not in MIXERS:
        raise UserError(f"unknown mixer {mixer!r}; there are: {', '.join(MIXERS)}")
    block = partial(PartialBlock, kernel, part, MIXERS[mixer], gelu, attention)
    reach = sum(side // 2 for side in MIXERS[mixer]) + kernel // 2 + int(attention)
    return Upscaler(
        extract=Extract(features, dtype=dtype),
        enhance=PLKBody(blocks, partial(block, dtype=dtype)),
        fuse=PixelShuffleDirect(scale, skip="nearest", dtype=dtype),
        scale=scale,
        receptive_field=1 + blocks * reach + 1,
    )


def realplksr(
    scale: int = 4,
    *,
    features: int = 64,
    blocks: int = 28,
    kernel: int = 17,
    part: int = 16,
    attention: bool = True,
    layer_norm: bool = False,
    norm_groups: int = 4,
    head: str = "shuffle",
    dtype: Dtype = None,
) -> Upscaler:
    """Build RealPLKSR, 7.39M parameters at ×4.

    Args:
      kernel, part, attention: see :func:`plksr`.
      layer_norm: each pixel is normalised before a block's convolutions; if not, groups of channels
        over the whole image are behind them, and then tiles differ a little from the whole.
      norm_groups: of channels, in the latter case.
      head: "shuffle", or "dysample": pixels that choose where in the features they look.

    Raises:
      UserError: there is no such head.
    """
    if head not in HEADS:
        raise UserError(f"unknown head {head!r}; there are: {', '.join(HEADS)}")
    groups = None if layer_norm else norm_groups
    block = partial(PartialBlock, kernel, part, MIXERS["DCCM"], mish, attention, layer_norm, groups)
    dysample = partial(DySampleHead, scale, groups=3 if scale % 2 else 4, final=scale > 1)
    shuffle = partial(PixelShuffleDirect, scale, skip="nearest")
    field = 1 + blocks * (2 + kernel // 2 + int(attention)) + 1
    return Upscaler(
        extract=Extract(features, dtype=dtype),
        enhance=PLKBody(blocks, partial(block, dtype=dtype)),
        fuse=(dysample if head == "dysample" else shuffle)(dtype=dtype),
        scale=scale,
        receptive_field=field if layer_norm and head == "shuffle" else None,
    )


class PLKBody(nn.Module):
    """The blocks, and nothing around them: what skips them is the image.

    Attributes:
      blocks: how many there are.
      block: makes one, given its name.
    """

    blocks: int
    block: Callable[..., nn.Module]

    @nn.compact
    def __call__(self, f0: Array) -> Array:
        f = f0
        for i in range(self.blocks):
            f = self.block(name=f"block_{i}")(f)
        return f


class PartialBlock(nn.Module):
    """Mix channels nearby, see some of them far, weigh all, mix them again; beside a skip (fig. 3).

    Attributes:
      kernel: side of the large kernel.
      part: the first so many channels pass it; the others stay as they are.
      mixer: sides of the mixer's two kernels.
      activation: between these.
      attention: whether values are weighed.
      layer_norm: whether pixels are normalised first.
      norm_groups: groups of channels that are normalised at the end; None: none.

    Raises:
      UserError: there are fewer channels than ``part``.
    """

    kernel: int
    part: int
    mixer: tuple[int, int]
    activation: Callable[[Array], Array]
    attention: bool = True
    layer_norm: bool = False
    norm_groups: int | None = None
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels = x.shape[-1]
        if self.part > channels:
            raise UserError(f"a large kernel on {self.part} channels needs as many; got {channels}")
        conv = partial(Conv, dtype=self.dtype)
        f = x
        if self.layer_norm:
            f = nn.LayerNorm(epsilon=1e-6, dtype=jnp.float32, name="norm")(f).astype(x.dtype)
        f = self.activation(conv(2 * channels, self.mixer[0], name="mix_0")(f))
        f = conv(channels, self.mixer[1], name="mix_1")(f)
        far = conv(self.part, self.kernel, conv_general_dilated=two_rows_on_cpu, name="large")
        f = jnp.concatenate([far(f[..., : self.part]), f[..., self.part :]], axis=-1)
        if self.attention:
            f = gate(f, conv(channels, name="attention")(f))
        f = conv(channels, 1, name="refine")(f)
        if self.norm_groups is not None:
            norm = partial(nn.GroupNorm, self.norm_groups, epsilon=1e-5, dtype=jnp.float32)
            f = norm(use_fast_variance=False, name="norm")(f).astype(x.dtype)
        return x + f


class DySampleHead(nn.Module):
    """One convolution as before a pixel shuffle, the image added; then pixels choose their places.

    Attributes:
      channels: of the image.
      groups: see :class:`~jaxsr.attention.sampling.DynamicUpsample`.
      final: whether a 1×1 convolution makes the image of what they see.
    """

    scale: int
    channels: int = 3
    groups: int = 4
    final: bool = True
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array, f: Array) -> Array:
        conv = Conv(self.channels * self.scale**2, dtype=self.dtype, name="conv")
        f = conv(f)
        f = f + jnp.repeat(x, self.scale**2, axis=-1).astype(f.dtype)
        y = DynamicUpsample(self.scale, self.groups, dtype=self.dtype, name="sample")(f)
        return Conv(self.channels, 1, dtype=self.dtype, name="final")(y) if self.final else y
