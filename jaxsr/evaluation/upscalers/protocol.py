"""Super-resolution as the field measures it: PSNR and SSIM of Y, beside those of bicubic.

An image is reduced by :func:`degrade`, enlarged by the upscaler, rounded to 8 bits and compared
with the original by :func:`score`; :func:`evaluate` does so with all images of a folder. The field
measures clean images; reduced ones can be degraded as well (:data:`INPUTS`).
"""

import dataclasses
import itertools
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from jaxtyping import Array, Float, UInt8

from jaxsr.errors import UserError
from jaxsr.evaluation import originals
from jaxsr.evaluation.degradation import Degradation, check_names, generator
from jaxsr.image import metrics
from jaxsr.image.colour import rgb_to_y
from jaxsr.image.resize import imresize_uint8, modcrop
from jaxsr.image.symmetry import ensemble
from jaxsr.image.values import from_float, to_float

Images = Sequence[Float[np.ndarray, "_ _ 3"]]
Enlarge = Callable[[Images], Iterable[Float[Array | np.ndarray, "_ _ 3"]]]
"""RGB images of any sizes, float32 in [0, 1] → as many images, each ``scale`` times as large."""

CLEAN = "clean"
INPUTS: dict[str, Degradation] = {
    CLEAN: Degradation(),
    "noise": Degradation(noise=8.0),
    "jpeg": Degradation(jpeg=50),
    "blur": Degradation(blur=1.2),
    "mix": Degradation(blur=0.8, noise=5.0, jpeg=60),
    "codec": Degradation(codec=20),
}
"""What is done to reduced images before they are enlarged, by name; blurs are in their pixels."""


@dataclasses.dataclass(frozen=True)
class YScore:
    """Likeness of an image to its original: PSNR of Y in dB (``inf``: identical) and SSIM of Y."""

    psnr: float
    ssim: float


@dataclasses.dataclass(frozen=True)
class ImageScores:
    """The name of an image, the upscaler's score on it, and bicubic's."""

    name: str
    score: YScore
    bicubic: YScore


@dataclasses.dataclass(frozen=True)
class UpscalerScores:
    """The scores of an upscaler and of bicubic on every image of a set.

    Attributes:
      scale: the factor.
      rows: the images in order.
      seconds: wall-clock time spent in the upscaler, compilation included.
      inputs: which of :data:`INPUTS` it was given.
    """

    scale: int
    rows: tuple[ImageScores, ...]
    seconds: float
    inputs: str = CLEAN

    @property
    def mean(self) -> YScore:
        """Mean of the dBs and of the SSIMs; the former is ``inf`` if an image is identical."""
        return mean([row.score for row in self.rows])

    @property
    def bicubic(self) -> YScore:
        """:attr:`mean` of bicubic."""
        return mean([row.bicubic for row in self.rows])

    @property
    def identical(self) -> tuple[str, ...]:
        """Names of the images that were reproduced exactly, where PSNR is ``inf``."""
        return tuple(row.name for row in self.rows if math.isinf(row.score.psnr))


def mean(scores: Sequence[YScore]) -> YScore:
    """Return the mean of the PSNRs (of the dBs, not of the errors) and of the SSIMs."""
    return YScore(
        psnr=float(np.mean([score.psnr for score in scores])),
        ssim=float(np.mean([score.ssim for score in scores])),
    )


