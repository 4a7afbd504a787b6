"""The learned codec as a user calls it: ``encode(image, quality=60)`` → bytes → ``decode(data)``.

A file decodes to the same symbols on every device, and to the same pixels within ±1 of 255.
"""

import math
import os
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from jaxsr import zoo
from jaxsr.codec import container, encoder, half, region, weights
from jaxsr.codec.container import LEVELS, Header, parse_header
from jaxsr.codec.differentiable import coded, rate_distortion, rate_of
from jaxsr.codec.half import Enlarger
from jaxsr.codec.kept import once_a_file
from jaxsr.codec.model import Model
from jaxsr.codec.weights import load
from jaxsr.errors import UserError
from jaxsr.image import files
from jaxsr.image.pictures import Finder, Image, Roi, as_picture, opened, planes, split
from jaxsr.regions import segmenting
from jaxsr.regions.find import chosen, mask_in
from jaxsr.regions.masks import REGION
from jaxsr.regions.segmenting import SquareSegmenter

__all__ = [
    "DEFAULT",
    "MODES",
    "ROI_GAIN",
    "Enlarger",
    "Header",
    "Model",
    "coded",
    "decode",
    "decode_picture",
    "encode",
    "info",
    "level_of",
    "load",
    "rate_distortion",
    "rate_of",
    "region_of",
]

DEFAULT = weights.DEFAULT
ROI_GAIN = 10.0  # dB; see benchmarks/region_bytes.py
MODES = ("full", "half", "auto")
Segmenter = str | os.PathLike | Finder

info = parse_header


def encode(
    image: Image,
    quality: int = 50,
    *,
    bpp: float | None = None,
    max_bytes: int | None = None,
    roi: Roi = None,
    roi_gain: float = ROI_GAIN,
    mode: str = "full",
    keep_metadata: bool = False,
    model: str | os.PathLike | Model = DEFAULT,
    upscaler: str | os.PathLike | Enlarger = half.DEFAULT,
    segmenter: Segmenter = zoo.DEFAULT_SEGMENTER,
) -> bytes:
    """An image as a complete ``.jsr`` file.

    Args:
      image: an array, uint8 or float in [0, 1], ``(h, w)`` or ``(h, w, 1 to 4 channels)``; a
        Picture; or an image file's path.
      quality: 1 (smallest) to 100 (best).
      bpp: instead of a quality, bits per pixel of the whole file, not exceeded; missed by more than
        3 % only where the highest level takes less.
      max_bytes: instead of a quality, the size of the whole file, not exceeded.
      roi: the region that is coded finer: a mask of the image's size (bool, uint8, uint16 or float
        in [0, 1]) or the path of its file, boxes ``[(x, y, w, h), …]``, "all", or "auto": what
        ``segmenter`` finds. Under ``bpp`` or ``max_bytes`` the rest pays for it.
      roi_gain: by how many dB finer; by half of that, a quarter and so on where else the bytes
        wanted would be too few.
      mode: "full" codes the image at its own size; "half" at half of it, and the decoder
        super-resolves it: with few bits that may be better, and files get smaller than they can at
        full size. "auto" decodes both and keeps the better: within the bytes wanted or, for a
        quality, those that it takes at full size.
      keep_metadata: whether a Picture's EXIF block goes into the file. Its ICC profile always does:
        without it the colours of a wide-gamut photo would be wrong.
      model: the codec: a released name, a weights file or a loaded Model.
      upscaler: of half the size, ×2: a released name, a weights file or a loaded Enlarger.
      segmenter: what finds the region where ``roi`` is "auto": a released name, a weights file, or
        a function from colours ``(h, w, 1 or 3)`` to their mask.

    Raises:
      UserError: no such image, one of 16 bits, or a size that cannot be met.
    """
    if mode not in MODES:
        raise UserError(f"a mode is full, half or auto, got {mode!r}")
    picture = _picture(image)
    mask = find_region(picture, roi, segmenter)
    source = encoder.Original(picture, mask, roi_gain, keep_metadata)
    model = _loaded(model, load)
    enlargers = {"full": [None], "half": [upscaler], "auto": [None, upscaler]}[mode]
    enlargers = [enlarger and _loaded(enlarger, half.load_enlarger) for enlarger in enlargers]
    if bpp is not None or max_bytes is not None:
        limit = _limit(bpp, max_bytes, source.size[0] * source.size[1])
        return _within(limit, model, source, enlargers)
    ways = [encoder.Prepared(model, source, enlarger) for enlarger in enlargers]
    first = ways[0].at(level_of(quality), quality)
    return encoder.better(ways, [first, *(way.within(len(first)) for way in ways[1:])])


def _within(limit: int, model: Model, source: encoder.Original, enlargers: list) -> bytes:
    """The best of the files of at most ``limit`` bytes; too fine a region is made less so."""
    ways = [encoder.Prepared(model, source, enlarger) for enlarger in enlargers]
    if file := encoder.better(ways, [way.within(limit) for way in ways]):
        return file
    if source.mask is not None and source.gain >= 2 * region.STEP_DB:
        return _within(limit, model, source.with_gain(source.gain / 2), enlargers)
    smaller = "; at half its size it can be smaller: mode half, or auto"
    smallest = len(ways[-1].at(0))
    bpp = math.ceil(8000 * smallest / (source.size[0] * source.size[1])) / 1000
    raise UserError(
        f"the smallest file of this image is {smallest} bytes, not {limit}; "
        f"ask for {bpp} bpp or more" + (smaller if enlargers == [None] else "")
    )


def level_of(quality: int) -> int:
    """The rate level of a quality.

    Raises:
      UserError: it is not 1 to 100.
    """
    if quality not in range(1, 101):
        raise UserError(f"quality is a whole number of 1 to 100, got {quality}")
    return round((quality - 1) / 99 * (LEVELS - 1))


def _limit(bpp: float | None, max_bytes: int | None, pixels: int) -> int:
    if bpp is not None and max_bytes is not None:
        raise UserError("give bpp or max_bytes, not both")
    if bpp is not None:
        if not bpp > 0:
            raise UserError(f"bpp is more than 0, got {bpp}")
        return int(min(bpp, 1e6) * pixels / 8)
    assert max_bytes is not None  # one of the two is given
    if max_bytes < 1:
        raise UserError(f"max_bytes is 1 or more, got {max_bytes}")
    return max_bytes


def find_region(
    image: Image, roi: Roi, segmenter: Segmenter | None = zoo.DEFAULT_SEGMENTER
) -> Float32[np.ndarray, "h w"] | None:
    """Returns the mask of the region that :func:`encode` codes finer; None where ``roi`` is None.

    A mask that is given may ask for less than all, so it stays as it is. What is found is a guess,
    and becomes 0 or 1.

    Args:
      image, roi, segmenter: as for :func:`encode`; no segmenter where ``roi`` isn't "auto" will do.

    Raises:
      UserError: it is no image, or there is no such region.
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


def _finder(segmenter: Any) -> Any:
    """Returns what finds a mask; it loads its network when it is first called."""
    return lambda colour: _loaded(segmenter, _load_segmenter)(colour)


def _load_segmenter(name_or_path: str | os.PathLike) -> SquareSegmenter:
    return _read_segmenter(zoo.find_weights(zoo.SEGMENTER, name_or_path))


_read_segmenter = once_a_file(segmenting.load)


def decode(
    data: bytes,
    *,
    model: str | os.PathLike | Model | None = None,
    upscaler: str | os.PathLike | Enlarger | None = None,
) -> UInt8[np.ndarray, "h w *c"]:
    """The image of a ``.jsr`` file: ``(h, w, 3)``, gray ``(h, w)``; alpha as a last channel.

    Raises:
      UserError: see :func:`decode_picture`.
    """
    picture = decode_picture(data, model=model, upscaler=upscaler)
    pixels = picture.pixels
    if picture.alpha is not None:
        return np.concatenate([pixels, picture.alpha[..., None]], axis=-1)
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels


def decode_picture(
    data: bytes,
    *,
    model: str | os.PathLike | Model | None = None,
    upscaler: str | os.PathLike | Enlarger | None = None,
) -> files.Picture:
    """The image with its alpha, and ICC profile and EXIF block where the file has them.

    Args:
      model: the codec it was coded with; unless given, the released one that the file names.
      upscaler: that it was made with, of a file that holds the image at half its size; likewise.

    Raises:
      UserError: it is no ``.jsr`` file, damaged, or coded with a model that is not here.
    """
    file = container.parse(data)
    model, enlarger = _model_of(file.header, model), _enlarger_of(file.header, upscaler)
    return files.Picture(encoder.decoded(file, model, enlarger), file.alpha, file.icc, file.exif)


def region_of(data: bytes) -> Float32[np.ndarray, "h w"] | None:
    """Returns the region that a ``.jsr`` file was made with, as a mask of its image, or None.

    Of the mask that was given it has what the file has: shares of 16×16 pixels (32×32 at half the
    size), none, half or all of them; see :func:`jaxsr.codec.region.mask_of`.

    Raises:
      UserError: it is no ``.jsr`` file, or damaged.
    """
    file = container.parse(data)
    if file.region is None:
        return None
    header = file.header
    return region.mask_of(file.region, header.height, header.width, header.scale)


def _model_of(header: Header, given) -> Model:
    return _named(header.model_hash, "a model", given, weights.available(), load)


def _enlarger_of(header: Header, given) -> Enlarger | None:
    if header.scale == 1:
        return None
    return _named(header.upscaler, "an upscaler", given, half.available(), half.load_enlarger)


def _named(wanted: bytes, what: str, given, released, load):
    """The one of a hash that a file was made with: it is the one given, or else released."""
    kind = what.split()[-1]
    if given is None:
        for name in released:
            if load(name).hash == wanted:
                return load(name)
        raise UserError(
            f"the file was coded with {what} that is not here (hash {wanted.hex()}); "
            f"give its weights file as the {kind}"
        )
    found = _loaded(given, load)
    if found.hash != wanted:
        raise UserError(
            f"the file was coded with another {kind} (hash {wanted.hex()}) than the one given "
            f"({found.hash.hex()})"
        )
    return found


def _loaded(given, load):
    """What was given, read if it is a name or a path."""
    return load(given) if isinstance(given, str | os.PathLike) else given


def _picture(image: Image) -> files.Picture:
    """Returns the image as a Picture of 8 bits."""
    picture = as_picture(image)
    if picture.pixels.dtype != np.uint8:
        raise UserError(
            "the image has 16 bits a channel, this format holds 8; reduce it first "
            "(jaxsr compress --reduce-to-8-bit)"
        )
    return picture
