"""Image files: PNG, JPEG, WebP and TIFF to and from arrays, with what belongs to the pixels.

Reading gives upright gray or RGB pixels of 8 or 16 bits whatever the file held; writing is whole or
not at all. Pillow does 8 bits and the metadata; it cannot do 16-bit RGB, so imagecodecs (PNG) and
tifffile (TIFF) do 16 bits.
"""

import contextlib
import dataclasses
import io
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from jaxtyping import Shaped, UInt
from PIL import Image, ImageCms

from jaxsr.atomic import write_bytes
from jaxsr.errors import UserError
from jaxsr.image.formats import FORMATS, Format, format_of

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


@dataclasses.dataclass(frozen=True)
class Picture:
    """An image as a file holds it.

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


# Reading


def read(path: str | os.PathLike) -> Picture:
    """Reads a PNG, JPEG, WebP or TIFF file, told apart by content; of several pages, the first.

    Pixels are turned upright as EXIF says. Palette, 1-bit and YCbCr images become gray or RGB; CMYK
    becomes sRGB by its profile; a transparent colour or palette entry becomes alpha.

    Raises:
      UserError: the file is missing, a folder, empty, not such an image, damaged or truncated,
        larger than ``MAX_PIXELS``, or holds pixels of other than 1 to 8 or 16 bits.
    """
    return decode(_bytes_of(Path(path)), path)


def decode(data: bytes, name: str | os.PathLike) -> Picture:
    """:func:`read` of a file's bytes; ``name`` is what errors call it."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n") and data[24:25] == b"\x10":
            picture, exif = _read_deep_png(data)
        elif data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            picture, exif = _read_tiff(data)
        else:
            picture, exif = _read_pillow(data)
    except Image.UnidentifiedImageError:
        raise UserError(f"{name}: not a PNG, JPEG, WebP or TIFF image") from None
    except _Refused as error:
        raise UserError(f"{name}: {error}") from None
    except MemoryError:
        raise
    except Exception as error:  # each codec has its own exceptions for bad data
        raise UserError(f"{name}: the image is damaged or truncated ({error})") from None
    return _upright(picture, exif)


class _Refused(Exception):
    """The file is sound, but holds what we don't read."""


