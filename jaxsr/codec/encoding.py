"""Images to files: ``encode``, by quality, bytes or likeness, and the region that it favours."""

import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float32

from jaxsr import zoo
from jaxsr.codec import half, prepared, region, targets, weights
from jaxsr.codec.container import LEVELS
from jaxsr.codec.given import real, whole
from jaxsr.codec.half import Enlarger
from jaxsr.codec.kept import loaded, once_a_file
from jaxsr.codec.model import Model
from jaxsr.errors import UserError
from jaxsr.image import files
from jaxsr.image.files import MAX_PIXELS
from jaxsr.image.pictures import (
    Finder,
    Image,
    Roi,
    as_array,
    as_picture,
    opened,
    planes,
    split,
)
from jaxsr.regions import segmenting
from jaxsr.regions.find import chosen, mask_in
from jaxsr.regions.masks import REGION
from jaxsr.regions.segmenting import SquareSegmenter

QUALITY = 50
ROI_GAIN = 10.0  # dB; see benchmarks/region_bytes.py
UNLIMITED = 2**62  # bytes: no file is larger
MODES = ("full", "half", "auto")
Segmenter = str | os.PathLike | Finder


def encode(
    image: Image,
    quality: int | None = None,
    *,
    bpp: float | None = None,
    max_bytes: int | None = None,
    target_psnr: float | None = None,
    target_msssim: float | None = None,
    roi: Roi = None,
    roi_gain: float = ROI_GAIN,
    mode: str = "full",
    keep_metadata: bool = False,
    model: str | os.PathLike | Model = weights.DEFAULT,
    upscaler: str | os.PathLike | Enlarger = half.DEFAULT,
    segmenter: Segmenter = zoo.DEFAULT_SEGMENTER,
) -> bytes:
    """Code an image as a complete ``.jsr`` file.

    Args:
      image: an array, uint8 or float in [0, 1], ``(h, w)`` or ``(h, w, 1 to 4 channels)``; a
        Picture; or an image file's path.
      quality: 1 (smallest) to 100 (best); 50 if none of the next four is given in its place.
      bpp: the most bits per pixel that the whole file may take. The file takes at least 97 % of
        them, or is the one of the highest level.
      max_bytes: the most bytes that the whole file may take.
      target_psnr: the least PSNR in dB, over all RGB values, of the 8-bit picture that the file
        decodes to; the file is the smallest found that reaches it. Under full transparency the
        visible colours are compared that continue there.
      target_msssim: likewise the least MS-SSIM, less than 1, the mean of the three channels
        (:func:`jaxsr.image.metrics.ms_ssim`). Needs sides of 161 pixels or more.
      roi: the region to code finer: a mask of the image's size (bool, uint8, uint16 or float
        in [0, 1]) or the path of its file, boxes ``[(x, y, w, h), …]``, "all", or "auto": what
        ``segmenter`` finds. Under ``bpp`` or ``max_bytes`` the rest of the image pays for it.
      roi_gain: by how many dB finer. Halved, as often as needed, where no file within ``bpp`` or
        ``max_bytes`` could have it.
      mode: "full" codes the image at its own size. "half" codes it at half its size, and the
        decoder super-resolves it: often better at few bits, and with smaller files than full size
        allows. "auto" decodes both and keeps the better; for a ``quality`` both may take the bytes
        that it takes at full size. For a target it keeps the smaller file.
      keep_metadata: True to store a Picture's EXIF block. Its ICC profile is always stored: without
        it the colours of a wide-gamut photo would be wrong.
      model: the codec: a released name, a weights file or a loaded Model.
      upscaler: enlarges the half size, ×2: a released name, a weights file or a loaded Enlarger.
      segmenter: finds the region where ``roi`` is "auto": a released name, a weights file, or
        a function from colours ``(h, w, 1 or 3)`` to their mask.

    Raises:
      UserError: the image cannot be read or has 16 bits a channel, an option is out of its range,
        or no file is as small or as alike as asked for.
    """
    if not isinstance(mode, str) or mode not in MODES:
        raise UserError(f"a mode is full, half or auto, got {mode!r}")
    how, value = _asked(
        quality=quality,
        bpp=bpp,
        max_bytes=max_bytes,
        target_psnr=target_psnr,
        target_msssim=target_msssim,
    )
    source = original(image, roi, roi_gain, keep_metadata, segmenter)
    model = loaded(model, weights.load, Model)
    enlargers: list[Enlarger | None] = [] if mode == "half" else [None]
    if mode != "full":
        enlargers.append(loaded(upscaler, half.load_enlarger, Enlarger))
    if how in targets.MEASURES:
        return _reaching(targets.target_of(how, value, *source.size), model, source, enlargers)
    if how != "quality":
        limit = _limit(how, value, source.size[0] * source.size[1])
        return _within(limit, bpp, model, source, enlargers)
    level = level_of(value)
    ways = [prepared.Prepared(model, source, enlarger) for enlarger in enlargers]
    first = ways[0].at(level, int(value))
    return prepared.better(ways, [first, *(way.within(len(first)) for way in ways[1:])])


