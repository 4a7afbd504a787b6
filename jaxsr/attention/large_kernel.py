"""Large-kernel attention: a 21×21 neighbourhood, from three cheap convolutions (VAN)."""

from typing import Any

import flax.linen as nn
from jaxtyping import Array, Float

from jaxsr.attention.affine import Affine, AffineParams, biased, convolve
from jaxsr.attention.depthwise import depthwise_conv


def large_kernel_attention(
    x: Float[Array, "*b h w c"], near: Affine, far: Affine, mix: Affine
) -> Float[Array, "*b h w c"]:
    """``x · W(D₇,₃(D₅ x))``: the response of a decomposed large kernel multiplies the features.

    ``D₅`` is a 5×5 depthwise convolution, ``D₇,₃`` a 7×7 one with dilation 3 and ``W`` a 1×1
    convolution; together they see ± 11 pixels. There is no sigmoid: the weight may be any number.
    Source: Guo et al., "Visual Attention Network" (2022), eqs. 1-2.

    Args:
      near, far: ``D₅`` and ``D₇,₃``, kernels ``kh kw 1 c``.
      mix: ``W``.
    """
    response = x.astype(near.kernel.dtype)
    for weights, dilation in ((near, 1), (far, 3)):
        response = depthwise_conv(response, weights.kernel, dilation)
        response = biased(response, weights.bias)
    return x * convolve(response, mix).astype(x.dtype)


class LargeKernelAttention(nn.Module):
    """:func:`large_kernel_attention` with its parameters."""

    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        channels = x.shape[-1]
        shapes = {
            "near": (5, 5, 1, channels),
            "far": (7, 7, 1, channels),
            "mix": (1, 1, channels, channels),
        }
        weights = {
            name: AffineParams(shape, dtype=self.dtype, name=name)()
            for name, shape in shapes.items()
        }
        return large_kernel_attention(x, **weights)
