"""Upsampling by sampling: every new pixel chooses where in the features it looks (DySample)."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxsr.attention.affine import Affine, AffineParams, convolve
from jaxsr.errors import UserError


def dynamic_upsample(
    x: Float[Array, "b h w c"], offset: Affine, scope: Affine, scale: int, groups: int = 4
) -> Float[Array, "b sh sw c"]:
    """``x`` sampled bilinearly at ``G + ½ σ(V x) · U x``: a regular grid ``G``, moved by content.

    Each group of channels has its own places. Beyond the image its edge repeats; how far an offset
    reaches is learned and has no bound. Source: Liu et al., "Learning to Upsample by Learning to
    Sample" (2023), eqs. 2-6, "linear + point" with a dynamic scope.

    Args:
      offset, scope: ``U`` and ``V``, 1×1 convolutions to ``2 · groups · scale²`` channels: across
        and down, of each group, for the pixels of a square row by row.

    Raises:
      UserError: ``groups`` does not divide the channels.
    """
    batch, height, width, channels = x.shape
    if channels % groups:
        raise UserError(f"{groups} groups of places do not divide {channels} channels")
    moves = 0.5 * jax.nn.sigmoid(convolve(x, scope)).astype(x.dtype) * convolve(x, offset)
    # in float32 whatever the features are: bfloat16 has no places beyond 256 that are all whole
    moves = moves.astype(jnp.float32).reshape(batch, height, width, 2, groups, scale, scale)
    moves = moves.transpose(3, 0, 1, 5, 2, 6, 4).reshape(2, batch, -1, groups)
    across = jnp.broadcast_to(_grid(width, scale), (height * scale, width * scale))
    down = jnp.broadcast_to(_grid(height, scale)[:, None], across.shape)
    places = jnp.stack([across, down]).reshape(2, 1, -1, 1)
    y = _bilinear(x, *(jnp.broadcast_to(places, moves.shape) + moves))
    return y.reshape(batch, height * scale, width * scale, channels)


def _grid(size: int, scale: int) -> Float[Array, "n"]:
    """Return where new pixels' centres lie among the old ones' along an axis."""
    return jnp.asarray((np.arange(size * scale) + 0.5) / scale - 0.5, jnp.float32)


def _bilinear(
    x: Float[Array, "b h w c"], across: Float[Array, "b n g"], down: Float[Array, "b n g"]
) -> Float[Array, "b n g d"]:
    """Return the groups of channels at given places, which are moved into the image."""
    batch, height, width, channels = x.shape
    groups = across.shape[-1]
    x = x.reshape(batch, height * width, groups, channels // groups)
    (left, right, toward_right), (top, bottom, toward_bottom) = (
        _neighbours(places, size) for places, size in ((across, width), (down, height))
    )

    def row(index: Array) -> Array:
        a, b = (
            jnp.take_along_axis(x, (index * width + column)[..., None], axis=1)
            for column in (left, right)
        )
        return a + (b - a) * jnp.broadcast_to(toward_right[..., None].astype(x.dtype), a.shape)

    above, below = row(top), row(bottom)
    weight = jnp.broadcast_to(toward_bottom[..., None].astype(x.dtype), above.shape)
    return above + (below - above) * weight


def _neighbours(places: Array, size: int) -> tuple[Array, Array, Array]:
    """Return the pixels before and behind a place along an axis, and the latter's weight."""
    places = jnp.clip(places, 0.0, size - 1.0)
    first = jnp.floor(places)
    before = first.astype(jnp.int32)
    return before, jnp.minimum(before + 1, size - 1), places - first


class DynamicUpsample(nn.Module):
    """:func:`dynamic_upsample` with its parameters (DySample).

    Attributes:
      scale: how many times larger the result is.
      groups: of channels with places of their own; they divide the channels.
    """

    scale: int
    groups: int = 4
    dtype: Any = None

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b sh sw c"]:
        shape = (1, 1, x.shape[-1], 2 * self.groups * self.scale**2)
        offset = AffineParams(shape, dtype=self.dtype, name="offset")()
        scope = AffineParams(shape, use_bias=False, dtype=self.dtype, name="scope")()
        return dynamic_upsample(x, offset, scope, self.scale, self.groups)
