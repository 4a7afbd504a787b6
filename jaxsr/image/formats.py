"""The image formats, by name, suffix and content. Imports nothing heavy: the help needs it."""

import dataclasses
import os
from pathlib import Path

from jaxsr.errors import UserError


@dataclasses.dataclass(frozen=True)
class Format:
    """A kind of image file.

    Attributes:
      name: what Pillow calls it.
      suffixes: of file names, in small letters; the first is the one to give.
      alpha, deep: whether it is written with transparency and with 16 bits a channel.
      profile: False where colours are written as sRGB alone.
      written: False where such files are only read.
      marks: (position, bytes) that its files have, one of them.
    """

    name: str
    suffixes: tuple[str, ...]
    alpha: bool = False
    deep: bool = False
    profile: bool = True
    written: bool = True
    marks: tuple[tuple[int, bytes], ...] = ()

    @property
    def suffix(self) -> str:
        """The suffix that a file gets which is named after this format."""
        return self.suffixes[0]

    def begins(self, data: bytes) -> bool:
        """Return True if ``data`` is of this format."""
        return any(data[at : at + len(mark)] == mark for at, mark in self.marks)


def _boxes(*brands: bytes) -> tuple[tuple[int, bytes], ...]:
    """Return the marks of formats that are kept in ISO media files: their brands."""
    return tuple((4, b"ftyp" + brand) for brand in brands)


FORMATS = (
    Format("PNG", (".png",), alpha=True, deep=True, marks=((0, b"\x89PNG\r\n\x1a\n"),)),
    Format("JPEG", (".jpg", ".jpeg"), marks=((0, b"\xff\xd8\xff"),)),
    Format("WEBP", (".webp",), alpha=True, marks=((8, b"WEBP"),)),
    Format(
        "TIFF",
        (".tiff", ".tif"),
        alpha=True,
        deep=True,
        marks=((0, b"II*\0"), (0, b"MM\0*"), (0, b"II+\0"), (0, b"MM\0+")),
    ),
    Format("AVIF", (".avif",), alpha=True, marks=_boxes(b"avif", b"avis")),
    Format(
        "JPEG XL",
        (".jxl",),
        alpha=True,
        deep=True,
        profile=False,
        marks=((0, b"\xff\x0a"), (0, b"\0\0\0\x0cJXL \r\n\x87\n")),
    ),
    Format("BMP", (".bmp",), written=False, marks=((0, b"BM"),)),
    Format("GIF", (".gif",), written=False, marks=((0, b"GIF87a"), (0, b"GIF89a"))),
    Format(
        "JPEG2000",
        (".jp2", ".j2k", ".jpx"),
        written=False,
        marks=((0, b"\xff\x4f\xff\x51"), (0, b"\0\0\0\x0cjP  \r\n\x87\n")),
    ),
    Format(
        "HEIF",
        (".heic", ".heif"),
        written=False,
        marks=_boxes(b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"),
    ),
)
SUFFIXES = tuple(suffix for kind in FORMATS for suffix in kind.suffixes)
WRITTEN = tuple(suffix for kind in FORMATS if kind.written for suffix in kind.suffixes)
NAMES = "PNG, JPEG, WebP, TIFF, AVIF, JPEG XL, BMP, GIF, JPEG 2000 or HEIC"


def format_of(path: str | os.PathLike) -> Format:
    """Return the format to write a file of this name in.

    Raises:
      UserError: the suffix names none that is written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in WRITTEN:
        raise UserError(
            f"{path}: {suffix or 'no suffix'} is no image format that is written; "
            f"use {', '.join(WRITTEN)}"
        )
    return format_of_suffix(suffix)


def format_of_suffix(suffix: str) -> Format:
    """Return the format that one of ``SUFFIXES`` names, in capital letters too."""
    return next(kind for kind in FORMATS if suffix.lower() in kind.suffixes)


def format_of_content(data: bytes) -> Format | None:
    """Return the format that a file's bytes are of; None if it is none of these."""
    return next((kind for kind in FORMATS if kind.begins(data)), None)
