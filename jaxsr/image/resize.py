"""Bicubic resizing exactly as MATLAB's ``imresize``, by which low-resolution images are made.

A resize is separable: :func:`contributions` says, for each output position along one axis, which
input positions count and by how much. :func:`imresize` sums them in JAX on floats, and
:func:`imresize_uint8` sums them on the host in float64, rounding as MATLAB does.
"""

import functools
import math
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Shaped, UInt8

from jaxsr.errors import UserError

Scale = float | int | Fraction
BORDERS = ("symmetric", "replicate")


def imresize(
    x: Float[Array | np.ndarray, "*b h w c"],
    scale: Scale | None = None,
    shape: tuple[int, int] | None = None,
    border: str = "symmetric",
    antialias: bool = True,
) -> Float[Array, "*b H W c"]:
    """Resize float images bicubically, differentiably; nothing is rounded or clipped.

    It runs in the precision of ``x`` (at least float32) on any device: there is no matrix product
    in it for TF32 or bf16 to spoil. Inside ``jax.jit`` all but ``x`` must be static.

    Args:
      x: images in any range.
      scale: output size over input size; the output has ``ceil(size × scale)`` pixels. For a third
        give ``1 / 3`` or ``Fraction(1, 3)``.
      shape: or the output's (height, width), in place of ``scale``.
      border: ``"symmetric"`` mirrors the image about its edge, as MATLAB does; ``"replicate"``
        repeats the edge pixel.
      antialias: widen the kernel when shrinking.

    Raises:
      UserError: not exactly one of ``scale`` and ``shape`` is given, it isn't positive, or the
        border is unknown.
    """
    x = jnp.asarray(x)
    x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    return _imresize(x, _axes(x.shape[-3:-1], scale, shape), border, antialias)


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def _imresize(x: Array, axes: tuple, border: str, antialias: bool) -> Array:
    for axis, out, scale in axes:
        axis += x.ndim - 3
        indices, weights = contributions(x.shape[axis], out, scale, border, antialias)
        along = [1] * axis + [out] + [1] * (x.ndim - 1 - axis)
        taps = (
            jnp.take(x, index, axis=axis, mode="clip") * weight.reshape(along).astype(x.dtype)
            for index, weight in zip(indices.T, weights.T, strict=True)
        )
        x = sum(taps, jnp.zeros((), x.dtype))
    return x


def imresize_uint8(
    x: UInt8[np.ndarray, "h w *c"],
    scale: Scale | None = None,
    shape: tuple[int, int] | None = None,
    border: str = "symmetric",
    antialias: bool = True,
) -> UInt8[np.ndarray, "H W *c"]:
    """Resize as MATLAB's ``imresize(uint8 image, scale, 'bicubic')``, equal in every pixel.

    It runs on the host.

    The axis that shrinks more goes first (rows if equal), and the result is rounded, halves away
    from zero, and clipped to uint8 after *each* of the two passes. Arguments and errors are those
    of :func:`imresize`.
    """
    for axis, out, s in _axes(x.shape[:2], scale, shape):
        indices, weights = contributions(x.shape[axis], out, s, border, antialias)
        rows = np.ascontiguousarray(np.moveaxis(x, axis, 0))
        resized = _resize_rows(rows.reshape(len(rows), -1), indices, weights)
        x = np.moveaxis(resized.reshape(out, *rows.shape[1:]), 0, axis)
    return np.ascontiguousarray(x)


