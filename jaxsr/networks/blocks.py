"""Blocks that several networks are made of."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsr.attention.depthwise import DepthwiseConv
from jaxsr.networks.layers import Conv, Dtype, fan_in, gelu


class ResidualBlock(nn.Module):
    """``x + conv(gelu(conv(norm(x))))``.

    Attributes:
      variance: of what a fresh block adds, relative to the normalised input's.
    """

    variance: float = 0.5
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        f = nn.LayerNorm(dtype=self.dtype, name="norm")(x)
        inner, outer = (fan_in(v) for v in (2.0, self.variance))
        f = nn.gelu(Conv(x.shape[-1], kernel_init=inner, dtype=self.dtype, name="conv_0")(f))
        return x + Conv(x.shape[-1], kernel_init=outer, dtype=self.dtype, name="conv_1")(f)


class TransformerLayer(nn.Module):
    """``x + attention(norm(x))``, then ``x + dense(gelu(dense(norm(x))))``, twice as wide inside.

    Attributes:
      attention: a module made with ``parent=None``; it becomes this layer's own.
    """

    attention: nn.Module
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Float[Array, "*b c"]) -> Float[Array, "*b c"]:
        x += self.attention(nn.LayerNorm(dtype=self.dtype, name="norm_0")(x))
        f = nn.LayerNorm(dtype=self.dtype, name="norm_1")(x)
        f = nn.gelu(nn.Dense(2 * x.shape[-1], dtype=self.dtype, name="dense_0")(f))
        return x + nn.Dense(x.shape[-1], dtype=self.dtype, name="dense_1")(f)


class GatedFeedForward(nn.Module):
    """``W₃ (gelu(D₁ W₁ x) · D₂ W₂ x)``, 1×1 convolutions ``W`` and 3×3 depthwise ones ``D``.

    Source: Zamir et al., "Restormer: Efficient Transformer for High-Resolution Image Restoration"
    (2022), eq. 2.

    Attributes:
      hidden: channels of each of the two branches.
    """

    hidden: int
    use_bias: bool = False
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        options = {"use_bias": self.use_bias, "dtype": self.dtype}
        f = Conv(2 * self.hidden, 1, name="expand", **options)(x)
        gates, values = jnp.split(DepthwiseConv(3, name="local", **options)(f), 2, axis=-1)
        f = gelu(gates) * values
        return Conv(x.shape[-1], 1, name="reduce", **options)(f)
