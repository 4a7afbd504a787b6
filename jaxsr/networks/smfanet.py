"""SMFANet: features are modulated by what is far, details added that are near.

Source: Zheng et al., "SMFANet: A Lightweight Self-Modulation Feature Aggregation Network for
Efficient Image Super-Resolution" (2024).
"""

from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsr.attention.depthwise import DepthwiseConv
from jaxsr.attention.lengths import inverse_length
from jaxsr.attention.modulation import SelfModulation
from jaxsr.errors import UserError
from jaxsr.networks.layers import Conv, Dtype, gelu
from jaxsr.networks.upscaler import Extract, PixelShuffleDirect, Upscaler


def smfanet(
    scale: int = 4,
    *,
    features: int = 36,
    blocks: int = 8,
    hidden: int = 72,
    part: int = 18,
    dtype: Dtype = None,
) -> Upscaler:
    """Build SMFANet, 197K parameters at ×4 (186K at ×2).

    SMFANet+ has ``features=48, blocks=12, hidden=96, part=24``, 496K parameters at ×4. Variances
    are those over the image, so tiles differ a little from the whole.

    Args:
      hidden: channels within a block's perceptron.
      part: how many of them a 3×3 convolution filters.

    Raises:
      UserError: ``part`` is more than ``hidden``.
    """
    if part > hidden:
        raise UserError(f"a convolution of {part} channels needs as many; hidden is {hidden}")
    return Upscaler(
        extract=Extract(features, dtype=dtype),
        enhance=SMFANetBody(blocks, partial(AggregatingBlock, hidden, part, dtype)),
        fuse=PixelShuffleDirect(scale, dtype=dtype),
        scale=scale,
    )


class SMFANetBody(nn.Module):
    """The blocks, and the skip around all of them."""

    blocks: int
    block: partial

    @nn.compact
    def __call__(self, f0: Array) -> Array:
        f = f0
        for i in range(self.blocks):
            f = self.block(name=f"block_{i}")(f)
        return f0 + f


class AggregatingBlock(nn.Module):
    """Aggregated features, then a partly convolved perceptron; both of pixels of unit length."""

    hidden: int
    part: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = x + FeatureAggregation(self.dtype, name="aggregation")(of_unit_length(x))
        mlp = PartialPerceptron(self.hidden, self.part, self.dtype, name="mlp")
        return x + mlp(of_unit_length(x))


def of_unit_length(x: Float[Array, "*b c"]) -> Float[Array, "*b c"]:
    """Divide every pixel by its length over the channels."""
    return (x.astype(jnp.float32) * inverse_length(x, -1)).astype(x.dtype)


class FeatureAggregation(nn.Module):
    """One projection modulates itself, another goes through a local branch (eqs. 1, 2, 5, 6)."""

    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels = x.shape[-1]
        conv = partial(Conv, kernel=1, dtype=self.dtype)
        near, far = jnp.split(conv(2 * channels, name="project_in")(x), 2, axis=-1)
        near = DepthwiseConv(3, dtype=self.dtype, name="depthwise")(jnp.repeat(near, 2, axis=-1))
        near = conv(channels, name="reduce")(gelu(conv(2 * channels, name="mix")(near)))
        far = SelfModulation(dtype=self.dtype, name="modulation")(far)
        return conv(channels, name="project_out")(near + far)


class PartialPerceptron(nn.Module):
    """Two 1×1 convolutions; between them a 3×3 one of the first ``part`` channels (PCFN)."""

    hidden: int
    part: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        f = gelu(Conv(self.hidden, 1, dtype=self.dtype, name="expand")(x))
        seen, rest = f[..., : self.part], f[..., self.part :]
        seen = gelu(Conv(self.part, dtype=self.dtype, name="conv")(seen))
        f = jnp.concatenate([seen, rest], axis=-1)
        return Conv(x.shape[-1], 1, dtype=self.dtype, name="reduce")(f)
