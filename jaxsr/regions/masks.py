"""Masks: of classes, enlarged with the image, and feathered to write back."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import PIL.Image
from jaxtyping import Array, Bool, Float, Integer

from jaxsr.errors import UserError

REGION = 0.5  # above it a mask says "region"
WIDTH = 16  # pixels in which a restored region rises from nothing at its border
STRIP = 64  # rows that are feathered at once on the host


def of_class(
    x: Float[Array | np.ndarray, "*b h w n"] | Integer[Array | np.ndarray, "*b h w"], index: int
) -> Float[Array | np.ndarray, "*b h w"]:
    """Return the mask of one class, from the classes' probabilities or from labels.

    Of probabilities it is ``p / (p + the largest other)``: soft, and above a half just where the
    class is the most probable one.

    Raises:
      UserError: there is no such class.
    """
    if not jnp.issubdtype(x.dtype, np.floating):
        return (x == index).astype(np.float32)
    classes = x.shape[-1]
    if not 0 <= index < classes:
        raise UserError(f"there is no class {index}; there are 0 to {classes - 1}")
    p = x[..., index]
    others = (x - np.eye(classes, dtype=np.float32)[index]).max(-1)  # probabilities are 0 or more
    return p / (p + others)


def enlarge(
    mask: Float[Array | np.ndarray, "*b h w"], scale: int
) -> Float[Array | np.ndarray, "*b H W"]:
    """Enlarge a mask with its image, bilinearly: edges stay where they are, corners get round."""
    height, width = mask.shape[-2:]
    return resized(mask, scale * height, scale * width)


def resized(
    x: Float[Array | np.ndarray, "*b h w"], height: int, width: int
) -> Float[Any, "*b {height} {width}"]:
    """Resize planes bilinearly, the kernel widened when shrinking.

    The weights are the same in JAX and, by Pillow, on the host.
    """
    if not isinstance(x, np.ndarray):
        return jax.image.resize(x, (*x.shape[:-2], height, width), "linear")
    planes = [
        PIL.Image.fromarray(np.ascontiguousarray(plane, np.float32)).resize(
            (width, height), PIL.Image.Resampling.BILINEAR
        )
        for plane in x.reshape(-1, *x.shape[-2:])
    ]
    return np.stack([np.asarray(p) for p in planes]).reshape(*x.shape[:-2], height, width)


def feather(
    mask: Float[Array | np.ndarray, "*b h w"], width: int = WIDTH
) -> Float[Array | np.ndarray, "*b h w"]:
    """Return the weights that a region is written back with: 0 outside, rising from its border.

    They are ``t² (3 − 2t)``, where ``t`` is the Euclidean distance to the nearest pixel outside
    over ``width``, at most 1. So neighbours differ by at most ``1.5 / width``, and a region thinner
    than twice ``width`` still has weights. The image's own border is no border of the region.

    Raises:
      UserError: ``width`` is less than 1.
    """
    if width < 1:
        raise UserError(f"a feather is 1 pixel wide or more, got {width}")
    region = mask > REGION
    if not isinstance(region, np.ndarray):
        return _rise(region, width)
    weights = np.zeros(region.shape, np.float32)
    rows, cols = _box_around(region)
    for start in range(rows.start, rows.stop, STRIP):  # strips stay in the processor's cache
        stop = min(start + STRIP, rows.stop)
        low = max(rows.start, start - width)
        strip = _rise(region[..., low : min(stop + width, rows.stop), cols], width)
        weights[..., start:stop, cols] = strip[..., start - low : stop - low, :]
    return weights


def _box_around(region: Bool[np.ndarray, "*b h w"]) -> tuple[slice, slice]:
    """Return the region's rows and columns, and one more on every side within the image."""
    region = np.any(region.reshape(-1, *region.shape[-2:]), axis=0)
    spans = []
    for axis in (1, 0):
        at = np.flatnonzero(region.any(axis))
        spans.append(slice(max(0, at[0] - 1), at[-1] + 2) if len(at) else slice(0, 0))
    rows, cols = (slice(s.start, min(s.stop, n)) for s, n in zip(spans, region.shape, strict=True))
    return rows, cols


def _rise(
    region: Bool[Array | np.ndarray, "*b h w"], width: int
) -> Float[Array | np.ndarray, "*b h w"]:
    """Return the weights of :func:`feather`, of a region that is known."""
    square = region * np.float32(width**2)
    for axis in (-1, -2):
        square = _nearest(square, width, axis)
    t = square**0.5 / np.float32(width)
    return t * t * (3 - 2 * t)


def _nearest(square, width: int, axis: int):
    """Run one pass of the distance transform: ``min over |j| < width of j² + square[i + j]``.

    Source: Felzenszwalb and Huttenlocher, "Distance Transforms of Sampled Functions" (2012),
    equations 2 and 3.
    """
    xp = square.__array_namespace__()
    size = square.shape[axis]
    pads = [(0, 0)] * square.ndim
    pads[axis] = (width - 1, width - 1)
    far = xp.pad(square, pads, constant_values=width**2)
    nearest = square
    for shift in range(2 * width - 1):
        part = [slice(None)] * square.ndim
        part[axis] = slice(shift, shift + size)
        away = np.float32((shift - (width - 1)) ** 2)
        nearest = xp.minimum(nearest, far[tuple(part)] + away)
    return nearest
