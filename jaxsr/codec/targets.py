"""How alike a decoded picture has to be to its original, where that is asked for in place of bytes.

Pictures are compared as users see them: 8-bit values of gray or RGB, decoded from the file.
"""

import math
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from jaxsr.codec.given import real
from jaxsr.errors import UserError
from jaxsr.image import metrics
from jaxsr.image.values import to_float


class Measure(NamedTuple):
    """A figure of how alike two images are, larger where they are more so.

    Attributes:
      name, unit: as errors print them.
      function: of two float images in [0, 1].
      below: what a target is less than; it is more than 0.
      digits: behind the point, of what errors print.
    """

    name: str
    unit: str
    function: Callable[..., Any]
    below: float
    digits: int


MEASURES = {
    "target_psnr": Measure("PSNR", " dB", metrics.psnr, math.inf, 2),
    "target_msssim": Measure("MS-SSIM", "", metrics.ms_ssim, 1.0, 4),
}


class Target(NamedTuple):
    """The least value that a measure is to have."""

    measure: Measure
    value: float

    def score(self, original: UInt8[np.ndarray, "h w c"], decoded: UInt8[np.ndarray, "h w c"]):
        """Return the measure of a decoded picture."""
        return float(self.measure.function(to_float(original), to_float(decoded)))

    def unreachable(self, best: float) -> UserError:
        """Return the error that says the best score there is."""
        name, unit, *_, digits = self.measure
        least = math.floor(best * 10**digits) / 10**digits  # rounded up, it could not be reached
        return UserError(
            f"no file of this image has {name} {self.value:g}{unit}; the best that was found has "
            f"{least:.{digits}f}{unit}: ask for that or less"
        )


def target_of(option: str, value: float, height: int, width: int) -> Target:
    """Return the target that an option of ``MEASURES`` sets for an image of so many pixels.

    Raises:
      UserError: the value is out of range, or the image is too small for the measure.
    """
    measure = MEASURES[option]
    most = "" if math.isinf(measure.below) else f" and less than {measure.below:g}"
    expected = f"{option} is a number of more than 0{most}"
    value = real(value, expected, lambda number: 0 < number < measure.below)
    if measure.function is metrics.ms_ssim and min(height, width) < metrics.MS_SSIM_SIDE:
        raise UserError(
            f"{option} needs an image of at least {metrics.MS_SSIM_SIDE} pixels a side, this one "
            f"has {width}×{height}; give target_psnr"
        )
    return Target(measure, float(min(value, sys.float_info.max)))
