"""Transposed attention: channels that attend to channels, linear in the pixels (Restormer)."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsr.attention.depthwise import DepthwiseConv
from jaxsr.attention.lengths import inverse_length
from jaxsr.attention.window import window_merge, window_partition
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
    scores *= inverse_length(q, -3, keepdims=False)[..., :, None]
    scores *= inverse_length(k, -3, keepdims=False)[..., None, :]
    temperature = temperature[:, None, None].astype(jnp.float32)
    weights = jax.nn.softmax(scores * jnp.broadcast_to(temperature, scores.shape), axis=-1)
    return jnp.einsum("...hij,...nhj->...nhi", weights.astype(v.dtype), v)


class TransposedAttention(nn.Module):
    """:func:`transposed_attention` between its projections.

    Queries, keys and values come of a 1×1 convolution and a 3×3 depthwise one; a 1×1 convolution
    ends it.

    Attributes:
      window: None: channels are alike or not over the whole image; else within each window of so
        many pixels a side, or, with ``grid``, over each set of pixels that lie so far apart.

    Raises:
      UserError: the channel count is not a multiple of ``heads``.
    """

    heads: int = 1
    use_bias: bool = False
    dtype: Any = None
    window: int | None = None
    grid: bool = False

    @nn.compact
    def __call__(self, x: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        height, width, channels = x.shape[-3:]
        if channels % self.heads:
            raise UserError(f"{self.heads} heads do not divide {channels} channels")
        options = {"use_bias": self.use_bias, "dtype": self.dtype}
        qkv = nn.Conv(3 * channels, (1, 1), name="qkv", **options)(x)
        qkv = DepthwiseConv(3, name="qkv_local", **options)(qkv)
        qkv = self._together(qkv)
        split = (*qkv.shape[:-1], self.heads, channels // self.heads)
        q, k, v = (part.reshape(split) for part in jnp.split(qkv, 3, axis=-1))
        temperature = self.param("temperature", nn.initializers.ones, (self.heads,), jnp.float32)
        y = transposed_attention(q, k, v, temperature).reshape(*qkv.shape[:-1], channels)
        y = self._apart(y, height, width).reshape(x.shape)
        return nn.Conv(channels, (1, 1), name="project", **options)(y)

    def _together(self, x: Array) -> Array:
        """Bring those pixels onto one axis over which channels are compared."""
        if self.window is None:
            return x.reshape(*x.shape[:-3], -1, x.shape[-1])
        windows = window_partition(x.reshape(-1, *x.shape[-3:]), self.window)
        return windows.swapaxes(1, 2) if self.grid else windows

    def _apart(self, y: Array, height: int, width: int) -> Array:
        """Undo :meth:`_together`, but for leading axes."""
        if self.window is None:
            return y
        return window_merge(y.swapaxes(1, 2) if self.grid else y, height, width)
