"""What a JPEG file leaves of images, computed without one: batched, and inside a program.

The same steps as of libjpeg, with its roundings: YCbCr, chroma at half the size (4:2:0), the
discrete cosine transform of blocks of 8 × 8, quantisation by the tables of the standard's Annex K,
and all of that back again. Only the entropy coding is left out, which loses nothing.
"""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.fft
from jaxtyping import Array, Float, Int

from jaxsr.data.resampling import product

MULTIPLE = 16  # of the sides of a canvas: blocks of chroma at half the size
LUMA = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
CHROMA = np.full((8, 8), 99)
CHROMA[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
TO_YCC = np.array(
    [
        [0.299, 0.587, 0.114],
        [-0.168735892, -0.331264108, 0.5],
        [0.5, -0.418687589, -0.081312411],
    ]
)
DCT = scipy.fft.dct(np.eye(8), axis=0, norm="ortho")
Plane = Float[Array, "n h w"]


def through_jpeg(
    x: Float[Array, "n h 3 w"],
    height: Int[Array, "n"],
    width: Int[Array, "n"],
    quality: Int[Array, "n"],
) -> Float[Array, "n h 3 w"]:
    """Return what is left of images of 0, 1, …, 255 once written as JPEG files and read.

    Args:
      x: images in the upper left corners of canvases, whose sides are multiples of ``MULTIPLE``.
      height, width: of the images, in pixels; what is beyond means nothing, before and after.
      quality: 1 to 100.
    """
    x = _repeat_edge(_repeat_edge(x, height, 1), width, 3)
    red, green, blue = x[:, :, 0], x[:, :, 1], x[:, :, 2]
    y, cb, cr = (a * red + b * green + c * blue for a, b, c in TO_YCC.tolist())
    y = _coded(jnp.round(y) - 128, _table(LUMA, quality))
    half = (height + 1) // 2, (width + 1) // 2
    halves = jnp.concatenate([_halved(jnp.round(plane)) for plane in (cb, cr)])
    table = jnp.tile(_table(CHROMA, quality), (2, 1, 1))
    cb, cr = jnp.split(_doubled(_coded(halves, table), *(jnp.tile(n, 2) for n in half)), 2)
    y += 128
    green = y + jnp.round(-0.344136286 * cb - 0.714136286 * cr)
    rgb = y + jnp.round(1.402 * cr), green, y + jnp.round(1.772 * cb)
    return jnp.clip(jnp.stack(rgb, axis=2), 0, 255)


def _repeat_edge(x: Array, size: Int[Array, "n"], axis: int) -> Array:
    """Fill what is beyond ``size`` along an axis with the last before it."""
    last = jax.vmap(lambda x, n: jax.lax.dynamic_slice_in_dim(x, n - 1, 1, axis - 1))(x, size)
    along = [1] * x.ndim
    along[axis] = x.shape[axis]
    inside = jnp.arange(x.shape[axis]).reshape(along) < size.reshape(-1, *[1] * (x.ndim - 1))
    return jnp.where(inside, x, last)


def _table(table: np.ndarray, quality: Int[Array, "n"]) -> Float[Array, "n 8 8"]:
    """Scale a table of the standard by a quality, as libjpeg's ``jpeg_quality_scaling``."""
    percent = jnp.where(quality < 50, 5000 // jnp.maximum(quality, 1), 200 - 2 * quality)
    return jnp.clip((table * percent[:, None, None] + 50) // 100, 1, 255).astype(jnp.float32)


def _coded(x: Plane, table: Float[Array, "n 8 8"]) -> Plane:
    """Transform, quantise and transform back: values around zero, in whole numbers."""
    n, h, w = x.shape
    table = table[:, None, :, None, :]
    levels = jnp.round(_transformed(x, DCT).reshape(n, h // 8, 8, w // 8, 8) / table)
    x = _transformed((levels * table).reshape(n, h, w), DCT.T)
    return jnp.clip(jnp.round(x), -128, 127)


def _transformed(x: Plane, matrix: np.ndarray) -> Plane:
    """Multiply every block of 8 × 8 by a matrix on its left, and by its transpose on its right."""
    n, h, w = x.shape
    matrix = matrix.astype(np.float32)
    x = product(x.reshape(-1, 8), matrix.T).reshape(-1, 8, w)
    return product(matrix, x).reshape(n, h, w)


def _halved(x: Plane) -> Float[Array, "n rows columns"]:
    """Average 2 × 2 pixels; halves are rounded down and up by turns."""
    n, h, w = x.shape
    total = x.reshape(n, h // 2, 2, w // 2, 2).sum((2, 4))
    return jnp.floor((total + 1 + jnp.arange(w // 2) % 2) / 4)


def _doubled(
    x: Plane, height: Int[Array, "n"], width: Int[Array, "n"]
) -> Float[Array, "n rows columns"]:
    """Enlarge to twice the size: 3/4 of the nearest pixel and 1/4 of the next, along each axis."""
    x = jnp.stack([3 * x + y for y in _beside(x, height, 1)], axis=2)
    x = x.reshape(x.shape[0], -1, x.shape[3])
    before, after = _beside(x, width, 2)
    x = jnp.stack([3 * x + before + 8, 3 * x + after + 7], axis=3)
    return jnp.floor(x / 16).reshape(*x.shape[:2], -1)


def _beside(x: Plane, size: Int[Array, "n"], axis: int) -> tuple[Plane, Plane]:
    """Return what is before and after every pixel along an axis; at the edges the pixel itself."""
    x = _repeat_edge(x, size, axis)
    first, last = (jax.lax.slice_in_dim(x, i, i + 1, axis=axis) for i in (0, x.shape[axis] - 1))
    rest = jax.lax.slice_in_dim(x, 0, -1 + x.shape[axis], axis=axis)
    later = jax.lax.slice_in_dim(x, 1, x.shape[axis], axis=axis)
    return jnp.concatenate([first, rest], axis), jnp.concatenate([later, last], axis)
