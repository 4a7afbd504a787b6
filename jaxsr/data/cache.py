"""Decoded images on disk, memory-mapped: a crop reads only the pages that it touches.

A crop of a few kilobytes must not cost the decoding of a photograph of many megapixels, so an
image and its low-resolution counterpart are written to ``.npy`` files when they are first used. A
file is named by what it holds: the original's path, size and time of change, and the scale. Any
number of processes and hosts may fill one cache at once, and it may be deleted at any time. It
takes 3 bytes a pixel.
"""

import contextlib
import functools
import hashlib
import mmap
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped, UInt8

from jaxsr.atomic import replacing

VERSION = "1"  # of what the files hold: change it when decoding or resizing does


class Cache:
    """Arrays in ``.npy`` files, found by a key that says what they hold.

    Args:
      folder: "": ``$XDG_CACHE_HOME/jaxsr/images``, by default ``~/.cache/jaxsr/images``.
    """

    def __init__(self, folder: str | os.PathLike = ""):
        home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        folder = Path(folder or f"{home}/jaxsr/images").expanduser()
        self._folder = folder / VERSION

    def get(self, key: str, variant: str, make: Callable) -> Shaped[np.ndarray, "..."]:
        """Map the array of ``key`` and ``variant`` into memory; ``make()`` makes a missing one.

        It makes the array itself, or a :class:`Pieces` of an array too large for the memory.
        """
        name = hashlib.sha256(key.encode()).hexdigest()[:40]
        path = f"{self._folder}/{name[:2]}/{name}{variant}.npy"
        # Absent, or cut short by a crash of the machine: make it (again).
        with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
            return _map(path)
        _write(path, make())
        return _map(path)


class Pieces(NamedTuple):
    """An array of bytes in pieces along its first axis.

    Attributes:
      shape: of the whole.
      pieces: uint8, one after the other.
    """

    shape: tuple[int, ...]
    pieces: Iterable[UInt8[np.ndarray, "..."]]


def _map(path: str) -> Shaped[np.ndarray, "..."]:
    """Do what ``np.load(path, mmap_mode="r")`` does, in a fifth of its 0.1 ms."""
    with open(path, "rb") as file:
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    shape, dtype, offset = _header(path)
    return np.ndarray(shape, dtype, memory, offset)


@functools.lru_cache(maxsize=100_000)
def _header(path: str) -> tuple[tuple[int, ...], np.dtype, int]:
    array = np.load(path, mmap_mode="r")
    return array.shape, array.dtype, array.offset


def _write(path: str, array: np.ndarray | Pieces) -> None:
    """Write a file whole or not at all; several writers write the same, and the last wins."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with replacing(path) as file:
        if not isinstance(array, Pieces):
            np.save(file, np.ascontiguousarray(array))
            return
        header = {"descr": "|u1", "fortran_order": False, "shape": array.shape}
        np.lib.format.write_array_header_1_0(file, header)
        for piece in array.pieces:
            file.write(np.ascontiguousarray(piece).data)