def evaluate(
    upscale: Enlarge,
    images: originals.Images,
    scale: int,
    *,
    self_ensemble: bool = False,
    limit: int | None = None,
    group: int = 8,
    inputs: str = CLEAN,
    picture: Callable[[str, UInt8[np.ndarray, "h w 3"]], None] | None = None,
) -> UpscalerScores:
    """Measure an upscaler by the protocol of the super-resolution literature.

    Each original is cut to a multiple of ``scale`` (:func:`modcrop`), reduced as MATLAB does and
    degraded as ``inputs`` says;
    the output is rounded to uint8, ``scale`` pixels are cut off every side of both, and their Y
    compared.

    Args:
      images: a folder of originals, or (name, uint8 image) pairs; gray ones are taken as RGB.
      scale: the factor, 2 or more.
      self_ensemble: whether to average the eight flips and rotations
        (:func:`~jaxsr.image.symmetry.ensemble`).
      limit: how many images are taken, the first ones; None: all.
      group: how many images are in memory, and given to ``upscale``, at a time.
      inputs: which of :data:`INPUTS`; their noise depends on nothing but that and the image's name.
      picture: called with the name and the 8-bit output of every image.

    Raises:
      UserError: the scale is under 2, there are no such inputs, there are no images, an image is
        too small, or an output isn't ``scale`` times as large as its input.
    """
    check_names([inputs], INPUTS)
    if scale < 2:
        raise UserError(f"scale must be 2 or more, got {scale}")
    upscale = ensemble(upscale) if self_ensemble else upscale
    rest = itertools.islice(originals.read(images), limit)
    rows, seconds = [], 0.0
    while some := list(itertools.islice(rest, group)):
        names = [name for name, _ in some]
        pairs = [degrade(name, original, scale, inputs) for name, original in some]
        start = time.perf_counter()
        outputs = [np.asarray(y) for y in upscale([to_float(low) for _, low in pairs])]
        seconds += time.perf_counter() - start
        for name, (original, low), output in zip(names, pairs, outputs, strict=True):
            output = _as_pixels(name, output, original)
            reference = imresize_uint8(low, scale)
            rows.append(
                ImageScores(name, *(score(y, original, scale) for y in (output, reference)))
            )
            if picture is not None:
                picture(name, output)
    if not rows:
        where = f"{images}: " if isinstance(images, str | os.PathLike) else ""
        raise UserError(f"{where}no images to evaluate on; PNG, JPEG, WebP and TIFF are read")
    return UpscalerScores(scale, tuple(rows), seconds, inputs)


def check_originals(folder: str | os.PathLike, scale: int | None = None) -> None:
    """Check that a folder can be evaluated on, before any work is done.

    Args:
      scale: where given, every image is read and its size checked.

    Raises:
      UserError: there are no images in the folder, or one cannot be read or is too small.
    """
    originals.check_folder(folder)
    if scale is not None:
        for name, original in originals.read(folder):
            degrade(name, original, scale)


def _as_pixels(name: str, output: np.ndarray, original: np.ndarray) -> UInt8[np.ndarray, "h w 3"]:
    """Round an output to 8 bits; raise UserError where it has not its original's size."""
    if output.shape != original.shape:
        raise UserError(
            f"{name}: the upscaler gave {_size(output)} pixels for an original of "
            f"{_size(original)}; evaluate it at its own scale"
        )
    return from_float(output)


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]}×{image.shape[0]}"


def degrade(
    name: str, original: UInt8[np.ndarray, "..."], scale: int, inputs: str = CLEAN
) -> tuple[UInt8[np.ndarray, "H W 3"], UInt8[np.ndarray, "h w 3"]]:
    """Return an original, cut and made RGB, and what upscalers are given: :func:`evaluate` has it.

    Raises:
      UserError: the original is too small to be measured at this scale.
    """
    original = modcrop(original if original.ndim == 3 else original[..., None], scale)
    original = np.broadcast_to(original, (*original.shape[:2], 3))
    if min(original.shape[:2]) < metrics.WINDOW + 2 * scale:
        raise UserError(
            f"{name}: {_size(original)} pixels are too few to measure at ×{scale}; it takes "
            f"{metrics.WINDOW + 2 * scale} on each side"
        )
    low = imresize_uint8(original, 1 / scale)
    return original, INPUTS[inputs](low, generator(0, name, inputs))


def score(
    output: UInt8[np.ndarray, "h w 3"], original: UInt8[np.ndarray, "h w 3"], border: int
) -> YScore:
    """Return PSNR and SSIM of Y, which is not rounded, without ``border`` pixels on every side."""
    a, b = (rgb_to_y(to_float(metrics.shave(image, border))) for image in (output, original))
    return YScore(psnr=float(metrics.psnr(a, b)), ssim=float(metrics.ssim(a, b)))


def bicubic(scale: int) -> Enlarge:
    """Return MATLAB's bicubic enlargement, rounded to 8 bits, as an upscaler."""

    def upscale(images: Images) -> Iterator[np.ndarray]:
        for image in images:
            yield to_float(imresize_uint8(from_float(image), scale))

    return upscale
