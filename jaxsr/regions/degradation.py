"""What is known of how an image was degraded, and what its pixels tell of the rest."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float, Shaped

from jaxsr.errors import UserError
from jaxsr.image.pictures import Mask
from jaxsr.regions.masks import REGION
from jaxsr.regions.restore import Restorer, is_told

SIDE = 128  # pixels of the crops that are looked at
ACROSS = 3  # so many of them at most along either axis
# Estimates below these are none. Of 60 clean images of ECSSD, reduced or not, the estimator of the
# released weights says more than that of 4, which are noisy.
FAINT = np.array([4.0, 0.4, 12.0, 40.0], np.float32)
Strengths = Float[np.ndarray, "4"]  # as in jaxsr.networks.degradation


class Degraded(NamedTuple):
    """How an image was degraded, as far as it is known; None is estimated from its pixels.

    Attributes:
      noise: standard deviation of noise, in levels of 255; 0: none.
      blur: standard deviation of a Gaussian blur, in pixels; 0: none.
      jpeg: quality of the JPEG file it was, 1 to 100; 100: none.
      codec: quality of the file of our codec it was, 1 to 100; 100: none.
    """

    noise: float | None = None
    blur: float | None = None
    jpeg: float | None = None
    codec: float | None = None


UNKNOWN = Degraded()
NONE, MOST = (0, 0, 100, 100), (255, 10, 1, 1)  # as Degraded has them


def given(known: Degraded, network: Restorer) -> Float[np.ndarray, "4"]:
    """Return the strengths of what is known, NaN of the rest.

    Raises:
      UserError: a number is out of its range, or the network is not told any.
    """
    for name, value, *ends in zip(Degraded._fields, known, NONE, MOST, strict=True):
        low, high = sorted(ends)
        if value is not None and not low <= value <= high:
            raise UserError(f"{name} {value:g}: give a number from {low} to {high}")
    if not is_told(network) and any(value is not None for value in known):
        raise UserError("this restorer is not told how an image was degraded; leave that out")
    return strengths_of(known)


def strengths_of(known: Degraded | tuple[int, ...]) -> Strengths:
    """Return strengths as networks know them, NaN of what is not known; :func:`found` inverts."""
    values = np.array([np.nan if value is None else value for value in known], np.float32)
    return np.concatenate([values[:2], 100 - values[2:]])


def found(strengths: Strengths) -> Degraded:
    """Return what strengths mean."""
    noise, blur, jpeg, codec = strengths.tolist()
    return Degraded(noise, blur, 100 - jpeg, 100 - codec)


def trusted(estimates: Float[Array | np.ndarray, "*b 4"]) -> Float[Any, "*b 4"]:
    """Return estimated strengths within their limits, 0 for those that may well be none."""
    xp = estimates.__array_namespace__()
    return xp.where(estimates < FAINT, 0, xp.minimum(estimates, strengths_of(MOST)))


def crops(image: Shaped[np.ndarray, "_ _ c"], mask: Mask, scale: int) -> Sequence[np.ndarray]:
    """Return crops of an image, spread over its region, if any, that tell how it was degraded.

    Their places are multiples of 8, where the blocks of a JPEG begin. An image smaller than a crop
    is mirrored at its edges.

    Args:
      mask: of the image enlarged by ``scale``.
    """
    inside = mask > REGION
    spans = [np.flatnonzero(inside.any(axis)) // scale for axis in (1, 0)]
    if not spans[0].size:
        return []
    rows, columns = (
        _starts(int(span[0]), int(span[-1]) + 1, n)
        for span, n in zip(spans, image.shape, strict=False)
    )
    pads = [*((0, max(0, SIDE - n)) for n in image.shape[:2]), (0, 0)]
    cut = (image[y : y + SIDE, x : x + SIDE] for y in rows for x in columns)
    return [np.pad(crop, pads, "symmetric") for crop in cut]


def _starts(first: int, last: int, size: int) -> Sequence[int]:
    """Return where crops start along an axis, to cover pixels from ``first`` to before ``last``."""
    count = min(ACROSS, -(-(last - first) // SIDE))
    middles = first + (np.arange(count) + 0.5) * (last - first) / count
    starts = np.clip(np.round((middles - SIDE / 2) / 8) * 8, 0, max(0, size - SIDE) // 8 * 8)
    return [int(start) for start in starts]
