"""Resizing by factors and kernels that a program draws: products with matrices of fixed shapes.

Images of different sizes lie in the upper left corners of equal canvases, laid out (n, rows, 3,
columns): so both passes of a resize are plain products of matrices, one an image. A matrix has the
weights of Pillow's ``Image.resize``, which widens its kernels when shrinking. (Where a pixel lies
exactly on the edge of a box, roundings decide whether it counts, in Pillow's doubles as here.)
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxsr.image.resize import cubic

Numbers = Float[Array, "n"] | Int[Array, "n"]  # one for each image
Matrices = Float[Array, "n out size"]


def area(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Evaluate a box one wide, open on the left."""
    return ((x > -0.5) & (x <= 0.5)).astype(jnp.float32)


def bilinear(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Evaluate a triangle two wide."""
    return jnp.maximum(1 - jnp.abs(x), 0)


KERNELS = {"area": area, "bilinear": bilinear, "bicubic": cubic}


def resizing(
    kernel: str | tuple[tuple[str, ...], Int[Array, "n"]],
    size: Numbers,
    out: Numbers | int,
    shape: tuple[int, int],
    part: tuple[Numbers, Numbers] | None = None,
) -> Matrices:
    """Return the matrices that resize one axis of images.

    Args:
      kernel: a name in ``KERNELS``; or several, and which of them each image takes.
      size: of each image along the axis, in pixels; columns beyond are zero.
      out: its new size; what rows beyond hold means nothing.
      shape: rows and columns of a matrix: the canvases' sides.
      part: start and extent of the part to resize, in pixels; ``None``: all.
    """
    start, extent = part or (jnp.zeros_like(size), size)
    scale = (extent / out)[:, None]
    centres = start[:, None] + (jnp.arange(shape[0]) + 0.5) * scale
    offsets = jnp.arange(shape[1]) + 0.5 - centres[..., None]
    offsets = offsets / jnp.maximum(scale, 1)[..., None]
    names, which = ((kernel,), size) if isinstance(kernel, str) else kernel
    weights = KERNELS[names[0]](offsets)
    for i in range(1, len(names)):
        weights = jnp.where((which == i)[:, None, None], KERNELS[names[i]](offsets), weights)
    weights = jnp.where(jnp.arange(shape[1]) < size[:, None, None], weights, 0)
    total = weights.sum(-1, keepdims=True)
    return weights / jnp.where(total == 0, 1, total)


def choosing(indices: Int[Array, "n out"], size: int) -> Matrices:
    """Return the matrices that take a pixel for each of ``out``, from canvases of ``size``."""
    return (indices[..., None] == jnp.arange(size)).astype(jnp.float32)


def nearest(
    size: Numbers, out: int, side: int, part: tuple[Numbers, Numbers] | None = None
) -> Matrices:
    """Return the matrices that resize to ``out`` pixels by taking the nearest one.

    The other arguments are those of :func:`resizing`; ``side`` is the canvases'.
    """
    start, extent = part or (jnp.zeros_like(size), size)
    centres = start[:, None] + (jnp.arange(out) + 0.5) * (extent / out)[:, None]
    indices = jnp.clip(jnp.floor(centres).astype(jnp.int32), 0, size[:, None] - 1)
    return choosing(indices, side)


def apply(
    x: Float[Array, "n h c w"], rows: Float[Array, "n H h"], columns: Float[Array, "n W w"]
) -> Float[Array, "n H c W"]:
    """Multiply images by a matrix along each of their axes."""
    n, h, c, w = x.shape
    x = product(rows, x.reshape(n, h, c * w)).reshape(n, -1, w)
    return product(x, columns.swapaxes(1, 2)).reshape(n, rows.shape[1], c, columns.shape[1])


def product(a: Any, b: Any) -> Array:
    """Multiply matrices in full float32, also where it is not the default: on GPUs and TPUs."""
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)
