"""Window attention: within windows, shifted ones too (Swin), and across overlapping ones (HAT).

An image is cut into ``n`` windows, square ones of side ``window`` or of a height and a width; the
``t`` pixels of a window are tokens. Heights and widths are multiples of the window's throughout.
"""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from jaxsr.errors import UserError

# The initialisation of SwinIR and HAT, for projections and position tables alike.
INIT = nn.initializers.truncated_normal(0.02)

Window = int | Sequence[int]  # pixels: a square's side, or height and width
Shift = int | Sequence[int]  # pixels: along both axes, or down and across

LOGITS = 2**26  # attention computes at most so many at once: 256 MB in float32


def sides(window: Window) -> tuple[int, int]:
    """Return a window's height and width, or how far it is shifted along each axis."""
    return (window, window) if isinstance(window, int) else (window[0], window[1])


def window_partition(
    x: Shaped[Array | np.ndarray, "b h w c"], window: Window
) -> Shaped[Any, "b n t c"]:
    """Cut into windows, numbered row by row, their pixels row by row.

    Raises:
      UserError: the height or width is not a multiple of the window's.
    """
    batch, height, width, channels = x.shape
    tall, wide = sides(window)
    if height % tall or width % wide:
        size = f"{tall}" if tall == wide else f"{tall}x{wide}"
        raise UserError(
            f"windows of {size} need heights and widths that are multiples of {size}, "
            f"got {height}x{width}; pad the image first"
        )
    rows, columns = height // tall, width // wide
    x = x.reshape(batch, rows, tall, columns, wide, channels).swapaxes(2, 3)
    return x.reshape(batch, rows * columns, tall * wide, channels)


def window_merge(
    windows: Shaped[Array | np.ndarray, "b n t c"],
    height: int,
    width: int,
    window: Window | None = None,
) -> Shaped[Any, "b {height} {width} c"]:
    """Put windows together again: the inverse of :func:`window_partition`.

    Args:
      window: their size; square unless given.
    """
    batch, _, tokens, channels = windows.shape
    tall, wide = sides(round(tokens**0.5) if window is None else window)
    rows, columns = height // tall, width // wide
    x = windows.reshape(batch, rows, columns, tall, wide, channels).swapaxes(2, 3)
    return x.reshape(batch, height, width, channels)