def _bytes_of(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder, not an image") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    if not data:
        raise UserError(f"{path}: the file is empty")
    return data


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise _Refused(
            f"{width}×{height} is more than the {MAX_PIXELS // 10**6} million pixels accepted;"
            " cut it into parts"
        )


def _open_pillow(data: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=[kind.name for kind in FORMATS])
    except Image.DecompressionBombError:
        raise _Refused(f"more than {MAX_PIXELS // 10**6} million pixels; cut it") from None
    _check_size(*image.size)
    return image


def _read_pillow(data: bytes) -> tuple[Picture, Image.Exif]:
    image = _open_pillow(data)
    image.load()
    exif, icc = _exif_of(image), image.info.get("icc_profile")
    if image.mode == "CMYK":
        image, icc = _cmyk_to_srgb(image, icc), None
    image = image.convert(_mode_for(image))
    pixels = np.asarray(image).reshape(image.height, image.width, -1)
    return _split_alpha(pixels, icc), exif


def _mode_for(image: Image.Image) -> str:
    """Gray or RGB, with alpha where the image has any transparency."""
    known = {
        "1": "L",
        "L": "L",
        "LA": "LA",
        "La": "LA",
        "PA": "RGBA",
        "RGBA": "RGBA",
        "RGBa": "RGBA",
    }
    known |= dict.fromkeys(("P", "RGB", "RGBX", "YCbCr"), "RGB")
    if image.mode not in known:
        raise _Refused(f"pixels of kind {image.mode!r}; convert it to 8 or 16-bit gray or RGB")
    mode = known[image.mode]
    transparent = "transparency" in image.info and not mode.endswith("A")
    return mode + "A" if transparent else mode


def _cmyk_to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    if icc:
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            srgb = ImageCms.createProfile("sRGB")
            return ImageCms.profileToProfile(image, io.BytesIO(icc), srgb, outputMode="RGB")
    return image.convert("RGB")


def _read_deep_png(data: bytes) -> tuple[Picture, Image.Exif]:
    image = _open_pillow(data)
    pixels = imagecodecs.png_decode(data).reshape(image.height, image.width, -1)
    # Asked for EXIF, Pillow would decode all pixels to look behind them.
    exif = next((body for name, body in _png_chunks(data) if name == b"eXIf"), b"")
    return _split_alpha(pixels, image.info.get("icc_profile")), _exif_of(exif)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        at += 12 + size


def _read_tiff(data: bytes) -> tuple[Picture, Image.Exif]:
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        _check_size(page.imagewidth, page.imagelength)
        ends = [at + n for at, n in zip(page.dataoffsets, page.databytecounts, strict=True)]
        if not ends or max(ends) > len(data):
            raise UserError("the file ends before the pixels do")
        if page.bitspersample in (1, 2, 4, 8):
            return _read_pillow(data)[0], _exif_of(data)
        if page.bitspersample != 16 or page.sampleformat != tifffile.SAMPLEFORMAT.UINT:
            raise _Refused(
                f"pixels of {page.bitspersample} bits, sample format {page.sampleformat!s};"
                " convert them to unsigned 8 or 16 bits"
            )
        return _deep_tiff_picture(page), _exif_of(data)


def _deep_tiff_picture(page) -> Picture:
    kind = tifffile.PHOTOMETRIC
    channels = {kind.MINISBLACK: 1, kind.MINISWHITE: 1, kind.RGB: 3}.get(page.photometric)
    if channels is None:
        raise _Refused(f"16-bit {page.photometric!s} pixels; convert it to gray or RGB")
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
    return Picture(np.ascontiguousarray(pixels), alpha, page.iccprofile)


def _unmultiply(pixels: Pixels, alpha: UInt[np.ndarray, "h w"]) -> Pixels:
    colour = pixels * (65535 / np.maximum(alpha, 1))[..., None]
    return np.minimum(colour + 0.5, 65535).astype(np.uint16)


def _split_alpha(pixels: UInt[np.ndarray, "h w _"], icc: bytes | None) -> Picture:
    if pixels.shape[2] in (1, 3):
        return Picture(pixels, None, icc)
    return Picture(
        np.ascontiguousarray(pixels[..., :-1]), np.ascontiguousarray(pixels[..., -1]), icc
    )


def _exif_of(source: Image.Image | bytes) -> Image.Exif:
    """The EXIF tags of an image or TIFF file; none if they are damaged, the pixels being sound."""
    exif = Image.Exif()
    with contextlib.suppress(Exception):
        if isinstance(source, bytes):
            exif.load(source)
        else:
            exif = source.getexif()
        exif.tobytes()
        return exif
    return Image.Exif()


def _upright(picture: Picture, exif: Image.Exif) -> Picture:
    """Turns the pixels as EXIF says, and keeps of EXIF what is still true then."""
    orientation = exif.get(ORIENTATION, 1)
    for tag in STORAGE_TAGS:
        exif.pop(tag, None)
    if ORIENTATION in exif:
        exif[ORIENTATION] = 1
    exif.bigtiff = False
    return Picture(
        turn_upright(picture.pixels, orientation),
        None if picture.alpha is None else turn_upright(picture.alpha, orientation),
        picture.icc,
        exif.tobytes() if len(exif) else None,
    )


def turn_upright(x: Shaped[np.ndarray, "h w *c"], orientation: int) -> Shaped[np.ndarray, "H W *c"]:
    """Undoes an EXIF orientation, 1 to 8; anything else counts as upright (1)."""
    if orientation in (5, 6, 7, 8):
        x = x.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        x = x[::-1]
    if orientation in (2, 3, 6, 7):
        x = x[:, ::-1]
    return np.ascontiguousarray(x)


# Writing


def write(path: str | os.PathLike, picture: Picture, quality: int = 95) -> None:
    """Writes ``picture`` in the format of the path's suffix, whole or not at all.

    PNG and TIFF are lossless. ICC profile and EXIF are kept in every format, but a gray profile is
    left out where the pixels are RGB (WebP has no gray).

    Args:
      quality: 1 to 100, for JPEG and WebP; WebP at 100 is lossless.

    Raises:
      UserError: the suffix is none of ``SUFFIXES``, the format can't hold 16 bits or alpha that
        the picture has, the quality is out of range, or the file cannot be written.
    """
    if not 1 <= quality <= 100:
        raise UserError(f"quality must be 1 to 100, got {quality}")
    check_holds(path, picture)
    path = Path(path)
    write_bytes(path, _encode(path, format_of(path), picture, quality))


def check_holds(path: str | os.PathLike, picture: Picture) -> None:
    """Whether the format that ``path`` names can hold a picture of this kind.

    Raises:
      UserError: the suffix is none of ``SUFFIXES``, or the format can't hold 16 bits or alpha that
        the picture has.
    """
    kind = format_of(path)
    if picture.pixels.dtype == np.uint16 and not kind.deep:
        raise UserError(f"{path}: {kind.name} cannot hold 16-bit pixels; {_able('deep')} can")
    if picture.alpha is not None and not kind.alpha:
        raise UserError(f"{path}: {kind.name} cannot hold transparency; {_able('alpha')} can")


def _able(ability: str) -> str:
    *names, last = (kind.name for kind in FORMATS if getattr(kind, ability))
    return f"{', '.join(names)} and {last}"


def _encode(path: Path, kind: Format, picture: Picture, quality: int) -> bytes:
    pixels, alpha = picture.pixels, picture.alpha
    if kind.name == "WEBP" and pixels.shape[2] == 1:
        pixels = pixels.repeat(3, axis=2)
    icc, exif = picture.icc, picture.exif
    if icc and icc[16:20] == b"GRAY" and pixels.shape[2] == 3:
        icc = None
    if exif and not exif.startswith(b"Exif\0\0"):
        exif = b"Exif\0\0" + exif
    samples = pixels if alpha is None else np.dstack([pixels, alpha])
    try:
        if kind.name == "TIFF":
            return _encode_tiff(samples, alpha is not None, icc, exif)
        if samples.dtype == np.uint16:
            return _encode_deep_png(samples, icc, exif)
        return _encode_pillow(kind.name, samples, icc, exif, quality)
    except (ValueError, OSError, struct.error) as error:
        height, width = pixels.shape[:2]
        raise UserError(f"{path}: {kind.name} of {width}×{height} failed ({error})") from None


def _encode_pillow(
    name: str, samples, icc: bytes | None, exif: bytes | None, quality: int
) -> bytes:
    options = {
        "PNG": {},
        "JPEG": {"quality": quality, "subsampling": 0 if quality >= 90 else 2},
        "WEBP": {"quality": quality, "lossless": quality == 100, "exact": True},
    }[name]
    options |= {key: value for key, value in (("icc_profile", icc), ("exif", exif)) if value}
    samples = samples[..., 0] if samples.shape[2] == 1 else samples
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(samples)).save(buffer, name, **options)
    return buffer.getvalue()


def _encode_deep_png(samples, icc: bytes | None, exif: bytes | None) -> bytes:
    samples = samples[..., 0] if samples.shape[2] == 1 else samples
    data = imagecodecs.png_encode(np.ascontiguousarray(samples))
    chunks = b""
    if icc:
        chunks += _png_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc))
    if exif:
        chunks += _png_chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    header = 8 + 25  # signature and IHDR: colour comes right after
    return data[:header] + chunks + data[header:]


def _png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _encode_tiff(samples, has_alpha: bool, icc: bytes | None, exif: bytes | None) -> bytes:
    """A TIFF of one deflated strip. An EXIF block *is* a TIFF without pixels: they are added."""
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
    return tags.tobytes().removeprefix(b"Exif\0\0") + strip
