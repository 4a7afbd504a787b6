"""Regions to train with where an image has none of its own."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, PRNGKeyArray


def draw_rectangle(key: PRNGKeyArray, height: int, width: int) -> Bool[Array, "h w"]:
    """Draw a rectangle of any size and place, true inside; a small one may hold no pixel."""
    corners = jax.random.uniform(key, (2, 2)).sort(axis=0) * jnp.array((height, width))
    down, across = (
        (jnp.arange(size) >= first) & (jnp.arange(size) < last)
        for size, first, last in zip((height, width), *corners, strict=True)
    )
    return down[:, None] & across[None, :]
