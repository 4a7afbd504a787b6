"""Regions to train with where an image has none of its own."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, PRNGKeyArray


def rectangles(key: PRNGKeyArray, count: int, height: int, width: int) -> Bool[Array, "b h w"]:
    """One rectangle of any size and place in each of ``count`` images: true inside."""
    shape = (height, width)
    corners = jax.random.uniform(key, (count, 2, 2)).sort(axis=1) * jnp.asarray(shape)
    down, across = (
        (jnp.arange(size) >= corners[:, 0, i, None]) & (jnp.arange(size) < corners[:, 1, i, None])
        for i, size in enumerate(shape)
    )
    return down[:, :, None] & across[:, None, :]
