"""The image formats, by name and suffix. Imports nothing heavy: the command line's help needs it."""

import dataclasses
import os
from pathlib import Path

from jaxsr.errors import UserError


@dataclasses.dataclass(frozen=True)
class Format:
    """A kind of image file that is written: its suffixes, whether it holds alpha and 16 bits."""

    name: str
    suffixes: tuple[str, ...]
    alpha: bool
    deep: bool


FORMATS = (
    Format("PNG", (".png",), alpha=True, deep=True),
    Format("JPEG", (".jpg", ".jpeg"), alpha=False, deep=False),
    Format("WEBP", (".webp",), alpha=True, deep=False),
    Format("TIFF", (".tif", ".tiff"), alpha=True, deep=True),
)
SUFFIXES = tuple(suffix for kind in FORMATS for suffix in kind.suffixes)


def format_of(path: str | os.PathLike) -> Format:
    """Returns the format that a path's suffix names.

    Raises:
      UserError: it names none.
    """
    suffix = Path(path).suffix.lower()
    for kind in FORMATS:
        if suffix in kind.suffixes:
            return kind
    raise UserError(
        f"{path}: {suffix or 'no suffix'} is no image format; use {', '.join(SUFFIXES)}"
    )
