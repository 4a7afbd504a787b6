"""Large-kernel attention: a 21×21 neighbourhood, from three cheap convolutions (VAN)."""

from typing import Any

import flax.linen as nn
from jaxtyping import Array, Float

from jaxsr.attention.depthwise import DepthwiseConv


class LargeKernelAttention(nn.Module):
    """``x · W(D₇,₃(D₅ x))``: the response of a decomposed large kernel multiplies the features.

    ``D₅`` is a 5×5 depthwise convolution, ``D₇,₃`` a 7×7 one with dilation 3 and ``W`` a 1×1
    convolution; together they see ± 11 pixels. There is no sigmoid: the weight may be any number.
    Source: Guo et al., "Visual Attention Network" (2022), eqs. 1-2.
    """

    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        response = DepthwiseConv(5, dtype=self.dtype, name="near")(x)
        response = DepthwiseConv(7, dilation=3, dtype=self.dtype, name="far")(response)
        response = nn.Conv(x.shape[-1], (1, 1), dtype=self.dtype, name="mix")(response)
        return x * response.astype(x.dtype)
