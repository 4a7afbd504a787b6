"""The originals of an evaluation: a folder of images, one by one in 8 bits."""

import collections
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from jaxsr.errors import UserError
from jaxsr.image import files, formats
from jaxsr.image.folders import escaped, find_images
from jaxsr.image.values import from_float, to_float

Images = str | os.PathLike | Iterable[tuple[str, UInt8[np.ndarray, "..."]]]
"""A folder of originals, or (name, uint8 image) pairs."""


def read(images: Images) -> Iterator[tuple[str, UInt8[np.ndarray, "..."]]]:
    """Yield (name, 8-bit pixels); a name is the path within the folder without suffix.

    Raises:
      UserError: the folder is missing, or a file in it is damaged.
    """
    if not isinstance(images, str | os.PathLike):
        yield from images
        return
    for name, path in named(images).items():
        yield name, pixels_of(path)


def pixels_of(path: str | os.PathLike) -> UInt8[np.ndarray, "h w c"]:
    """Return the colours of an image file in 8 bits, deeper ones rounded.

    Raises:
      UserError: it is no image, or damaged.
    """
    pixels = files.read(path).pixels
    return pixels if pixels.dtype == np.uint8 else from_float(to_float(pixels))


def named(folder: str | os.PathLike) -> dict[str, Path]:
    """Return a folder's images by name: the path within the folder without suffix, escaped.

    Raises:
      UserError: the folder is missing.
    """
    folder = Path(folder)
    paths = [path.relative_to(folder) for path in find_images(folder)]
    stems = collections.Counter(path.with_suffix("") for path in paths)
    return {  # a.jpg beside a.png keeps its suffix
        escaped((path if stems[path.with_suffix("")] > 1 else path.with_suffix("")).as_posix()): (
            folder / path
        )
        for path in paths
    }


def check_folder(folder: str | os.PathLike) -> None:
    """Check that there is something to evaluate on, before any work is done.

    Raises:
      UserError: the folder is missing, or there are no images in it.
    """
    if not find_images(folder):
        raise UserError(
            f"{folder}: no images in this folder; {', '.join(formats.SUFFIXES)} are read"
        )