def _resize_rows(
    x: UInt8[np.ndarray, "n k"], indices: Int[np.ndarray, "m t"], weights: Float[np.ndarray, "m t"]
) -> UInt8[np.ndarray, "m k"]:
    """Return weighted sums of rows, a few at a time so that the float64 sums stay in the cache."""
    out = np.empty((len(indices), x.shape[1]), np.uint8)
    step = max(1, 2**15 // x.shape[1])
    for start in range(0, len(out), step):
        here = slice(start, start + step)
        total = np.zeros(out[here].shape)
        term = np.empty_like(total)
        for index, weight in zip(indices[here].T, weights[here].T, strict=True):
            total += np.multiply(x[index], weight[:, None], out=term)
        # What is below zero is clipped, so adding a half and truncating rounds halves away from it.
        np.clip(np.add(total, 0.5, out=total), 0, 255, out=total)
        out[here] = total
    return out


@functools.lru_cache(maxsize=64)
def contributions(
    size: int, out: int, scale: Scale, border: str = "symmetric", antialias: bool = True
) -> tuple[Int[np.ndarray, "out t"], Float[np.ndarray, "out t"]]:
    """Return, for each of ``out`` positions along an axis of ``size``, its taps and their weights.

    Keys' cubic kernel, a = −0.5, stretched by ``1 / scale`` when shrinking with ``antialias``;
    weights (float64) sum to one. This follows MATLAB's ``contributions`` operation by operation
    (positions count from one in it), because its roundings decide some pixels.

    Raises:
      UserError: the border is not one of ``BORDERS``.
    """
    if border not in BORDERS:
        raise UserError(f"border {border!r} is not known; use one of {', '.join(BORDERS)}")
    scale = float(scale)
    shrink = min(scale, 1.0) if antialias else 1.0
    width = 4.0 / shrink
    centre = np.arange(1, out + 1) / scale + 0.5 * (1.0 - 1.0 / scale)
    left = np.floor(centre - width / 2)
    positions = left[:, None] + np.arange(math.ceil(width) + 2)
    weights = np.asarray(shrink * cubic(shrink * (centre[:, None] - positions)))
    weights /= weights.sum(axis=1, keepdims=True)
    indices = positions.astype(np.int64) - 1
    indices = symmetric(indices, size) if border == "symmetric" else np.clip(indices, 0, size - 1)
    used = weights.any(axis=0)
    indices, weights = indices[:, used].astype(np.int32), weights[:, used]
    for shared in (indices, weights):
        shared.setflags(write=False)
    return indices, weights


def symmetric(position: Any, size: Any) -> Any:
    """Return where positions beyond 0 … size − 1 lie once mirrored, as often as it takes.

    Args:
      position: whole numbers, in NumPy or JAX arrays.
      size: pixels of the axis; or those of each image.
    """
    position = position % (2 * size)
    return position + (2 * size - 1 - 2 * position) * (position >= size)


def cubic(x: Float[np.ndarray | Array, "*n"]) -> Float[np.ndarray | Array, "*n"]:
    """Evaluate Keys' cubic kernel, a = −0.5, of NumPy or JAX arrays.

    Source: Keys, "Cubic Convolution Interpolation for Digital Image Processing" (1981), eq. 4.
    """
    x = abs(x)
    x2, x3 = x**2, x**3
    near = (1.5 * x3 - 2.5 * x2 + 1) * (x <= 1)
    far = (-0.5 * x3 + 2.5 * x2 - 4 * x + 2) * ((x > 1) & (x <= 2))
    return near + far


def modcrop(x: Shaped[Array | np.ndarray, "h w *c"], scale: int) -> Shaped[Any, "h2 w2 *c"]:
    """Return the largest top-left part whose height and width are multiples of ``scale``."""
    height, width = x.shape[:2]
    return x[: height - height % scale, : width - width % scale]


def _axes(
    size: tuple[int, ...], scale: Scale | None, shape: tuple[int, int] | None
) -> tuple[tuple[int, int, float], ...]:
    """Return (axis, output size, scale) of the passes, as MATLAB the smaller scale first."""
    if scale is not None and shape is None:
        if not 0 < scale < math.inf:
            raise UserError(f"scale must be a positive number, got {scale}")
        axes = [(axis, math.ceil(n * scale), float(scale)) for axis, n in enumerate(size)]
    elif shape is not None and scale is None:
        if min(shape) < 1:
            raise UserError(f"shape must be a positive height and width, got {shape}")
        axes = [(i, int(m), m / n) for i, (m, n) in enumerate(zip(shape, size, strict=True))]
    else:
        raise UserError(f"give either scale or shape to resize to, got {scale=}, {shape=}")
    return tuple(sorted(axes, key=lambda axis: axis[2]))