def original(
    image: Image,
    roi: Roi = None,
    roi_gain: float = ROI_GAIN,
    keep_metadata: bool = False,
    segmenter: Segmenter = zoo.DEFAULT_SEGMENTER,
) -> prepared.Original:
    """Return an image with its region, ready to be coded.

    Arguments and errors are those of :func:`encode`.
    """
    picture = _picture(image)
    mask = find_region(picture, roi, segmenter)
    return prepared.Original(picture, mask, roi_gain, keep_metadata)


def _asked(**options: Any) -> tuple[str, Any]:
    """Return which of the options that decide a file's size was given, and its value.

    Raises:
      UserError: several were given.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if len(given) > 1:
        not_so = "not both" if len(given) == 2 else "only one of them"
        raise UserError(f"give {' or '.join(given)}, {not_so}")
    return next(iter(given.items()), ("quality", QUALITY))


def _reaching(
    target: targets.Target, model: Model, source: prepared.Original, enlargers: list
) -> bytes:
    """Return the smallest file that reaches a target.

    Raises:
      UserError: none does.
    """
    ways = (prepared.Prepared(model, source, enlarger) for enlarger in enlargers)
    found = [way.reaching(target) for way in ways]
    if files := [file for file, _ in found if file is not None]:
        return min(files, key=len)
    raise target.unreachable(max(best for _, best in found))


def _within(
    limit: int, bpp: float | None, model: Model, source: prepared.Original, enlargers: list
) -> bytes:
    """Return the best file of at most ``limit`` bytes; halve the region's gain if none is.

    ``bpp`` is what was asked for in place of bytes, if it was: an error answers in the same unit.
    """
    ways = [prepared.Prepared(model, source, enlarger) for enlarger in enlargers]
    if file := prepared.better(ways, [way.within(limit) for way in ways]):
        return file
    if source.mask is not None and source.gain >= 2 * region.STEP_DB:
        return _within(limit, bpp, model, source.with_gain(source.gain / 2), enlargers)
    smaller = "; at half its size it can be smaller: mode half, or auto"
    smallest = len(ways[-1].at(0))
    least = f"{smallest} bytes"
    if bpp is not None:
        least = f"{math.ceil(8000 * smallest / (source.size[0] * source.size[1])) / 1000} bpp"
    raise UserError(
        f"the smallest file of this image is {smallest} bytes, not {limit}; "
        f"ask for {least} or more" + (smaller if enlargers == [None] else "")
    )


def level_of(quality: int) -> int:
    """Return the rate level, 0 to 1023, of a quality of 1 to 100.

    Raises:
      UserError: the quality is not a whole number of 1 to 100.
    """
    number = whole(quality, "quality is a whole number of 1 to 100", lambda q: 1 <= q <= 100)
    return round((number - 1) / 99 * (LEVELS - 1))


def _limit(option: str, value: Any, pixels: int) -> int:
    """Return the bytes that a file of so many pixels may take by ``bpp`` or ``max_bytes``."""
    if option == "bpp":
        bits = real(value, "bpp is more than 0", lambda bits: bits > 0)
        return int(min(bits, 1e6) * pixels / 8)
    return int(min(real(value, "max_bytes is 1 or more", lambda n: n >= 1), UNLIMITED))


def check_size(image: Image) -> None:
    """Check that an image's pixels are not more than a file can have, without converting them.

    Raises:
      UserError: they are; or it is no image.
    """
    array = image.pixels if isinstance(image, files.Picture) else as_array(image, "an image")
    if math.prod(array.shape[:2]) > MAX_PIXELS:
        raise UserError(
            f"an image of {' × '.join(map(str, array.shape))}; at most {MAX_PIXELS // 10**6} "
            "million pixels can be coded: cut it into parts"
        )


def _picture(image: Image) -> files.Picture:
    """Return the image as a Picture of 8 bits."""
    image = opened(image)
    check_size(image)
    picture = as_picture(image)
    if picture.pixels.dtype != np.uint8:
        raise UserError(
            "the image has 16 bits a channel, this format holds 8; reduce it first "
            "(jaxsr compress --reduce-to-8-bit)"
        )
    return picture


def find_region(
    image: Image, roi: Roi, segmenter: Segmenter | None = zoo.DEFAULT_SEGMENTER
) -> Float32[np.ndarray, "h w"] | None:
    """Return the mask, in [0, 1], of the region that :func:`encode` codes finer.

    A mask that was given keeps its values, which may ask for less than the whole gain. One that a
    segmenter found is a guess, so it is thresholded to 0 and 1.

    Args:
      image, roi: as for :func:`encode`; the result is None where ``roi`` is None.
      segmenter: as for :func:`encode`; only used, and only loaded, where ``roi`` is "auto".

    Raises:
      UserError: the image cannot be read, or ``roi`` is no region of it.
    """
    if roi is None:
        return None
    image = opened(image)
    height, width = planes(image)[0].shape[:2]
    region = chosen(roi, height, width, _finder(segmenter))
    if not callable(region):
        return region
    colour, _ = split(image)
    return (mask_in(region, colour) > REGION).astype(np.float32)


def _finder(segmenter: Any) -> Callable:
    """Return the function that finds a mask; its network is loaded at the first call."""
    return lambda colour: loaded(segmenter, _load_segmenter, Callable)(colour)


def _load_segmenter(name_or_path: str | os.PathLike) -> SquareSegmenter:
    return _read_segmenter(zoo.find_weights(zoo.SEGMENTER, name_or_path))


_read_segmenter = once_a_file(segmenting.load)
