"""Rate and distortion as the compression field measures them: whole files, 8-bit RGB.

:func:`measure` takes an image through the protocol: encode, count the bytes, decode, compare.
:func:`evaluate` does so with all images of a set and any codecs, each at its own qualities; every
codec gets a :class:`MeasuredCurve`.
"""

import dataclasses
import itertools
import math
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import UInt8

from jaxsr.errors import UserError
from jaxsr.evaluation import originals
from jaxsr.image import metrics
from jaxsr.image.values import to_float

Pixels = UInt8[np.ndarray, "h w _"]  # the last is 1 (gray) or 3 (RGB)


@dataclasses.dataclass(frozen=True)
class Codec:
    """A codec to be measured: a pair of functions, whatever is behind them.

    Attributes: name: its name in tables. encode: (pixels, quality) → the bytes of the complete
      file. decode: those bytes → 8-bit pixels of that size, (h, w) or (h, w, c); gray may come
      back as RGB. qualities: those there are; the higher, the more bytes. about: versions and
      settings, for the report. compiles: whether a first call may be slow because it compiles
      something. Every call is then
        made twice, and the second is timed: what is compiled depends on the size of the image, and
        for some codecs on that of the file.
    """

    name: str
    encode: Callable[[Pixels, int], bytes]
    decode: Callable[[bytes], UInt8[np.ndarray, "h w *c"]]
    qualities: range = range(1, 101)
    about: str = ""
    compiles: bool = False


@dataclasses.dataclass(frozen=True)
class Measurement:
    """The figures of one image at one quality.

    Attributes:
      bytes: size of the complete file; a mean may have a fraction.
      bpp: 8 × bytes / pixels of the original.
      psnr: of 8-bit RGB, in dB; ``inf`` if the copy is exact.
      ms_ssim: of 8-bit RGB; ``nan`` for images too small for it (a side under 161 pixels).
      encode_seconds: wall-clock time from pixels to bytes.
      decode_seconds: wall-clock time from bytes to pixels.
    """

    bytes: int | float
    bpp: float
    psnr: float
    ms_ssim: float
    encode_seconds: float
    decode_seconds: float


@dataclasses.dataclass(frozen=True)
class Point:
    """The measurements of a set of images at one quality, by the images' names."""

    quality: int
    images: Mapping[str, Measurement]

    @property
    def mean(self) -> Measurement:
        """Mean of every figure over the images: of the bpps, the dBs (see :func:`mean`)."""
        return mean(list(self.images.values()))


@dataclasses.dataclass(frozen=True)
class MeasuredCurve:
    """The points of a codec on a set of images, one for each quality."""

    name: str
    points: tuple[Point, ...]
    about: str = ""

    @property
    def bpp(self) -> list[float]:
        """Mean rate of each point, in bits per pixel."""
        return [point.mean.bpp for point in self.points]

    @property
    def psnr(self) -> list[float]:
        """Mean PSNR of each point, in dB."""
        return [point.mean.psnr for point in self.points]


def mean(measurements: Sequence[Measurement]) -> Measurement:
    """Return the mean of each figure; a ``nan`` or ``inf`` among the images shows in it."""
    figures = np.mean([dataclasses.astuple(each) for each in measurements], axis=0)
    return Measurement(*figures.tolist())


def evaluate(
    codecs: Sequence[tuple[Codec, Sequence[int]]],
    images: originals.Images,
    *,
    limit: int | None = None,
    picture: Callable[[str, str, int, Pixels], None] | None = None,
) -> list[MeasuredCurve]:
    """Measure codecs, each at its own qualities, on the same images.

    Args:
      codecs: each with the qualities to measure it at.
      images: a folder, or (name, uint8 image) pairs; gray or RGB, transparency is left out.
      limit: how many images are taken, the first ones; None: all.
      picture: called with every reconstruction: image's name, codec's name, quality, 8-bit pixels.

    Raises: UserError: a codec has no such quality or returns an image of another size than it was
      given, or
        there are no images.
    """
    for codec, qualities in codecs:
        check_qualities(codec, qualities)
    measured: dict[tuple[int, int], dict[str, Measurement]] = {}
    for name, original in itertools.islice(originals.read(images), limit):
        original = _with_channels(original)
        for i, (codec, qualities) in enumerate(codecs):
            for quality in qualities:
                measurement, output = measure(codec, original, quality)
                measured.setdefault((i, quality), {})[name] = measurement
                if picture is not None:
                    picture(name, codec.name, quality, output)
    if codecs and not measured:
        raise UserError("no images to evaluate on")
    return [
        MeasuredCurve(codec.name, tuple(Point(q, measured[i, q]) for q in qualities), codec.about)
        for i, (codec, qualities) in enumerate(codecs)
    ]


def check_qualities(codec: Codec, qualities: Sequence[int]) -> None:
    """Check that there are qualities, all of them in a codec's range.

    Raises:
      UserError: there are none, or the codec has not this one.
    """
    accepted = (
        f"{codec.name} takes whole numbers from {codec.qualities[0]} to {codec.qualities[-1]}"
    )
    if not qualities:
        raise UserError(f"no qualities to measure {codec.name} at; {accepted}")
    for quality in qualities:
        if quality not in codec.qualities:
            raise UserError(f"quality {quality}: {accepted}")


def measure(codec: Codec, original: Pixels, quality: int) -> tuple[Measurement, Pixels]:
    """Measure a codec on one image; return the figures and the reconstruction.

    Raises:
      UserError: the reconstruction isn't 8-bit pixels of the original's size.
    """
    data, encode_seconds = _timed(codec, lambda: codec.encode(original, quality))
    output, decode_seconds = _timed(codec, lambda: codec.decode(data))
    output = _with_channels(output)
    psnr, ms_ssim = compare(codec.name, output, original)
    bpp = 8 * len(data) / (original.shape[0] * original.shape[1])
    return Measurement(len(data), bpp, psnr, ms_ssim, encode_seconds, decode_seconds), output


def _timed(codec: Codec, call: Callable):
    if codec.compiles:
        call()
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def _with_channels(pixels: np.ndarray) -> np.ndarray:
    return pixels if pixels.ndim == 3 else pixels[..., None]


def compare(name: str, output: np.ndarray, original: Pixels) -> tuple[float, float]:
    """Return PSNR in dB and MS-SSIM of 8-bit RGB; gray counts as RGB. See :class:`Measurement`."""
    if output.dtype != np.uint8 or output.shape[:2] != original.shape[:2]:
        raise UserError(
            f"{name}: decoding gave {output.dtype} of {output.shape} for an 8-bit original of"
            f" {original.shape}"
        )
    a, b = (to_float(np.broadcast_to(image, (*image.shape[:2], 3))) for image in (output, original))
    large = min(original.shape[:2]) >= metrics.MS_SSIM_SIDE
    return float(metrics.psnr(a, b)), float(metrics.ms_ssim(a, b)) if large else math.nan
