"""Attention to an image made small: strided convolution again and again, then cross attention."""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxsr.attention.affine import Affine, AffineParams, biased, dense
from jaxsr.attention.depthwise import DepthwiseConv
from jaxsr.attention.window import INIT, LOGITS

STRIDE = 4
LEAST = 2  # reductions at least: a sixteenth of the image's size


def recursive_reduction(
    x: Float[Array, "b h w c"], weights: Affine, times: int
) -> Float[Array, "b h2 w2 c"]:
    """Reduce an image to its representative map: one strided depthwise convolution, repeated.

    What exceeds whole squares of 4 pixels is left out; sides below 4 are filled with zeros.
    Source: Chen et al., "Recursive Generalization Transformer for Image Super-Resolution" (2024),
    eq. 3.

    Args:
      weights: kernel ``4 4 1 c`` and bias.
      times: how often it is applied.
    """
    for _ in range(times):
        x = jnp.pad(x, ((0, 0), *((0, max(0, STRIDE - n)) for n in x.shape[1:3]), (0, 0)))
        rows, columns = (n // STRIDE for n in x.shape[1:3])
        x = x[:, : rows * STRIDE, : columns * STRIDE]
        x = x.reshape(x.shape[0], rows, STRIDE, columns, STRIDE, x.shape[-1])
        x = biased(jnp.einsum("bhiwjc,ijc->bhwc", x, weights.kernel[:, :, 0]), weights.bias)
    return x


def reductions(height: int, width: int) -> int:
    """Return how often an image is reduced, so that some 16 to 64 pixels a side are left."""
    longest = max(height, width) // 16
    times = 0
    while longest >= STRIDE ** (times + 1):
        times += 1
    return max(LEAST, times)


def global_attention(
    q: Float[Array, "b h w heads d"],
    k: Float[Array, "b t heads d"],
    v: Float[Array, "b t heads e"],
) -> Float[Array, "b h w heads e"]:
    """Attend from every pixel to all of ``t`` tokens, the softmax in float32.

    Where the logits are more than ``LOGITS``, rows take turns: memory stays bounded on large
    images. Source: Vaswani et al., "Attention Is All You Need" (2017), eq. 1.
    """

    def attend(row: Array) -> Array:
        logits = jnp.einsum("bwhd,bthd->bhwt", row, k, preferred_element_type=jnp.float32)
        weights = jax.nn.softmax(logits * q.shape[-1] ** -0.5, axis=-1).astype(v.dtype)
        return jnp.einsum("bhwt,bthd->bwhd", weights, v)

    batch, height, width, heads, _ = q.shape
    turn = max(1, LOGITS // (batch * heads * width * k.shape[1]))
    if height <= turn:
        y = attend(q.reshape(batch, height * width, *q.shape[3:]))
        return y.reshape(batch, height, width, heads, v.shape[-1])
    return jax.lax.map(attend, q.swapaxes(0, 1), batch_size=turn).swapaxes(0, 1)


class RecursiveAttention(nn.Module):
    """:func:`recursive_reduction`, then :func:`global_attention` to what it leaves.

    Attributes:
      heads: of the attention; they divide the channels, and those of queries and keys.
      ratio: channels of queries and keys, relative to the features'.
    """

    heads: int
    ratio: float = 0.5
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        batch, height, width, channels = x.shape
        inner = int(channels * self.ratio)
        linear = partial(nn.Dense, dtype=self.dtype, kernel_init=INIT)
        reduce = AffineParams((STRIDE, STRIDE, 1, channels), dtype=self.dtype, name="reduce")()
        mix = AffineParams((channels, inner), dtype=self.dtype, name="mix")()

        small = x.astype(reduce.kernel.dtype)
        small = recursive_reduction(small, reduce, reductions(height, width))
        small = DepthwiseConv(3, dtype=self.dtype, name="conv")(small)
        small = nn.LayerNorm(epsilon=1e-5, dtype=jnp.float32, name="norm")(dense(small, mix))
        small = nn.gelu(small, approximate=False)

        q, k = linear(inner, name="q")(x), linear(inner, name="k")(small)
        v = linear(channels, name="v")(small)
        v += DepthwiseConv(3, dtype=self.dtype, name="position")(v)
        q = q.reshape(batch, height, width, self.heads, inner // self.heads)
        k, v = (a.reshape(batch, -1, self.heads, a.shape[-1] // self.heads) for a in (k, v))
        y = global_attention(q, k, v).reshape(batch, height, width, channels)
        return linear(channels, name="proj")(y)
