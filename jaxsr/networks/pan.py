"""PAN: blocks of two halves, one under pixel attention; attention in the upsampling, too.

Source: Zhao et al., "Efficient Image Super-Resolution Using Pixel Attention" (2020).
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array

from jaxsr.attention.gate import gate
from jaxsr.networks.layers import Conv, Dtype
from jaxsr.networks.upscaler import Extract, NearestAttention, Upscaler


def pan(
    scale: int = 4,
    *,
    features: int = 40,
    head_features: int = 24,
    blocks: int = 16,
    dtype: Dtype = None,
) -> Upscaler:
    """Build PAN, 272K parameters at ×4 (261K at ×2 and ×3): 16 blocks of 40 channels."""
    return Upscaler(
        extract=Extract(features, dtype=dtype),
        enhance=PANBody(features, blocks, dtype),
        fuse=NearestAttention(scale, head_features, dtype=dtype),
        scale=scale,
        receptive_field=1 + 2 * blocks + 1 + 2,
    )


class PANBody(nn.Module):
    """The blocks, one convolution, and the skip around all of it."""

    features: int
    blocks: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, f0: Array) -> Array:
        f = f0
        for i in range(self.blocks):
            f = SplitBlock(self.features, self.dtype, name=f"block_{i}")(f)
        return f0 + Conv(self.features, dtype=self.dtype, name="conv")(f)


class SplitBlock(nn.Module):
    """Two halves of the channels: one convolved, one under pixel attention too (SCPA, fig. 3)."""

    features: int
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        def conv(features, kernel, name):
            return Conv(features, kernel, use_bias=False, dtype=self.dtype, name=name)

        half = self.features // 2
        plain = nn.leaky_relu(conv(half, 1, "reduce_plain")(x), 0.2)
        plain = nn.leaky_relu(conv(half, 3, "conv_plain")(plain), 0.2)

        gated = nn.leaky_relu(conv(half, 1, "reduce_gated")(x), 0.2)
        logits = Conv(half, 1, dtype=self.dtype, name="attention")(gated)
        gated = gate(conv(half, 3, "conv_gated")(gated), logits)  # the weights see its input
        gated = nn.leaky_relu(conv(half, 3, "conv_out")(gated), 0.2)

        return x + conv(self.features, 1, "join")(jnp.concatenate([plain, gated], axis=-1))
