"""Image files to and from pictures: arrays, with what belongs to the pixels.

Reading gives upright gray or RGB pixels of 8 or 16 bits whatever the file held; writing is whole or
not at all. See :mod:`jaxsr.image.formats` for the formats.
"""

import dataclasses
import os

import numpy as np

from jaxsr.atomic import read_bytes, write_bytes
from jaxsr.errors import UserError
from jaxsr.image import decoding, encoding
from jaxsr.image.decoding import MAX_PIXELS, turn_upright
from jaxsr.image.formats import FORMATS, NAMES, Format, format_of, format_of_content

__all__ = [
    "MAX_PIXELS",
    "Picture",
    "check_holds",
    "count_frames",
    "decode",
    "encode",
    "read",
    "turn_upright",
    "write",
]


@dataclasses.dataclass(frozen=True)
class Picture:
    """An image as a file holds it: pixels and what belongs to them.

    Attributes:
      pixels: (height, width, channels) uint8 or uint16; one channel is gray, three are RGB. Not
        multiplied by alpha.
      alpha: (height, width) of the same dtype, 0 transparent; ``None`` if the file has none.
      icc: the ICC profile that says what the numbers mean as colours.
      exif: the EXIF block, beginning with ``b"Exif\\0\\0"``; its orientation is upright.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    icc: bytes | None = None
    exif: bytes | None = None

    def __post_init__(self):
        pixels, alpha = self.pixels, self.alpha
        for name, value in (("pixels", pixels), ("alpha", alpha)):
            if not hasattr(value, "dtype") and (name == "pixels" or value is not None):
                raise UserError(f"a picture's {name} are an array, got {type(value).__name__}")
        for name, value in (("icc", self.icc), ("exif", self.exif)):
            if not isinstance(value, bytes | None):
                raise UserError(f"a picture's {name} is bytes, got {type(value).__name__}")
        if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or 0 in pixels.shape:
            raise UserError(
                f"a picture is (height, width, 1 or 3) pixels, got an array of {pixels.shape}"
            )
        if pixels.dtype not in (np.uint8, np.uint16):
            raise UserError(f"a picture has uint8 or uint16 pixels, got {pixels.dtype}")
        if alpha is not None and (alpha.shape, alpha.dtype) != (pixels.shape[:2], pixels.dtype):
            raise UserError(
                f"alpha must be {pixels.dtype} of {pixels.shape[:2]} as the pixels are, got "
                f"{alpha.dtype} of {alpha.shape}"
            )


def read(path: str | os.PathLike) -> Picture:
    """Read an image file of a format told by its content; of several pages or frames, the first.

    Pixels are turned upright as EXIF says. Palette, 1-bit and YCbCr images become gray or RGB; CMYK
    becomes sRGB by its profile; a transparent colour or palette entry becomes alpha.

    Raises:
      UserError: the file is missing, a folder, empty, not such an image, damaged or truncated,
        larger than ``MAX_PIXELS``, or holds pixels of other than 1 to 8 or 16 bits.
    """
    return decode(read_bytes(path), path)


def decode(data: bytes, name: str | os.PathLike) -> Picture:
    """Decode a file's bytes as :func:`read` does; ``name`` is what errors call it."""
    kind = format_of_content(data)
    if kind is None:
        raise UserError(f"{name}: not a {NAMES} image")
    try:
        return Picture(*decoding.decode(kind, data))
    except MemoryError:
        raise UserError(f"{name}: not enough memory to decode it; cut it into parts") from None
    except (decoding.Refused, UserError) as error:
        raise UserError(f"{name}: {error}") from None
    except Exception as error:  # each codec has its own exceptions for bad data
        raise UserError(f"{name}: the image is damaged or truncated ({error})") from None


def count_frames(data: bytes) -> int:
    """Count the pages or frames of an image file, of which :func:`decode` gives the first.

    Where they cannot be told, as in damaged files, the answer is 1.
    """
    kind = format_of_content(data)
    try:
        return 1 if kind is None else decoding.count_frames(kind, data)
    except Exception:  # the first may be sound all the same
        return 1


def write(path: str | os.PathLike, picture: Picture, quality: int = 95) -> None:
    """Write ``picture`` in the format of the path's suffix, whole or not at all.

    PNG and TIFF are lossless. ICC profile and EXIF are kept, but a gray profile is left out where
    the pixels are RGB (WebP and AVIF have no gray), and JPEG XL is written as sRGB alone.

    Args:
      quality: 1 to 100, for JPEG, WebP, AVIF and JPEG XL; WebP and JPEG XL at 100 are lossless.

    Raises:
      UserError: the suffix names no format that is written, the format can't hold 16 bits, alpha or
        the profile that the picture has, the quality is out of range, or the file cannot be
        written.
    """
    write_bytes(path, encode(format_of(path), picture, quality, path))


def encode(
    kind: Format, picture: Picture, quality: int = 95, name: str | os.PathLike = "the image"
) -> bytes:
    """Encode ``picture`` as a file of the format ``kind``, which errors call ``name``.

    Arguments and errors are those of :func:`write`.
    """
    if not 1 <= quality <= 100:
        raise UserError(f"quality must be 1 to 100, got {quality}")
    check_holds(kind, picture, name)
    pixels, alpha = picture.pixels, picture.alpha
    if kind.name in ("WEBP", "AVIF") and pixels.shape[2] == 1:
        pixels = pixels.repeat(3, axis=2)
    icc, exif = picture.icc, picture.exif
    if icc and icc[16:20] == b"GRAY" and pixels.shape[2] == 3:
        icc = None
    if exif and not exif.startswith(b"Exif\0\0"):
        exif = b"Exif\0\0" + exif
    samples = pixels if alpha is None else np.dstack([pixels, alpha])
    try:
        return encoding.encode(kind, samples, alpha is not None, icc, exif, quality)
    except encoding.TooLarge as error:
        height, width = pixels.shape[:2]
        raise UserError(f"{name}: {kind.name} of {width}×{height} failed ({error})") from None


def check_holds(kind: Format, picture: Picture, name: str | os.PathLike) -> None:
    """Check that a format can hold a picture of this kind; errors call the file ``name``.

    Raises:
      UserError: it can't hold 16 bits, alpha or the profile that the picture has.
    """
    if picture.pixels.dtype == np.uint16 and not kind.deep:
        raise UserError(f"{name}: {kind.name} cannot hold 16-bit pixels; {_able('deep')} can")
    if picture.alpha is not None and not kind.alpha:
        raise UserError(f"{name}: {kind.name} cannot hold transparency; {_able('alpha')} can")
    if picture.icc and not kind.profile and not decoding.is_srgb(picture.icc):
        raise UserError(
            f"{name}: {kind.name} is written with the colours of sRGB alone, and this picture's "
            f"profile is another; {_able('profile')} can hold it"
        )


def _able(ability: str) -> str:
    *names, last = (kind.name for kind in FORMATS if kind.written and getattr(kind, ability))
    return f"{', '.join(names)} and {last}"
