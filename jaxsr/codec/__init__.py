"""The learned codec as a user calls it: ``encode(image, quality=60)`` → bytes → ``decode(data)``.

A file decodes to the same symbols on every device, and to the same pixels within ±1 of 255.
"""

import os
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Shaped, UInt8

from jaxsr.codec import container, encoder, half, region, weights
from jaxsr.codec.container import LEVELS, Header, parse_header
from jaxsr.codec.differentiable import coded, rate_distortion, rate_of  # noqa: F401
from jaxsr.codec.half import Enlarger
from jaxsr.codec.model import Model
from jaxsr.codec.weights import load
from jaxsr.errors import UserError
from jaxsr.image import files
from jaxsr.image.values import from_float

DEFAULT = weights.DEFAULT
ROI_GAIN = 10.0  # dB; see benchmarks/region_bytes.py
MODES = ("full", "half", "auto")
Image = Shaped[np.ndarray | Array, "..."] | files.Picture | str | os.PathLike

info = parse_header


def encode(
    image: Image,
    quality: int = 50,
    *,
    bpp: float | None = None,
    max_bytes: int | None = None,
    roi: Shaped[np.ndarray | Array, "..."] | None = None,
    roi_gain: float = ROI_GAIN,
    mode: str = "full",
    keep_metadata: bool = False,
    model: str | os.PathLike | Model = DEFAULT,
    upscaler: str | os.PathLike | Enlarger = half.DEFAULT,
) -> bytes:
    """An image as a complete ``.jsr`` file.

    Args:
      image: uint8 ``(h, w)``, ``(h, w, 1)``, ``(h, w, 2)`` gray and alpha, ``(h, w, 3)`` or
        ``(h, w, 4)``; the same as floats in [0, 1]; or a Picture or an image file's path.
      quality: 1 (smallest) to 100 (best).
      bpp: instead of a quality, bits per pixel of the whole file, not exceeded; missed by more than
        3 % only where the highest level takes less.
      max_bytes: instead of a quality, the size of the whole file, not exceeded.
      roi: a mask of the image's size, bool, uint8 (255: all) or float in [0, 1]: where it is set,
        the image is coded finer. Under ``bpp`` or ``max_bytes`` the rest pays for it.
      roi_gain: by how many dB finer; by half of that, a quarter and so on where else the bytes wanted
        would be too few.
      mode: "full" codes the image at its own size; "half" at half of it, and the decoder
        super-resolves it: with few bits that may be better, and files get smaller than they can at full
        size. "auto" decodes both and keeps the better: within the bytes wanted or, for a quality, those
        that it takes at full size.
      keep_metadata: whether a Picture's ICC profile and EXIF block go into the file.
      model: the codec: a released name, a weights file or a loaded Model.
      upscaler: of half the size, ×2: a released name, a weights file or a loaded Enlarger.

    Raises:
      UserError: no such image, one of 16 bits, or a size that cannot be met.
    """
    if mode not in MODES:
        raise UserError(f"a mode is full, half or auto, got {mode!r}")
    picture = _picture(image)
    roi = None if roi is None else np.asarray(roi)
    _check_mask(roi, picture)
    source = encoder.Source(picture, roi, roi_gain, keep_metadata)
    model = _loaded(model, load)
    enlargers = {"full": [None], "half": [upscaler], "auto": [None, upscaler]}[mode]
    enlargers = [enlarger and _loaded(enlarger, half.load_enlarger) for enlarger in enlargers]
    if bpp is not None or max_bytes is not None:
        limit = _limit(bpp, max_bytes, source.size[0] * source.size[1])
        return _within(limit, model, source, enlargers)
    ways = [encoder.Prepared(model, source, enlarger) for enlarger in enlargers]
    first = ways[0].at(level_of(quality), quality)
    return encoder.better(ways, [first, *(way.within(len(first)) for way in ways[1:])])


def _within(limit: int, model: Model, source: encoder.Source, enlargers: list) -> bytes:
    """The best of the files of at most ``limit`` bytes; too fine a region is made less so."""
    ways = [encoder.Prepared(model, source, enlarger) for enlarger in enlargers]
    if file := encoder.better(ways, [way.within(limit) for way in ways]):
        return file
    if source.mask is not None and source.gain >= 2 * region.STEP_DB:
        return _within(limit, model, source.with_gain(source.gain / 2), enlargers)
    smaller = "; at half its size it can be smaller: mode half, or auto"
    raise UserError(
        f"the smallest file of this image is {len(ways[-1].at(0))} bytes, not {limit}"
        + (smaller if enlargers == [None] else "")
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
    if max_bytes < 1:
        raise UserError(f"max_bytes is 1 or more, got {max_bytes}")
    return max_bytes


def _check_mask(roi: np.ndarray | None, picture: files.Picture) -> None:
    size = picture.pixels.shape[:2]
    if roi is None:
        return
    if roi.ndim != 2:
        raise UserError(f"a region's mask is an array (height, width), got one of {roi.shape}")
    if roi.shape != size:
        raise UserError(
            f"the region's mask is {roi.shape[1]}×{roi.shape[0]}, the image {size[1]}×{size[0]}; "
            "they must be of one size"
        )


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
    """The region that a ``.jsr`` file was made with, as a mask of its image; None where it has none.

    Of the mask that was given it has what the file has: shares of 16×16 pixels (32×32 at half the size),
    none, half or all of them; see :func:`jaxsr.codec.region.mask_of`.

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


def _picture(image: Any) -> files.Picture:
    """The image as a Picture of 8 bits."""
    if isinstance(image, str | os.PathLike):
        image = files.read(image)
    if not isinstance(image, files.Picture):
        image = _from_array(np.asarray(image))
    if image.pixels.dtype not in (np.uint8, np.uint16):
        raise UserError(f"an image is uint8, or float in [0, 1], got {image.pixels.dtype}")
    if image.pixels.dtype != np.uint8:
        raise UserError(
            "the image has 16 bits a channel, this format holds 8; reduce it first "
            "(jaxsr compress --reduce-to-8-bit)"
        )
    return image


def _from_array(array: np.ndarray) -> files.Picture:
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or not 1 <= array.shape[2] <= 4 or 0 in array.shape:
        raise UserError(
            f"an image is (height, width) or (height, width, 1 to 4 channels), got {array.shape}"
        )
    if jnp.issubdtype(array.dtype, jnp.floating):
        if not (array.min() >= 0 and array.max() <= 1):
            raise UserError(
                f"a float image is in [0, 1], got {array.min():g} to {array.max():g}; "
                "divide by its white, or give uint8"
            )
        array = from_float(array.astype(np.float32))
    colours = 1 if array.shape[2] < 3 else 3
    alpha = array[..., colours] if array.shape[2] > colours else None
    return files.Picture(array[..., :colours], alpha)
