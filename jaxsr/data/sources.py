"""Where training images come from: numbered RGB images, each decoded once and kept in a cache.

A crop of a few kilobytes must not cost the decoding of a photograph of many megapixels, so an
image and its low-resolution counterpart are written to ``.npy`` files on first use, and from then
on only the pages that a crop touches are read from disk. The files are named by what they hold
(the original's path, size and time of change, and the scale); any number of processes and hosts
may fill one cache at once, and it may be deleted at any time.
"""

import contextlib
import functools
import hashlib
import mmap
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import tqdm
from absl import logging
from jaxtyping import Int, UInt8

from jaxsr.image.resize import imresize_uint8, modcrop

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")
CACHE_VERSION = "1"  # of what the files of the cache hold: change it when decoding or resizing does


def default_cache() -> Path:
    """``$XDG_CACHE_HOME/jaxsr/images``, by default ``~/.cache/jaxsr/images``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "jaxsr" / "images"


class Unreadable(ValueError):
    """An image that cannot be decoded; the message names it."""


class Source:
    """Numbered uint8 RGB images behind a cache.

    Attributes:
      names: what to call each image in a message.
      sizes: heights and widths in pixels, from the files' headers.
      skipped: number of images left out so far, for being unreadable or too small.
    """

    names: tuple[str, ...]
    sizes: Int[np.ndarray, "n 2"]
    skipped: int = 0

    def __init__(self, names: Sequence[str], keys: Sequence[str], sizes, cache: str | os.PathLike):
        """``keys`` identify the images' contents: two images with one key share their files."""
        self.names = tuple(names)
        self.sizes = np.array(sizes, np.int64).reshape(-1, 2)
        self._files = tuple(hashlib.sha256(key.encode()).hexdigest()[:40] for key in keys)
        self._cache = Path(cache).expanduser() if cache else default_cache()
        self._unreadable = set()

    def __len__(self) -> int:
        return len(self.names)

    def decode(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """The image, from its original. Raises any error of a decoder."""
        raise NotImplementedError

    def high(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """The image, memory-mapped from the cache.

        Raises:
          Unreadable: it cannot be decoded; it is reported and counted the first time.
        """
        return self._cached(index, "", lambda: self.decode(index))

    def low(self, index: int, scale: int) -> UInt8[np.ndarray, "h//scale w//scale 3"]:
        """MATLAB's bicubic reduction of the image, cropped to multiples of ``scale`` before."""
        return self._cached(
            index,
            f"-x{scale}",
            lambda: imresize_uint8(modcrop(np.asarray(self.high(index)), scale), 1 / scale),
        )

    def readable(self, index: int) -> int:
        """``index``, or if that image is unreadable the next one that is not."""
        for i in np.arange(index, index + len(self)) % len(self):
            try:
                self.high(int(i))
                return int(i)
            except Unreadable:
                pass
        raise ValueError(f"none of the {len(self)} images can be read; the log names each")

    def at_least(self, side: int) -> "Source":
        """Leaves out (reports and counts) the images with fewer than ``side`` rows or columns."""
        large = np.min(self.sizes, axis=1) >= side
        small = [self.names[i] for i in np.flatnonzero(~large)]
        if small:
            logging.warning(
                "%d of %d images are skipped, smaller than %dx%d pixels: %s",
                *(
                    len(small),
                    len(self),
                    side,
                    side,
                    ", ".join(small[:8]) + " …" * (len(small) > 8),
                ),
            )
        if not large.any():
            raise ValueError(
                f"all {len(self)} images are smaller than {side}x{side} pixels (low_crop x scale); "
                "give larger images or a smaller low_crop"
            )
        self.skipped += len(small)
        self._select(np.flatnonzero(large))
        return self

    def prepare(self, scale: int | None = None, progress: bool = True) -> "Source":
        """Fills the cache now instead of image by image as training meets them."""
        for i in tqdm.tqdm(range(len(self)), "decoding images", disable=not progress):
            with contextlib.suppress(Unreadable):  # reported and counted where it was met
                self.high(i) if scale is None else self.low(i, scale)
        return self

    def _select(self, indices: Int[np.ndarray, "n"]) -> None:
        self.names = tuple(self.names[i] for i in indices)
        self._files = tuple(self._files[i] for i in indices)
        self.sizes = self.sizes[indices]

    def _cached(self, index: int, variant: str, make: Callable) -> UInt8[np.ndarray, "h w 3"]:
        file = self._files[index]
        path = f"{self._cache}/{CACHE_VERSION}/{file[:2]}/{file}{variant}.npy"
        try:
            return _map(path)
        except FileNotFoundError:
            pass
        if index in self._unreadable:
            raise Unreadable(self.names[index])
        try:
            array = make()
        except Unreadable:
            raise
        except Exception as error:  # decoders raise whatever they like
            self._unreadable.add(index)
            self.skipped += 1
            logging.warning("%s is skipped: it cannot be decoded (%s)", self.names[index], error)
            raise Unreadable(self.names[index]) from error
        _write(path, array)
        return _map(path)


def _map(path: str) -> UInt8[np.ndarray, "h w 3"]:
    """What ``np.load(path, mmap_mode="r")`` gives, in a fifth of its 0.1 ms."""
    with open(path, "rb") as file:
        shape, offset = _shape_and_offset(path)
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return np.ndarray(shape, np.uint8, memory, offset)


@functools.lru_cache(maxsize=100_000)
def _shape_and_offset(path: str) -> tuple[tuple[int, ...], int]:
    array = np.load(path, mmap_mode="r")
    return array.shape, array.offset


def _write(path: str, array: np.ndarray) -> None:
    """Whole or not at all; whoever comes last wins, with the same contents."""
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        try:
            np.save(file, np.ascontiguousarray(array))
        except BaseException:
            os.unlink(file.name)
            raise
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


class FolderSource(Source):
    """The images in folders and the folders in them, whatever their formats, sorted by path."""

    def __init__(self, folders: Sequence[str | os.PathLike], cache: str | os.PathLike = ""):
        names, keys, sizes = [], [], []
        for path in [path for folder in folders for path in find_images(folder)]:
            try:
                with PIL.Image.open(path) as image:
                    width, height = image.size
            except Exception as error:
                self.skipped += 1
                logging.warning("%s is skipped: it is not an image (%s)", path, error)
                continue
            stat = path.stat()
            names.append(str(path))
            keys.append(f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}")
            sizes.append((height, width))
        if not names:
            raise ValueError(f"no readable image in {', '.join(map(str, folders))}")
        super().__init__(names, keys, sizes, cache)

    def decode(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        with PIL.Image.open(self.names[index]) as image:
            return np.asarray(image.convert("RGB"))


def find_images(folder: str | os.PathLike) -> list[Path]:
    """Paths of the image files in a folder and the folders in it, sorted."""
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder of images")
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def open_source(spec: str, cache: str | os.PathLike = "") -> Source:
    """The source a config names: ``folder:PATH[,PATH…]``."""
    kind, _, rest = spec.partition(":")
    if kind == "folder" and rest:
        return FolderSource(rest.split(","), cache)
    raise ValueError(f"data source {spec!r} is not known; use folder:PATH[,PATH…]")
