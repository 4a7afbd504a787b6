"""Arrays to image files, a way for each format: what is behind :mod:`jaxsr.image.files`.

PNG is written by imagecodecs (zlib-ng), which takes a third of Pillow's time and holds 16-bit RGB,
with the chunks of metadata put in; JPEG, WebP and AVIF by Pillow; JPEG XL by imagecodecs, which
writes no ICC profile; a TIFF by hand around its EXIF.
"""

import io
import struct
import zlib

import imagecodecs
import numpy as np
from jaxtyping import UInt
from PIL import Image

from jaxsr.image import jpegxl
from jaxsr.image.decoding import ICC_PROFILE
from jaxsr.image.formats import Format

PNG_LEVEL = 4
Samples = UInt[np.ndarray, "h w c"]  # gray or RGB, and alpha


class TooLarge(Exception):
    """The format cannot hold such an image: it is too large, or its metadata are."""


def encode(
    kind: Format,
    samples: Samples,
    has_alpha: bool,
    icc: bytes | None,
    exif: bytes | None,
    quality: int,
) -> bytes:
    """Encode samples that the format can hold as a file of it.

    Args:
      has_alpha: whether the last channel is transparency.
      exif: beginning with ``b"Exif\\0\\0"``.
      quality: 1 to 100, of formats that are lossy; of WebP and JPEG XL, 100 is lossless.

    Raises:
      TooLarge: the format cannot hold them.
    """
    if kind.name == "TIFF":
        return _encode_tiff(samples, has_alpha, icc, exif)
    if kind.name == "PNG":
        return _encode_png(samples, icc, exif)
    if kind.name == "JPEG XL":
        return _encode_jpegxl(samples, exif, quality)
    return _encode_pillow(kind.name, samples, icc, exif, quality)


def _encode_pillow(
    name: str, samples: Samples, icc: bytes | None, exif: bytes | None, quality: int
) -> bytes:
    options = {
        "JPEG": {"quality": quality, "subsampling": 0 if quality >= 90 else 2},
        "WEBP": {"quality": quality, "lossless": quality == 100, "exact": True},
        "AVIF": {"quality": quality, "subsampling": "4:4:4" if quality >= 90 else "4:2:0"},
    }[name]
    options |= {key: value for key, value in (("icc_profile", icc), ("exif", exif)) if value}
    samples = samples[..., 0] if samples.shape[2] == 1 else samples
    image, buffer = Image.fromarray(np.ascontiguousarray(samples)), io.BytesIO()
    try:
        image.save(buffer, name, **options)
    except (ValueError, OSError) as error:
        raise TooLarge(str(error)) from None
    return buffer.getvalue()


def _encode_jpegxl(samples: Samples, exif: bytes | None, quality: int) -> bytes:
    samples = np.ascontiguousarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    try:
        data = imagecodecs.jpegxl_encode(
            samples,
            level=quality,
            lossless=True if quality == 100 else None,
            usecontainer=bool(exif),
        )
    except imagecodecs.JpegxlError as error:
        raise TooLarge(str(error)) from None
    return bytes(data) + (jpegxl.exif_box(exif) if exif else b"")


def _encode_png(samples: Samples, icc: bytes | None, exif: bytes | None) -> bytes:
    samples = samples[..., 0] if samples.shape[2] == 1 else samples
    data = bytes(imagecodecs.png_encode(np.ascontiguousarray(samples), level=PNG_LEVEL))
    chunks = b""
    if icc:
        chunks += _png_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc))
    if exif:
        chunks += _png_chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    header = 8 + 25  # signature and IHDR: colour comes right after
    return data[:header] + chunks + data[header:]


def _png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _encode_tiff(samples: Samples, has_alpha: bool, icc: bytes | None, exif: bytes | None) -> bytes:
    """Encode as a TIFF of one deflated strip.

    An EXIF block *is* a TIFF without pixels: where there is one, the pixels are added to it.
    """
    height, width, count = samples.shape
    bits = samples.dtype.itemsize * 8
    steps = np.diff(samples, axis=1, prepend=samples.dtype.type(0))  # "predictor" 2, wraps around
    strip = zlib.compress(steps.astype(samples.dtype.newbyteorder("<"), copy=False).tobytes())
    tags = Image.Exif()
    if exif:
        tags.load(exif)
    tags.endian = "<"
    tags[256], tags[257], tags[258] = width, height, (bits,) * count
    tags[259], tags[317] = 8, 2  # deflate, differences along rows
    tags[262] = 2 if count >= 3 else 1  # RGB, gray
    tags[277], tags[278], tags[279], tags[284] = count, height, len(strip), 1
    if has_alpha:
        tags[338] = 2  # unassociated
    if icc:
        tags[ICC_PROFILE] = icc
    tags[273] = 0  # the strip's place, behind the tags: Pillow adds their length
    try:
        return tags.tobytes().removeprefix(b"Exif\0\0") + strip
    except struct.error as error:  # places beyond 4 GiB
        raise TooLarge(str(error)) from None
