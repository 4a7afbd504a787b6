"""Permuted self-attention: keys are squares of pixels, so that windows can be large (SRFormer)."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxsr.attention.window import (
    INIT,
    relative_position_bias,
    shifted_window_mask,
    window_attention,
    window_merge,
    window_partition,
)
from jaxsr.errors import UserError

SQUARE = 2  # pixels a side that become one key


def permuted_attention(
    q: Float[Array, "b h w c"],
    kv: Float[Array, "b h w c2"],
    table: Float[Array, "s2 heads"],
    window: int,
    shift: int = 0,
) -> Float[Array, "b h w c"]:
    """``softmax(q k_pᵀ / √d + b) v_p`` within windows; keys and values are of 2×2 pixels each.

    A pixel has a quarter of a key's channels; its place within the square says which. So there are
    as many channels as without, and a quarter of the products. Source: Zhou et al., "SRFormer:
    Permuted Self-Attention for Single Image Super-Resolution" (2023), sec. 3.2, eq. 2.

    Args:
      q: queries.
      kv: a quarter of the channels of keys, then one of values: ``c2 = c / 2``.
      table: a row for every offset between squares; see
        :func:`~jaxsr.attention.window.relative_position_bias`.
      window: a window's side in pixels; heights and widths are multiples of it.
      shift: of the windows, in pixels; even.
    """
    height, width, heads = *q.shape[1:3], table.shape[1]
    if shift:
        q, kv = (jnp.roll(x, (-shift, -shift), (1, 2)) for x in (q, kv))
    q = window_partition(q, window)
    k, v = (window_partition(x, window // SQUARE) for x in _gathered(kv))
    q, k, v = (x.reshape(*x.shape[:3], heads, -1) for x in (q, k, v))
    bias = relative_position_bias(table, window // SQUARE)
    bias = _of_pixels(bias, window)
    mask = square_mask(height, width, window, shift) if shift else None
    y = window_attention(q, k, v, bias, mask)
    y = window_merge(y.reshape(*y.shape[:3], -1), height, width)
    return jnp.roll(y, (shift, shift), (1, 2)) if shift else y


def _gathered(kv: Array) -> tuple[Array, Array]:
    """Return keys and values of squares: the channels of their pixels, one row after another."""
    batch, height, width, channels = kv.shape
    rows, columns = height // SQUARE, width // SQUARE
    kv = kv.reshape(batch, rows, SQUARE, columns, SQUARE, 2, channels // 2)
    kv = kv.transpose(5, 0, 1, 3, 2, 4, 6).reshape(2, batch, rows, columns, -1)
    return kv[0], kv[1]


def _of_pixels(bias: Float[Array, "heads t k"], window: int) -> Float[Array, "heads t4 k"]:
    """Give each pixel of a square its square's bias."""
    heads, _, keys = bias.shape
    side = window // SQUARE
    bias = bias.reshape(heads, side, side, keys)
    bias = jnp.repeat(jnp.repeat(bias, SQUARE, axis=1), SQUARE, axis=2)
    return bias.reshape(heads, window**2, keys)


def square_mask(height: int, width: int, window: int, shift: int) -> Bool[Array, "n t k"]:
    """Return which squares a pixel may see: those whose first pixel it may."""
    mask = shifted_window_mask(height, width, window, shift)
    side = window // SQUARE
    mask = mask.reshape(*mask.shape[:2], side, SQUARE, side, SQUARE)
    return mask[:, :, :, 0, :, 0].reshape(*mask.shape[:2], -1)


class PermutedAttention(nn.Module):
    """:func:`permuted_attention` between its projections.

    Attributes:
      heads: of the attention; they divide the channels.
      window: a window's side in pixels, a multiple of 4.
      shift: 0, or half of ``window`` in every second layer.

    Raises:
      UserError: windows or channels are not multiples of 4.
    """

    heads: int
    window: int
    shift: int = 0
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        channels = x.shape[-1]
        if self.window % 4 or channels % 4:
            raise UserError(
                "permuted attention needs windows and channels that are multiples of 4, "
                f"got {self.window} and {channels}"
            )
        offsets = (2 * self.window // SQUARE - 1) ** 2
        table = self.param("position", INIT, (offsets, self.heads), jnp.float32)
        options = {"dtype": self.dtype, "kernel_init": INIT}
        q = nn.Dense(channels, name="q", **options)(x)
        kv = nn.Dense(channels // 2, name="kv", **options)(x)
        y = permuted_attention(q, kv, table, self.window, self.shift)
        return nn.Dense(channels, name="proj", **options)(y)
