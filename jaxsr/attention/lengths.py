"""Lengths of vectors, by which attention compares directions alone."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def inverse_length(x: Float[Array, "..."], axis: int, keepdims: bool = True) -> Float[Array, "..."]:
    """Return 1 / length along an axis, in float32; lengths count as at least 1e-12."""
    squares = jnp.sum(jnp.square(x.astype(jnp.float32)), axis=axis, keepdims=keepdims)
    return jax.lax.rsqrt(jnp.maximum(squares, 1e-24))
