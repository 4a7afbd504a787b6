"""Transposed attention: channels that attend to channels, linear in the pixels (Restormer)."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsr.attention.depthwise import DepthwiseConv
from jaxsr.errors import UserError


def transposed_attention(
    q: Float[Array, "*b n heads c"],
    k: Float[Array, "*b n heads c"],
    v: Float[Array, "*b n heads c"],
    temperature: Float[Array, "heads"],
) -> Float[Array, "*b n heads c"]:
    """``softmax(τ q̂ᵀ k̂) v`` over a head's ``c`` channels, ``q̂``, ``k̂`` of unit length over pixels.

    Source: Zamir et al., "Restormer: Efficient Transformer for High-Resolution Image Restoration"
    (2022), eq. 1. Norms and softmax are float32.

    Args:
      q, k, v: queries, keys and values of ``n`` pixels.
      temperature: the factor ``τ`` on the cosine similarity, one per head.
    """
    # The lengths divide the small c × c matrix rather than the n pixels of q and k.
    scores = jnp.einsum("...nhi,...nhj->...hij", q, k, preferred_element_type=jnp.float32)
    scores *= _inverse_length(q)[..., :, None]
    scores *= _inverse_length(k)[..., None, :]
    temperature = temperature[:, None, None].astype(jnp.float32)
    weights = jax.nn.softmax(scores * jnp.broadcast_to(temperature, scores.shape), axis=-1)
    return jnp.einsum("...hij,...nhj->...nhi", weights.astype(v.dtype), v)


def _inverse_length(x: Float[Array, "*b n heads c"]) -> Float[Array, "*b heads c"]:
    """Return 1 / length over the pixels; lengths count as at least 1e-12."""
    squares = jnp.sum(jnp.square(x.astype(jnp.float32)), axis=-3)
    return jax.lax.rsqrt(jnp.maximum(squares, 1e-24))


class TransposedAttention(nn.Module):
    """:func:`transposed_attention` between its projections.

    Queries, keys and values come of a 1×1 convolution and a 3×3 depthwise one; a 1×1 convolution
    ends it.

    Raises:
      UserError: the channel count is not a multiple of ``heads``.
    """

    heads: int = 1
    use_bias: bool = False
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        *batch, height, width, channels = x.shape
        if channels % self.heads:
            raise UserError(f"{self.heads} heads do not divide {channels} channels")
        options = {"use_bias": self.use_bias, "dtype": self.dtype}
        qkv = nn.Conv(3 * channels, (1, 1), name="qkv", **options)(x)
        qkv = DepthwiseConv(3, name="qkv_local", **options)(qkv)
        split = (*batch, height * width, self.heads, channels // self.heads)
        q, k, v = (part.reshape(split) for part in jnp.split(qkv, 3, axis=-1))
        temperature = self.param("temperature", nn.initializers.ones, (self.heads,), jnp.float32)
        y = transposed_attention(q, k, v, temperature).reshape(x.shape)
        return nn.Conv(channels, (1, 1), name="project", **options)(y)
