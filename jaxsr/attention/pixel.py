"""Pixel attention: every value of every channel has a weight of its own (PAN)."""

from typing import Any

import flax.linen as nn
from jaxtyping import Array, Float

from jaxsr.attention.gate import gate


class PixelAttention(nn.Module):
    """``x · σ(W x + b)`` with a 1×1 convolution ``W``: no pooling, so purely local.

    Source: Zhao et al., "Efficient Image Super-Resolution Using Pixel Attention" (2020), eq. 3.
    """

    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        return gate(x, nn.Conv(x.shape[-1], (1, 1), dtype=self.dtype, name="conv")(x))
