"""Pixel attention: every value of every channel has a weight of its own (PAN)."""

from typing import Any

import flax.linen as nn
from jaxtyping import Array, Float

from jaxsr.attention.affine import Affine, AffineParams, convolve
from jaxsr.attention.gate import gate


def pixel_attention(x: Float[Array, "*b h w c"], weights: Affine) -> Float[Array, "*b h w c"]:
    """``x · σ(W x + b)`` with a 1×1 convolution ``W``: no pooling, so purely local.

    Source: Zhao et al., "Efficient Image Super-Resolution Using Pixel Attention" (2020), eq. 3.
    """
    return gate(x, convolve(x, weights))


class PixelAttention(nn.Module):
    """:func:`pixel_attention` with its parameters."""

    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        shape = (1, 1, x.shape[-1], x.shape[-1])
        return pixel_attention(x, AffineParams(shape, dtype=self.dtype, name="conv")())
