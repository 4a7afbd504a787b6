"""Image files to arrays, a way for each family of formats: what is behind :mod:`jaxsr.image.files`.

Pillow reads most; it cannot do 16-bit RGB, so imagecodecs (PNG, JPEG 2000, JPEG XL) and tifffile
(TIFF) do that. Of JPEG XL no ICC profile is read: imagecodecs does not give it.
"""

import contextlib
import io
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
import tifffile
from jaxtyping import Shaped, UInt
from PIL import Image, ImageCms

from jaxsr.errors import needs_extra
from jaxsr.image import jpegxl
from jaxsr.image.formats import Format

Pixels = UInt[np.ndarray, "h w c"]

# Larger images are refused before they are decoded: a small file may unpack to any size.
MAX_PIXELS = 500_000_000
Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # Pillow alone refuses at 179 million

ORIENTATION, ICC_PROFILE = 274, 34675
# TIFF tags that say where and how pixels are stored: true of one file only, so not kept in EXIF.
STORAGE_TAGS = (
    *(254, 255, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 280, 281, 284, 292, 293, 301),
    *(317, 318, 319, 320, 322, 323, 324, 325, 330, 332, 338, 339, 340, 341, 347),
    *(512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532, ICC_PROFILE),
)


class Decoded(NamedTuple):
    """What a file holds, upright: the fields of :class:`jaxsr.image.files.Picture`."""

    pixels: Pixels
    alpha: UInt[np.ndarray, "h w"] | None = None
    icc: bytes | None = None
    exif: bytes | None = None


class Refused(Exception):
    """The file is sound, but holds what is not read."""


def decode(kind: Format, data: bytes) -> Decoded:
    """Decode a file of the format ``kind``; of several pages or frames, the first.

    Raises:
      Refused: it is larger than ``MAX_PIXELS``, or holds pixels of another kind than is read.
      UserError: a package that reads it is not installed.
      Exception: any other, of the codecs, where the data are damaged.
    """
    if kind.name == "PNG" and data[24:25] == b"\x10":
        decoded, exif = _read_deep_png(kind, data)
    elif kind.name == "TIFF":
        decoded, exif = _read_tiff(kind, data)
    elif kind.name == "JPEG XL":
        decoded, exif = _read_jpegxl(data)
    elif kind.name == "JPEG2000":
        decoded, exif = _read_jpeg2000(kind, data)
    else:
        decoded, exif = _read_pillow(kind, data)
    return upright(decoded, exif)


def count_frames(kind: Format, data: bytes) -> int:
    """Count the pages of a TIFF and the frames of an animation; 1 for what has none.

    Smaller copies in a TIFF are no pages; what a JPEG holds besides its image is no frame.
    """
    if kind.name == "TIFF":
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            pages: Any = file.pages
            return max(1, sum(not page.is_reduced for page in pages))
    if kind.name == "JPEG XL":
        animated = jpegxl.header(data)[2]
        return len(np.atleast_1d(imagecodecs.jpegxl_decode(data))) if animated else 1
    if kind.name == "JPEG":
        return 1
    return getattr(_open_pillow(kind, data), "n_frames", 1)


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise Refused(
            f"{width}×{height} is more than the {MAX_PIXELS // 10**6} million pixels accepted;"
            " cut it into parts"
        )


def _open_pillow(kind: Format, data: bytes) -> Image.Image:
    if kind.name == "HEIF":
        with needs_extra("heic", "reading HEIC"):
            import pillow_heif
        pillow_heif.register_heif_opener()
    try:
        image = Image.open(io.BytesIO(data), formats=[kind.name])
    except Image.DecompressionBombError:
        raise Refused(f"more than {MAX_PIXELS // 10**6} million pixels; cut it") from None
    _check_size(*image.size)
    return image


