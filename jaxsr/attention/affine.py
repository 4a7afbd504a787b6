"""Kernels and biases as plain arrays: what the operators' functions take, and who holds them."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jaxtyping import Array, Float


class Affine(NamedTuple):
    """Weights of a convolution (``kh kw i o``) or a dense layer (``i o``), and its bias.

    Operators compute in the kernel's dtype.
    """

    kernel: Float[Array, "*size i o"]
    bias: Float[Array, "o"] | None = None


class AffineParams(nn.Module):
    """The parameters of an :class:`Affine`, named, initialised and cast as linen's layers do.

    Attributes:
      shape: the kernel's.
      dtype: what to compute in; None: the parameters' own.
    """

    shape: tuple[int, ...]
    use_bias: bool = True
    dtype: Any = None

    @nn.compact
    def __call__(self) -> Affine:
        kernel = self.param("kernel", nn.initializers.lecun_normal(), self.shape, jnp.float32)
        zeros = nn.initializers.zeros
        bias = self.param("bias", zeros, self.shape[-1:], jnp.float32) if self.use_bias else None
        return Affine(*promote_dtype(kernel, bias, dtype=self.dtype))


def dense(x: Float[Array, "*b i"], weights: Affine) -> Float[Array, "*b o"]:
    """``x W + b`` along the last axis."""
    y = x.astype(weights.kernel.dtype) @ weights.kernel
    return biased(y, weights.bias)


def convolve(
    x: Float[Array, "*b h w i"], weights: Affine, stride: int = 1, padding: str = "SAME"
) -> Float[Array, "*b h2 w2 o"]:
    """Convolve over height and width.

    Args:
      padding: "SAME" (zeros around the image) or "VALID" (none).
    """
    kernel, bias = weights
    y = jax.lax.conv_general_dilated(
        x.astype(kernel.dtype).reshape(-1, *x.shape[-3:]),
        kernel,
        (stride, stride),
        padding,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    y = y.reshape(*x.shape[:-3], *y.shape[1:])
    return biased(y, bias)


def biased(y: Float[Array, "*b o"], bias: Float[Array, "o"] | None) -> Float[Array, "*b o"]:
    """Add a bias along the last axis, if there is one."""
    return y if bias is None else y + jnp.broadcast_to(bias, y.shape)
