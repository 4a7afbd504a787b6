"""What restoring a region gains: PSNR and SSIM inside it, outside it and over the whole image.

An original is degraded (:data:`DEGRADATIONS`). Two results are compared with it: the *global* one,
not restored (the degraded image itself, or what an upscaler makes of it), and the restored one.
All figures are of 8-bit RGB, as files hold it, and no border is cut off.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float

from jaxsr.errors import UserError
from jaxsr.evaluation.degradation import Degradation, Image, check_names, generator
from jaxsr.image import metrics
from jaxsr.image.resize import modcrop
from jaxsr.image.values import to_float

Mask = Bool[np.ndarray, "h w"]
PLACES = ("inside", "outside", "whole")

DEGRADATIONS: dict[str, Degradation] = {
    "x4": Degradation(scale=4),
    "x2": Degradation(scale=2),
    "blur": Degradation(blur=1.5),
    "noise": Degradation(noise=15.0),
    "jpeg": Degradation(jpeg=30),
    "codec": Degradation(codec=20),
    "x4-noise": Degradation(scale=4, noise=8.0),
    "x4-jpeg": Degradation(scale=4, jpeg=50),
    "x2-noise": Degradation(scale=2, noise=8.0),
    "x2-jpeg": Degradation(scale=2, jpeg=50),
    "clean": Degradation(),
}
"""Degradations by name; "clean" is the original itself, which a restorer can only harm."""


# Comparing


@dataclasses.dataclass(frozen=True)
class Quality:
    """Likeness of a place of an image to the original's: PSNR in dB (``inf``: equal) and SSIM.

    Both are ``nan`` where the place has no pixels, SSIM also where it has no pixel whose window
    lies in the image.
    """

    psnr: float
    ssim: float


def compare(output: Image, original: Image, mask: Mask) -> dict[str, Quality]:
    """Return the quality at each of :data:`PLACES`.

    Masked PSNR is of the mean squared error over the place's pixels and channels. Masked SSIM is
    the mean, over the place, of the SSIM map of the whole images: near the outline windows reach
    across. Over the whole image both are the usual PSNR and SSIM.
    """
    if min(mask.shape) < metrics.WINDOW:
        raise UserError(f"SSIM takes {metrics.WINDOW} pixels a side, the image has {mask.shape}")
    places = dict(zip(PLACES, (mask, ~mask, np.ones_like(mask)), strict=True))
    errors = ((output.astype(np.float32) - original) ** 2).mean(-1)
    likeness = np.asarray(metrics.ssim_map(to_float(output), to_float(original)))
    return {
        name: Quality(masked_psnr(errors, place), masked_ssim(likeness, place))
        for name, place in places.items()
    }


def in_decibels(output: Image, original: Image, mask: Mask) -> str:
    """Return the PSNR at each place, as ``inside 27.69 dB, outside 28.18 dB, whole 27.92 dB``."""
    places = compare(output, original, mask).items()
    return ", ".join(f"{place} {quality.psnr:.2f} dB" for place, quality in places)


def masked_psnr(errors: Float[np.ndarray, "h w"], place: Mask) -> float:
    """Return ``10 log10(255² / MSE)`` of the squared errors, in levels, at ``place``."""
    mse = mean(errors[place])
    return 10 * math.log10(255**2 / mse) if mse else math.inf


def masked_ssim(likeness: Float[np.ndarray, "rows columns"], place: Mask) -> float:
    """Return the mean of the SSIM map at ``place``; the map lacks half a window on every side."""
    return mean(likeness[metrics.shave(place, metrics.WINDOW // 2)])


def mean(values: Float[np.ndarray, "n"] | Sequence[float]) -> float:
    """Return the float64 mean of the values that are not ``nan``; ``nan`` if there are none."""
    values = np.asarray(values, np.float64)
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else math.nan


# Evaluating


@dataclasses.dataclass(frozen=True)
class ImageGain:
    """An image before and after restoring: its region's share of it, and the qualities by place."""

    name: str
    share: float
    plain: Mapping[str, Quality]
    restored: Mapping[str, Quality]

    def gain(self, place: str) -> Quality:
        """Return the restored quality minus the global one; 0 where both are exact."""
        return difference(self.restored[place], self.plain[place])


