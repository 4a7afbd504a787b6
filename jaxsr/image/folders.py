"""The image files in a folder, and their names as they are printed."""

import os
import re
from pathlib import Path

from jaxsr.errors import UserError
from jaxsr.image.formats import SUFFIXES

# What ends a line or changes a terminal's state; and bytes of a name that are no text.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def escaped(text: str) -> str:
    r"""Escape what may be in a file's name but not in a line: ``a\nb.png`` for a line break."""
    return UNPRINTABLE.sub(lambda c: c[0].encode("unicode_escape").decode(), text)


def is_image_file(path: str | os.PathLike, suffixes: tuple[str, ...] = SUFFIXES) -> bool:
    """Return True if ``path`` is a file, not hidden, with one of ``suffixes``."""
    path = Path(path)
    return path.suffix.lower() in suffixes and not path.name.startswith(".") and path.is_file()


def find_images(folder: str | os.PathLike, suffixes: tuple[str, ...] = SUFFIXES) -> list[Path]:
    """List the files of ``suffixes`` in and below a folder, in natural order: 2.png, 10.png.

    Hidden files and folders are left out, and links to folders are not followed.

    Raises:
      UserError: there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            path for path in (Path(root, name) for name in names) if is_image_file(path, suffixes)
        ]
    return sorted(found, key=lambda path: _natural(path.relative_to(folder).as_posix()))


def _natural(name: str) -> tuple:
    parts = re.split("([0-9]+)", name)
    return [int(part) if i % 2 else part.lower() for i, part in enumerate(parts)], name
