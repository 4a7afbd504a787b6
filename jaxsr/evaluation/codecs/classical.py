"""JPEG, WebP, AVIF and JPEG XL as codecs to measure beside a learned one.

Each is set as a careful user sets it: no metadata, 8 bits, and the library's own default for all
else, the number of threads included.
"""

import io
from collections.abc import Callable

import imagecodecs
import numpy as np
import PIL
from PIL import Image, features

from jaxsr.errors import UserError
from jaxsr.evaluation.codecs.protocol import Codec, Pixels


def create(key: str) -> Codec:
    """Return one of :data:`CODECS` by its key.

    Raises:
      UserError: there is no such codec, or the installed libraries are built without it.
    """
    if key not in CODECS:
        raise UserError(f"unknown codec {key!r}; there are: {', '.join(CODECS)}")
    codec = CODECS[key]()
    if codec is None:
        raise UserError(
            f"{key} cannot be measured: neither Pillow {PIL.__version__} nor imagecodecs"
            f" {imagecodecs.__version__} has it here; upgrade them or leave it out"
        )
    return codec


def jpeg() -> Codec | None:
    """Return Pillow's libjpeg: chroma at half size (4:2:0), optimised Huffman tables."""
    return _pillow("JPEG", "jpg", range(1, 101), optimize=True, subsampling="4:2:0")


def webp() -> Codec | None:
    """Return Pillow's libwebp: lossy, method 6, its slowest and best. Gray comes back as RGB."""
    return _pillow("WebP", "webp", range(101), method=6)


def avif() -> Codec | None:
    """Return Pillow's libavif (from 11.3): its default speed 6, chroma at half size (4:2:0)."""
    return _pillow("AVIF", "avif", range(101), speed=6)


def jpeg_xl() -> Codec | None:
    """Return imagecodecs' libjxl: effort 7; it makes a distance of the quality (of 90, 1.0)."""
    if not imagecodecs.JPEGXL.available:
        return None

    def encode(pixels: Pixels, quality: int) -> bytes:
        return bytes(imagecodecs.jpegxl_encode(_without_one(pixels), level=quality, effort=7))

    about = f"{imagecodecs.jpegxl_version()} in imagecodecs {imagecodecs.__version__}, effort 7"
    return Codec("JPEG XL", encode, imagecodecs.jpegxl_decode, range(101), about)


CODECS: dict[str, Callable[[], Codec | None]] = {
    "jpeg": jpeg,
    "webp": webp,
    "avif": avif,
    "jpeg_xl": jpeg_xl,
}
"""Makes the codecs, by key; None where the installed libraries are built without one."""


def _pillow(name: str, feature: str, qualities: range, **options) -> Codec | None:
    if not features.check(feature):
        return None
    kind = name.upper()

    def encode(pixels: Pixels, quality: int) -> bytes:
        file = io.BytesIO()
        Image.fromarray(_without_one(pixels)).save(file, kind, quality=quality, **options)
        return file.getvalue()

    def decode(data: bytes) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(data), formats=[kind]))

    settings = ", ".join(f"{key} {value}" for key, value in options.items())
    about = f"Pillow {PIL.__version__} with {feature} {features.version(feature)}, {settings}"
    return Codec(name, encode, decode, qualities, about)


def _without_one(pixels: Pixels) -> np.ndarray:
    """Return gray as (h, w), as the libraries want it."""
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels
