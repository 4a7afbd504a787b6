"""Two blocks with a norm before each part, which the segmenter and the restorer are made of."""

import flax.linen as nn
from jaxtyping import Array, Float

from jaxsr.networks.layers import Conv, Dtype, fan_in


class ResidualBlock(nn.Module):
    """``x + conv(gelu(conv(norm(x))))``; a fresh block adds ``variance`` times the norm's variance."""

    variance: float = 0.5
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        f = nn.LayerNorm(dtype=self.dtype, name="norm")(x)
        inner, outer = (fan_in(v) for v in (2.0, self.variance))
        f = nn.gelu(Conv(x.shape[-1], kernel_init=inner, dtype=self.dtype, name="conv_0")(f))
        return x + Conv(x.shape[-1], kernel_init=outer, dtype=self.dtype, name="conv_1")(f)


class TransformerLayer(nn.Module):
    """``x + attention(norm(x))``, then ``x + dense(gelu(dense(norm(x))))``, twice as wide inside."""

    attention: nn.Module  # without a parent: it becomes this layer's own
    dtype: Dtype = None

    @nn.compact
    def __call__(self, x: Float[Array, "*b c"]) -> Float[Array, "*b c"]:
        x += self.attention(nn.LayerNorm(dtype=self.dtype, name="norm_0")(x))
        f = nn.LayerNorm(dtype=self.dtype, name="norm_1")(x)
        f = nn.gelu(nn.Dense(2 * x.shape[-1], dtype=self.dtype, name="dense_0")(f))
        return x + nn.Dense(x.shape[-1], dtype=self.dtype, name="dense_1")(f)