def to_grid(x: Float[Array, "b h w c"], window: int) -> Float[Array, "b h w c"]:
    """Put pixels a whole grid apart side by side: windows then hold pixels of all of the image.

    Of every axis ``window`` pixels come together that lie ``size / window`` apart. Source: Tu et
    al., "MaxViT: Multi-Axis Vision Transformer" (2022), sec. 3.3.
    """
    batch, height, width, channels = x.shape
    x = x.reshape(batch, window, height // window, window, width // window, channels)
    return x.transpose(0, 2, 1, 4, 3, 5).reshape(batch, height, width, channels)


def from_grid(x: Float[Array, "b h w c"], window: int) -> Float[Array, "b h w c"]:
    """Put pixels back where they were: the inverse of :func:`to_grid`."""
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // window, window, width // window, window, channels)
    return x.transpose(0, 2, 1, 4, 3, 5).reshape(batch, height, width, channels)


def overlapping_windows(
    x: Float[Array, "b h w c"], window: int, overlap: float = 0.5
) -> Float[Array, "b n t2 c"]:
    """Cut into windows, each grown by ``overlap · window / 2`` pixels on every side.

    Beyond the image there are zeros. A grown window is a window of the padded image followed by the
    beginning of the next one, so it is cut by reshapes alone: no gather, no patch convolution.
    Source: Chen et al., "Activating More Pixels in Image Super-Resolution Transformer" (2023),
    sec. 3.2.

    Returns:
      The ``t2 = (window + overlap · window)²`` pixels of each grown window.

    Raises:
      UserError: ``overlap · window`` is odd or not in 0..window, or the sizes are not multiples.
    """
    extra = overlap_pixels(window, overlap)
    if x.shape[1] % window or x.shape[2] % window:
        raise UserError(f"windows of {window} do not tile {x.shape[1]}x{x.shape[2]}; pad it first")
    # up to one more window behind the last, so that every window has a next one
    x = jnp.pad(x, ((0, 0), *[(extra // 2, window - extra // 2)] * 2, (0, 0)))
    x = _grow(_grow(x, 1, window, extra), 3, window, extra)  # b rows h2 columns w2 c
    batch, rows, side, columns, _, channels = x.shape
    return x.swapaxes(2, 3).reshape(batch, rows * columns, side * side, channels)


def overlap_pixels(window: int, overlap: float) -> int:
    """Return by how many pixels a grown window's side exceeds ``window``.

    Raises:
      UserError: the number is odd, or not in 0..window.
    """
    extra = int(window * overlap)
    if extra % 2 or not 0 <= extra <= window:
        raise UserError(
            f"overlap {overlap} of window {window} is {extra} pixels; "
            f"it must be even, 0 to {window}"
        )
    return extra


def _grow(x: Array, axis: int, window: int, extra: int) -> Array:
    """Split ``axis`` into (blocks, window + extra), the last window only lending its beginning."""
    blocks = x.reshape(*x.shape[:axis], -1, window, *x.shape[axis + 1 :])
    these = jax.lax.slice_in_dim(blocks, 0, blocks.shape[axis] - 1, axis=axis)
    following = jax.lax.slice_in_dim(blocks, 1, None, axis=axis)
    following = jax.lax.slice_in_dim(following, 0, extra, axis=axis + 1)
    return jnp.concatenate([these, following], axis=axis + 1)


def relative_position_bias(
    table: Float[Array, "s2 heads"], queries: Window, keys: Window | None = None
) -> Float[Array, "heads tq tk"]:
    """Look up what attention adds for where a key lies as seen from its query.

    Source: Liu et al., "Swin Transformer" (2021), eq. 4.

    Args:
      table: one row for every offset: ``queries + keys − 1`` vertical ones by as many horizontal
        ones, query position − key position, the vertical one slow, both from their least value up.
      queries: size of the window the queries are in.
      keys: size of the (grown) window the keys are in; ``queries`` unless given.
    """
    rows = relative_positions(queries, keys)
    # no row is negative: else a second table of this size would tell which ones are
    return table.at[rows].get(wrap_negative_indices=False).transpose(2, 0, 1)


def relative_positions(queries: Window, keys: Window | None = None) -> Int[np.ndarray, "tq tk"]:
    """Return the row of the table of :func:`relative_position_bias` for each query and key."""
    keys = queries if keys is None else keys
    (down, _), (across, span) = (
        _offsets(q, k) for q, k in zip(sides(queries), sides(keys), strict=True)
    )
    index = down[:, None, :, None] * span + across[None, :, None, :]
    return index.reshape(down.shape[0] * across.shape[0], -1)


def _offsets(queries: int, keys: int) -> tuple[np.ndarray, int]:
    """Return query − key along one axis, counted from 0 up, and how many different ones there are.

    It is 0 for the first query and the last key.
    """
    return np.arange(queries)[:, None] - np.arange(keys)[None, :] + keys - 1, queries + keys - 1


def shifted_window_mask(
    height: int, width: int, window: Window, shift: Shift
) -> Bool[Array, "n t t"]:
    """Return which pixels of a window may see each other once the image is rolled by ``−shift``.

    Rolling brings the first ``shift`` rows and columns behind the last ones: pixels that were
    wrapped and pixels that were not share windows there without being neighbours. Only one label a
    pixel is a constant of the compiled program; comparing them is left to run time, where it fuses.
    """
    down, across = (
        np.arange(size) >= size - wrapped
        for size, wrapped in zip((height, width), sides(shift), strict=True)
    )
    labels = 2 * down[:, None].astype(np.int8) + across[None, :].astype(np.int8)
    labels = jnp.asarray(window_partition(labels[None, :, :, None], window)[0, :, :, 0])
    return labels[:, :, None] == labels[:, None, :]


def window_attention(
    q: Float[Array, "b n tq heads d"],
    k: Float[Array, "b n tk heads d"],
    v: Float[Array, "b n tk heads d"],
    bias: Float[Array, "heads tq tk"],
    mask: Bool[Array, "n tq tk"] | None = None,
) -> Float[Array, "b n tq heads d"]:
    """``softmax(q kᵀ / √d + bias) v`` within every window, the softmax in float32.

    Where the logits of all windows are more than ``LOGITS``, windows take turns: memory stays
    bounded on large images. Source: Liu et al., "Swin Transformer" (2021), eq. 4.

    Args:
      bias: from :func:`relative_position_bias`.
      mask: True where a query may see a key; every query must see one.
    """
    batch, windows, queries, heads, _ = q.shape
    turn = max(1, LOGITS // (batch * heads * queries * k.shape[2]))
    if windows <= turn:
        return _attend(q, k, v, bias, mask)

    def attend(window: tuple[Array, Array, Array, Array | None]) -> Array:
        q, k, v, mask = window
        return _attend(q, k, v, bias, mask)

    by_window = (q.swapaxes(0, 1), k.swapaxes(0, 1), v.swapaxes(0, 1), mask)
    y = jax.lax.map(attend, by_window, batch_size=turn)
    return y.swapaxes(0, 1)


def _attend(q: Array, k: Array, v: Array, bias: Array, mask: Array | None) -> Array:
    """Compute :func:`window_attention` at once, over any leading axes."""
    logits = jnp.einsum("...qhd,...khd->...hqk", q, k, preferred_element_type=jnp.float32)
    bias = jnp.broadcast_to(bias.astype(jnp.float32), logits.shape)
    logits = logits * q.shape[-1] ** -0.5 + bias
    if mask is not None:
        logits = jnp.where(mask[..., None, :, :], logits, -jnp.inf)
    weights = jax.nn.softmax(logits, axis=-1).astype(v.dtype)
    return jnp.einsum("...hqk,...khd->...qhd", weights, v)


def _heads(x: Array, heads: int) -> Array:
    return x.reshape(*x.shape[:-1], heads, x.shape[-1] // heads)


def shifted_window_attention(
    qkv: Float[Array, "b h w c3"],
    table: Float[Array, "s2 heads"],
    window: Window,
    shift: Shift = 0,
) -> Float[Array, "b h w c"]:
    """Attend by several heads within the windows of an image, shifted by ``shift`` pixels.

    Pixels attend within their window only: it costs ``O(h·w·t)``, linear in the image.
    Source: Liu et al., "Swin Transformer" (2021), sec. 3.2.

    Args:
      qkv: queries, keys and values side by side, ``c`` channels each.
      table: see :func:`relative_position_bias`; its rows have a number for each head.
    """
    height, width = qkv.shape[1:3]
    down, across = sides(shift)
    mask = None
    if down or across:
        qkv = jnp.roll(qkv, (-down, -across), (1, 2))
        mask = shifted_window_mask(height, width, window, shift)
    q, k, v = jnp.split(window_partition(qkv, window), 3, axis=-1)
    q, k, v = (_heads(a, table.shape[1]) for a in (q, k, v))
    y = window_attention(q, k, v, relative_position_bias(table, window), mask)
    y = window_merge(y.reshape(*y.shape[:-2], -1), height, width, window)
    return jnp.roll(y, (down, across), (1, 2)) if mask is not None else y


def overlapping_cross_attention(
    qkv: Float[Array, "b h w c3"],
    table: Float[Array, "s2 heads"],
    window: int,
    overlap: float = 0.5,
) -> Float[Array, "b h w c"]:
    """Attend by several heads from each window to the same window grown by ``overlap``.

    Source: Chen et al., "Activating More Pixels in Image Super-Resolution Transformer" (2023),
    sec. 3.2.

    Args:
      qkv, table: see :func:`shifted_window_attention`.
      overlap: see :func:`overlapping_windows`.
    """
    height, width = qkv.shape[1:3]
    channels = qkv.shape[-1] // 3
    grown = window + overlap_pixels(window, overlap)
    q = window_partition(qkv[..., :channels], window)
    kv = overlapping_windows(qkv[..., channels:], window, overlap)
    q, k, v = (_heads(a, table.shape[1]) for a in (q, *jnp.split(kv, 2, axis=-1)))
    y = window_attention(q, k, v, relative_position_bias(table, window, grown))
    return window_merge(y.reshape(*y.shape[:-2], channels), height, width)


class WindowAttention(nn.Module):
    """:func:`shifted_window_attention` between its projections: Swin's multi-head attention.

    Attributes:
      heads: of the attention; they divide the channels.
      window: a window's side in pixels.
      shift: 0, or half of ``window`` in every second layer.
      use_bias: of the projections.
      grid: whether windows are of pixels far apart: see :func:`to_grid`.
    """

    heads: int
    window: int
    shift: int = 0
    dtype: Any = None
    use_bias: bool = True
    grid: bool = False

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        channels = x.shape[-1]
        table = self.param("position", INIT, ((2 * self.window - 1) ** 2, self.heads), jnp.float32)
        options = {"use_bias": self.use_bias, "dtype": self.dtype, "kernel_init": INIT}
        qkv = nn.Dense(3 * channels, name="qkv", **options)(x)
        qkv = to_grid(qkv, self.window) if self.grid else qkv
        y = shifted_window_attention(qkv, table, self.window, self.shift)
        y = from_grid(y, self.window) if self.grid else y
        return nn.Dense(channels, name="proj", **options)(y)


class OverlappingCrossAttention(nn.Module):
    """:func:`overlapping_cross_attention` between its projections.

    Attributes:
      heads: of the attention; they divide the channels.
      window: a window's side in pixels.
      overlap: by which part of ``window`` the keys' windows are wider.
    """

    heads: int
    window: int
    overlap: float = 0.5
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        channels = x.shape[-1]
        grown = self.window + overlap_pixels(self.window, self.overlap)
        shape = ((self.window + grown - 1) ** 2, self.heads)
        table = self.param("position", INIT, shape, jnp.float32)
        qkv = nn.Dense(3 * channels, dtype=self.dtype, kernel_init=INIT, name="qkv")(x)
        y = overlapping_cross_attention(qkv, table, self.window, self.overlap)
        return nn.Dense(channels, dtype=self.dtype, kernel_init=INIT, name="proj")(y)