def _read_pillow(kind: Format, data: bytes) -> tuple[Decoded, Image.Exif]:
    image = _open_pillow(kind, data)
    image.load()
    exif, icc = exif_of(image), image.info.get("icc_profile")
    if image.mode == "CMYK":
        image, icc = _cmyk_to_srgb(image, icc), None
    image = image.convert(_mode_for(image))
    pixels = np.asarray(image).reshape(image.height, image.width, -1)
    return _split_alpha(pixels, icc), exif


def _mode_for(image: Image.Image) -> str:
    """Return Pillow's mode of gray or RGB, with alpha where the image has any transparency."""
    known = {"1": "L", "L": "L", "LA": "LA", "La": "LA"}
    known |= dict.fromkeys(("PA", "RGBA", "RGBa"), "RGBA")
    known |= dict.fromkeys(("P", "RGB", "RGBX", "YCbCr"), "RGB")
    if image.mode not in known:
        raise Refused(f"pixels of kind {image.mode!r}; convert it to 8 or 16-bit gray or RGB")
    mode = known[image.mode]
    transparent = "transparency" in image.info and not mode.endswith("A")
    return mode + "A" if transparent else mode


def _cmyk_to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    if icc:
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            srgb = ImageCms.createProfile("sRGB")
            converted: Any = ImageCms.profileToProfile(
                image, io.BytesIO(icc), srgb, outputMode="RGB"
            )
            return converted
    return image.convert("RGB")


def _read_deep_png(kind: Format, data: bytes) -> tuple[Decoded, Image.Exif]:
    image = _open_pillow(kind, data)
    pixels = imagecodecs.png_decode(data).reshape(image.height, image.width, -1)
    # Asked for EXIF, Pillow would decode all pixels to look behind them.
    exif = next((body for name, body in _png_chunks(data) if name == b"eXIf"), b"")
    return _split_alpha(pixels, image.info.get("icc_profile")), exif_of(exif)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        at += 12 + size


def _read_tiff(kind: Format, data: bytes) -> tuple[Decoded, Image.Exif]:
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page: Any = file.pages[0]
        _check_size(page.imagewidth, page.imagelength)
        ends = [at + n for at, n in zip(page.dataoffsets, page.databytecounts, strict=True)]
        if not ends or max(ends) > len(data):
            raise ValueError("the file ends before the pixels do")
        if page.bitspersample in (1, 2, 4, 8):
            return _read_pillow(kind, data)[0], exif_of(data)
        if page.bitspersample != 16 or page.sampleformat != tifffile.SAMPLEFORMAT.UINT:
            raise Refused(
                f"pixels of {page.bitspersample} bits, sample format {page.sampleformat!s};"
                " convert them to unsigned 8 or 16 bits"
            )
        return _deep_tiff(page), exif_of(data)


def _deep_tiff(page) -> Decoded:
    kind = tifffile.PHOTOMETRIC
    channels = {kind.MINISBLACK: 1, kind.MINISWHITE: 1, kind.RGB: 3}.get(page.photometric)
    if channels is None:
        raise Refused(f"16-bit {page.photometric!s} pixels; convert it to gray or RGB")
    planes = page.asarray().reshape(page.shaped)[:, 0]  # sample planes, h, w, samples
    samples = np.moveaxis(planes, 0, -2).reshape(page.imagelength, page.imagewidth, -1)
    pixels, alpha = samples[..., :channels], None
    if page.photometric == kind.MINISWHITE:
        pixels = np.invert(pixels)
    associated, unassociated = tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA
    for i, extra in enumerate(page.extrasamples):
        if extra in (associated, unassociated):
            alpha = samples[..., channels + i]
            if extra == associated:
                pixels = _unmultiply(pixels, alpha)
            break
    return Decoded(np.ascontiguousarray(pixels), alpha, page.iccprofile)


def _read_jpegxl(data: bytes) -> tuple[Decoded, Image.Exif]:
    width, height, animated = jpegxl.header(data)
    _check_size(width, height)
    samples = imagecodecs.jpegxl_decode(data, index=0 if animated else None)
    if samples.dtype not in (np.uint8, np.uint16):
        raise Refused(f"pixels of {samples.dtype}; convert them to unsigned 8 or 16 bits")
    exif = exif_of(jpegxl.exif(data))
    exif.pop(ORIENTATION, None)  # decoders turn the pixels by the codestream's own
    return _split_alpha(samples.reshape(*samples.shape[:2], -1), None), exif


