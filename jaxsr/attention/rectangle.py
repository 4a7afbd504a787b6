"""Attention in lying and standing windows at once, with positions that a small network weighs."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxsr.attention.depthwise import DepthwiseConv
from jaxsr.attention.window import INIT, Shift, Window, shifted_window_attention, sides


def rectangle_attention(
    qkv: Float[Array, "b h w c3"],
    tables: Sequence[Float[Array, "s2 heads"]],
    window: Window,
    shift: Shift = 0,
) -> Float[Array, "b h w c"]:
    """Attend in windows by half of the channels, in windows turned by 90° by the other half.

    Images of any size: zeros fill the last windows, and are attended to like pixels. Sources: Chen
    et al., "Cross Aggregation Transformer for Image Restoration" (2022), sec. 3.2, and "Dual
    Aggregation Transformer for Image Super-Resolution" (2023), sec. 3.2.

    Args:
      qkv: queries, keys and values side by side, ``c`` channels each.
      tables: of either half, see :func:`~jaxsr.attention.window.relative_position_bias`.
      window: of the first half, height and width.
      shift: of its windows, down and across.
    """
    height, width = qkv.shape[1:3]
    longest = max(sides(window))
    qkv = jnp.pad(qkv, ((0, 0), (0, -height % longest), (0, -width % longest), (0, 0)))
    halves = [jnp.split(part, 2, axis=-1) for part in jnp.split(qkv, 3, axis=-1)]
    lying, standing = (jnp.concatenate(half, axis=-1) for half in zip(*halves, strict=True))
    y = (
        shifted_window_attention(lying, tables[0], sides(window), sides(shift)),
        shifted_window_attention(standing, tables[1], sides(window)[::-1], sides(shift)[::-1]),
    )
    return jnp.concatenate(y, axis=-1)[:, :height, :width]


class RectangleAttention(nn.Module):
    """:func:`rectangle_attention` between its projections, plus the values, convolved.

    Attributes:
      heads: of the attention, an even number; they divide the channels.
      window: height and width of the first half's windows.
      shift: see :func:`rectangle_attention`.
    """

    heads: int
    window: Window
    shift: Shift = 0
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        channels = x.shape[-1]
        qkv = nn.Dense(3 * channels, dtype=self.dtype, kernel_init=INIT, name="qkv")(x)
        tables = rectangle_tables(channels, self.heads, self.window)
        y = rectangle_attention(qkv, tables, self.window, self.shift)
        y += DepthwiseConv(3, dtype=self.dtype, name="conv")(qkv[..., 2 * channels :])
        return nn.Dense(channels, dtype=self.dtype, kernel_init=INIT, name="proj")(y)


class DynamicPosition(nn.Module):
    """The table of position biases as a small network's answer to every offset in a window.

    Source: Wang et al., "CrossFormer: A Versatile Vision Transformer" (2021), sec. 3.3.

    Attributes:
      heads: of the attention.
      window: its size.
      features: inner width.
    """

    heads: int
    window: Window
    features: int

    @nn.compact
    def __call__(self) -> Float[Array, "s2 heads"]:
        tall, wide = sides(self.window)
        offsets = np.meshgrid(np.arange(1 - tall, tall), np.arange(1 - wide, wide), indexing="ij")
        y = jnp.asarray(np.stack(offsets, -1).reshape(-1, 2), jnp.float32)
        y = nn.Dense(self.features, kernel_init=INIT, name="project")(y)
        for i, features in enumerate((self.features, self.features, self.heads)):
            y = nn.relu(nn.LayerNorm(epsilon=1e-5, name=f"norm_{i}")(y))
            y = nn.Dense(features, kernel_init=INIT, name=f"dense_{i}")(y)
        return y


def rectangle_tables(
    channels: int, heads: int, window: Window
) -> tuple[Float[Array, "s2 h"], Float[Array, "s2 h"]]:
    """Return the two tables of :func:`rectangle_attention`; within a module's compact method.

    Args:
      channels: of queries, keys and values each.
      heads: of both halves together.
    """
    position = partial(DynamicPosition, heads // 2, features=max(1, channels // 2 // 4 // 4))
    lying, standing = sides(window), sides(window)[::-1]
    return position(lying, name="position_0")(), position(standing, name="position_1")()


def shifts(window: Window, group: int, layer: int) -> tuple[int, int]:
    """Return how far a layer's windows are shifted: by half of them in every second such layer.

    Such layers are every second one; those that shift alternate from group to group.
    """
    tall, wide = sides(window)
    shifted = layer % 4 == (0 if group % 2 else 2)
    return (tall // 2, wide // 2) if shifted else (0, 0)