@dataclasses.dataclass(frozen=True)
class RestorationGain:
    """The gains of all images under one degradation."""

    name: str
    degradation: Degradation
    rows: tuple[ImageGain, ...]

    @property
    def share(self) -> float:
        """Mean share of the image that is region."""
        return mean([row.share for row in self.rows])

    def plain(self, place: str) -> Quality:
        """Return the mean quality of the global results: of the dBs and of the SSIMs."""
        return mean_quality([row.plain[place] for row in self.rows])

    def restored(self, place: str) -> Quality:
        """Return the mean quality of the restored results."""
        return mean_quality([row.restored[place] for row in self.rows])

    def gain(self, place: str) -> Quality:
        """Return the mean of restored minus global."""
        return mean_quality([row.gain(place) for row in self.rows])

    @property
    def lost(self) -> int:
        """Number of images whose region has a lower PSNR than before."""
        return sum(row.gain("inside").psnr < 0 for row in self.rows)


def difference(a: Quality, b: Quality) -> Quality:
    """Return ``a − b``; 0 where both are ``inf``."""
    return Quality(0.0 if a.psnr == b.psnr else a.psnr - b.psnr, a.ssim - b.ssim)


def mean_quality(qualities: Sequence[Quality]) -> Quality:
    """Return the mean of the PSNRs (of the dBs, not of the errors) and of the SSIMs."""
    return Quality(mean([q.psnr for q in qualities]), mean([q.ssim for q in qualities]))


Process = Callable[[Image, Mask, int], tuple[Image, Image]]
"""``(degraded image, mask, scale)`` → the global and the restored result, ``scale`` times as large.

The mask has the results' size."""


def evaluate(
    process: Process,
    images: Iterable[tuple[str, Image, Mask]],
    names: Sequence[str] = tuple(DEGRADATIONS),
    *,
    seed: int = 0,
    limit: int | None = None,
    picture: Callable[[str, str, Image, Image, Image], None] | None = None,
) -> list[RestorationGain]:
    """Degrade, process and compare every image under every degradation.

    Args:
      images: name, original and mask of each; they are cut to a multiple of the scale.
      names: which of :data:`DEGRADATIONS`.
      seed: of the noise, which is the same for an image whatever else is evaluated.
      limit: how many images are taken, the first ones; None: all.
      picture: called with the image's and the degradation's names, the global result, the restored
        one and the original.

    Raises:
      UserError: there is no such degradation, there are no images, or an image is too small.
    """
    check_names(names, DEGRADATIONS)
    rows: dict[str, list[ImageGain]] = {name: [] for name in names}
    for name, original, mask in itertools.islice(images, limit):
        for kind, so_far in rows.items():
            scale = DEGRADATIONS[kind].scale
            high, region = (np.ascontiguousarray(modcrop(x, scale)) for x in (original, mask))
            if min(region.shape) < metrics.WINDOW * scale:
                raise UserError(
                    f"{name}: {original.shape[1]}×{original.shape[0]} pixels are too few to measure"
                    f" at ×{scale}; it takes {metrics.WINDOW * scale} on each side"
                )
            low = DEGRADATIONS[kind](high, generator(seed, name, kind))
            plain, restored = process(low, region, scale)
            qualities = (compare(output, high, region) for output in (plain, restored))
            so_far.append(ImageGain(name, float(region.mean()), *qualities))
            if picture is not None:
                picture(name, kind, plain, restored, high)
    if not all(rows.values()):
        raise UserError("no images to evaluate on")
    return [RestorationGain(kind, DEGRADATIONS[kind], tuple(rows[kind])) for kind in rows]


def centred_box(image: Image) -> Mask:
    """Return half of each side in the middle: a region for images that come without one."""
    height, width = image.shape[:2]
    mask = np.zeros((height, width), bool)
    mask[height // 4 : height - height // 4, width // 4 : width - width // 4] = True
    return mask