def _read_jpeg2000(kind: Format, data: bytes) -> tuple[Decoded, Image.Exif]:
    """Read by imagecodecs where there are more than 8 bits, which Pillow would cut off."""
    image = _open_pillow(kind, data)
    size = data.index(b"\xff\x4f\xff\x51") + 4  # the segment that tells sizes, behind its marker
    bits = (data[size + 38] & 127) + 1
    icc = _jpeg2000_icc(data)
    if bits <= 8:
        decoded, exif = _read_pillow(kind, data)
        return decoded._replace(icc=decoded.icc or icc), exif
    if bits > 16:
        raise Refused(f"pixels of {bits} bits; convert them to unsigned 8 or 16 bits")
    samples = imagecodecs.jpeg2k_decode(data).reshape(image.height, image.width, -1)
    full = (samples * (65535 / (2**bits - 1)) + 0.5).astype(np.uint16)
    return _split_alpha(full, icc), exif_of(image)


def _jpeg2000_icc(data: bytes) -> bytes | None:
    """Return the profile in a JP2 file's colour box: size, "colr", method 2, 2 bytes, profile."""
    at = data.find(b"colr\x02")
    return None if at < 4 else data[at + 7 : at - 4 + int.from_bytes(data[at - 4 : at], "big")]


def _unmultiply(pixels: Pixels, alpha: UInt[np.ndarray, "h w"]) -> Pixels:
    colour = pixels * (65535 / np.maximum(alpha, 1))[..., None]
    return np.minimum(colour + 0.5, 65535).astype(np.uint16)


def _split_alpha(pixels: UInt[np.ndarray, "h w _"], icc: bytes | None) -> Decoded:
    if pixels.shape[2] in (1, 3):
        return Decoded(pixels, None, icc)
    return Decoded(
        np.ascontiguousarray(pixels[..., :-1]), np.ascontiguousarray(pixels[..., -1]), icc
    )


def is_srgb(icc: bytes) -> bool:
    """Return True for an ICC profile that says, by its name, that colours are those of sRGB."""
    with contextlib.suppress(ImageCms.PyCMSError, OSError):
        return "sRGB" in ImageCms.getProfileDescription(ImageCms.getOpenProfile(io.BytesIO(icc)))
    return False


def exif_of(source: Image.Image | bytes) -> Image.Exif:
    """Return the EXIF tags of an image or TIFF file; none if they are damaged."""
    exif = Image.Exif()
    with contextlib.suppress(Exception):
        if isinstance(source, bytes):
            exif.load(source)
        else:
            exif = source.getexif()
        exif.tobytes()
        return exif
    return Image.Exif()


def upright(decoded: Decoded, exif: Image.Exif) -> Decoded:
    """Turn the pixels as EXIF says, and keep of EXIF what is still true then."""
    orientation = exif.get(ORIENTATION, 1)
    for tag in STORAGE_TAGS:
        exif.pop(tag, None)
    if ORIENTATION in exif:
        exif[ORIENTATION] = 1
    exif.bigtiff = False
    return Decoded(
        turn_upright(decoded.pixels, orientation),
        None if decoded.alpha is None else turn_upright(decoded.alpha, orientation),
        decoded.icc,
        exif.tobytes() if len(exif) else None,
    )


def turn_upright(x: Shaped[np.ndarray, "h w *c"], orientation: int) -> Shaped[np.ndarray, "H W *c"]:
    """Undo an EXIF orientation, 1 to 8; anything else counts as upright (1)."""
    if orientation in (5, 6, 7, 8):
        x = x.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        x = x[::-1]
    if orientation in (2, 3, 6, 7):
        x = x[:, ::-1]
    return np.ascontiguousarray(x)
