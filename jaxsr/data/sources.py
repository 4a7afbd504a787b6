"""Where training images come from: numbered RGB images, each decoded once and kept in a cache."""

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import PIL.Image
from absl import logging
from jaxtyping import Int, Shaped, UInt, UInt8

from jaxsr.data.cache import Cache
from jaxsr.errors import UserError
from jaxsr.image import files, formats
from jaxsr.image.folders import find_images
from jaxsr.image.resize import imresize_uint8, modcrop
from jaxsr.image.values import from_float, to_float


def open_source(
    spec: str,
    cache: str | os.PathLike = "",
    data_dir: str | os.PathLike = "",
    folder: "Callable[..., Source] | None" = None,
    tfds: "Callable[..., Source] | None" = None,
) -> "Source":
    """Open the source ``folder:PATH[,PATH…]`` or ``tfds:NAME[:SPLIT]``.

    Args:
      spec: one of the two.
      cache: folder of decoded images; see :class:`jaxsr.data.cache.Cache`.
      data_dir: folder of prepared tfds datasets.
      folder, tfds: what to make in place of :class:`FolderSource` and :class:`TfdsSource`.

    Raises:
      UserError: ``spec`` is neither, or the folder or dataset is not there or holds no image.
    """
    kind, _, rest = spec.partition(":")
    if kind == "folder" and rest:
        return (folder or FolderSource)(rest.split(","), cache)
    if kind == "tfds" and rest:
        # A version (div2k:2.0.0) begins with a digit, a split (train[:90%]) with a letter.
        name, split = re.findall(r"^(.+?)(?::([A-Za-z_].*))?$", rest)[0]
        return (tfds or TfdsSource)(name, split or "train", data_dir, cache)
    raise UserError(
        f"config.data.source is {spec!r}; give folder:PATH[,PATH…] or tfds:NAME[:SPLIT]"
    )


class Unreadable(UserError):
    """An image that cannot be decoded; the message names it."""


def first_readable(load: Callable, indices: Int[np.ndarray, "n"], position: int) -> tuple:
    """Return index and ``load(index)`` of the first image from ``position`` on that can be read.

    Raises:
      UserError: there is none.
    """
    count = len(indices)
    for i in range(position, position + count):
        index = int(indices[i % count])
        with contextlib.suppress(Unreadable):
            return index, load(index)
    raise UserError(f"none of the {count} images can be read; the log names each")


class Source:
    """Numbered uint8 RGB images behind a cache.

    Attributes:
      names: what to call each image in a message.
      sizes: heights and widths in pixels, from the files' headers.
      skipped: number of images left out so far, for being unreadable or too small.
      gives_low: whether low-resolution images come with the images.
    """

    names: tuple[str, ...]
    sizes: Int[np.ndarray, "n 2"]
    skipped: int = 0
    gives_low: bool = False

    def __init__(self, names: Sequence[str], keys: Sequence[str], sizes, cache: Cache):
        """``keys`` identify the images' contents: two images with one key share their files."""
        self.names = tuple(names)
        self.sizes = np.array(sizes, np.int64).reshape(-1, 2)
        self._keys = tuple(keys)
        self._cache = cache
        self._unreadable = set()

    def __len__(self) -> int:
        return len(self.names)

    def decode(self, index: int, low: bool = False) -> UInt8[np.ndarray, "h w 3"]:
        """Decode an image, or the low-resolution one given with it; raise any decoder's error."""
        raise NotImplementedError

    def high(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """Return an image, memory-mapped from the cache.

        Raises:
          Unreadable: it cannot be decoded; that is logged and counted the first time.
        """
        return self._cache.get(self._keys[index], "", lambda: self._decode(index))

    def low(self, index: int, scale: int) -> UInt8[np.ndarray, "H W 3"]:
        """Return MATLAB's bicubic reduction of an image cropped to multiples of ``scale``."""

        def reduce():
            return imresize_uint8(modcrop(self.high(index), scale), 1 / scale)

        return self._cache.get(self._keys[index], f"-x{scale}", reduce)

    def given(self, index: int) -> UInt8[np.ndarray, "H W 3"]:
        """Return the low-resolution image given with an image, where the source ``gives_low``."""
        return self._cache.get(self._keys[index], "-lr", lambda: self._decode(index, low=True))

    def cached(self, variant: str, make: Callable) -> Shaped[np.ndarray, "..."]:
        """Return what ``make()`` makes of all images, memory-mapped from the cache."""
        return self._cache.get("\n".join(self._all_keys()), f"-all{variant}", make)

    def _all_keys(self) -> Sequence[str]:
        """Return what identifies the contents of the whole source."""
        return self._keys

    def at_least(self, side: int, option: str) -> Int[np.ndarray, "m"]:
        """Return the indices of images of at least ``side`` rows and columns; others are skipped.

        Args:
          side: in pixels.
          option: of the config's ``data`` that decides it, for the error.

        Raises:
          UserError: there is none.
        """
        large = np.min(self.sizes, axis=1) >= side
        small = [self.names[i] for i in np.flatnonzero(~large)]
        if len(small) == len(self):
            raise UserError(
                f"all {len(self)} images are smaller than {side}×{side} pixels; "
                f"give larger images or a smaller config.data.{option}"
            )
        if small:
            some = ", ".join(small[:8]) + ", …" * (len(small) > 8)
            numbers = (len(small), len(self), side, side)
            logging.warning("%d of %d images are skipped, below %d×%d: %s", *numbers, some)
            self.skipped += len(small)
        return np.flatnonzero(large)

    def _decode(self, index: int, low: bool = False) -> UInt8[np.ndarray, "h w 3"]:
        with self._reporting(index):
            return self.decode(index, low)

    @contextlib.contextmanager
    def _reporting(self, index: int) -> Iterator[None]:
        """Make any error an :class:`Unreadable`, logged and counted the first time."""
        try:
            yield
        except Exception as error:  # decoders raise whatever they like
            if index not in self._unreadable:
                self._unreadable.add(index)
                self.skipped += 1
                logging.warning("%s is skipped, it is unreadable: %s", self.names[index], error)
            raise Unreadable(f"{self.names[index]}: {error}") from error


class FolderSource(Source):
    """The images in and below some folders, in any mix of the formats ``jaxsr.image.files`` reads.

    Gray is repeated to RGB, alpha is dropped (not composited: colours stay what the file says), 16
    bits are rounded to 8. A file that is no image at all is logged, counted and left out.

    Raises:
      UserError: a folder is missing, or there is no image in any.
    """

    def __init__(self, folders: Sequence[str | os.PathLike], cache: str | os.PathLike = ""):
        self._paths, keys, sizes = [], [], []
        for path in [path for folder in folders for path in find_images(folder)]:
            try:
                sizes.append(_size(path))
            except Exception as error:  # decoders raise whatever they like
                self.skipped += 1
                logging.warning("%s is skipped, it is not an image: %s", path, error)
                continue
            self._paths.append(path)
            keys.append(file_key(path))
        if not self._paths:
            raise UserError(
                f"no image in {', '.join(map(str, folders))}; "
                f"looked for files of {', '.join(formats.SUFFIXES)}"
            )
        super().__init__([str(path) for path in self._paths], keys, sizes, Cache(cache))

    def decode(self, index: int, low: bool = False) -> UInt8[np.ndarray, "h w 3"]:
        return rgb8(files.read(self._paths[index]).pixels)


class TfdsSource(Source):
    """A split of a TensorFlow dataset, read without TensorFlow.

    The image is its feature ``hr`` or ``image``, the low-resolution image given with it ``lr``.

    Args:
      name: of a dataset prepared in ``data_dir``, such as ``div2k/bicubic_x4``, or its own folder.
      split: or part of one: ``train[:90%]``.
      data_dir: folder of prepared datasets; "": that of tfds, ``~/tensorflow_datasets``.

    Raises:
      UserError: there is no such dataset or split, it has no such feature, or it isn't prepared in
        a format that is read in any order (array_record).
    """

    def __init__(
        self,
        name: str,
        split: str = "train",
        data_dir: str | os.PathLike = "",
        cache: str | os.PathLike = "",
    ):
        builder = _tfds_builder(name, data_dir)
        self._features = self._used(name, builder.info.features)
        self._high = next((key for key in ("hr", "image") if key in self._features), None)
        if self._high is None:
            found = ", ".join(builder.info.features)
            raise UserError(f"tfds dataset {name} needs a feature hr or image, has only {found}")
        self.gives_low = "lr" in self._features
        self._records = _encoded_records(builder, split, self._features)
        info = Path(builder.data_path) / "dataset_info.json"
        dataset = f"{info.resolve()}|{info.stat().st_mtime_ns}|{split}"
        kept, numbers = Cache(cache), range(len(self._records))
        sizes = kept.get(dataset, "-sizes", lambda: np.array([self._size(i) for i in numbers]))
        names = [f"{builder.info.full_name}:{split}:{i}" for i in numbers]
        super().__init__(names, [f"{dataset}|{i}" for i in numbers], sizes, kept)

    def _used(self, name: str, features) -> dict:
        """Return those of the dataset's features that are read."""
        return {key: features[key] for key in features if key in ("hr", "image", "lr")}

    def _size(self, index: int) -> tuple[int, int]:
        return _size(BytesIO(self._records[index][self._high]))

    def decode(self, index: int, low: bool = False) -> UInt8[np.ndarray, "h w 3"]:
        key = "lr" if low else self._high
        return rgb8(self._features[key].decode_example_np(self._records[index][key]))


def _tfds_builder(name: str, data_dir: str | os.PathLike):
    import tensorflow_datasets as tfds  # slow to import, and nothing else needs it

    try:
        if Path(name).is_dir():
            return tfds.builder_from_directory(name)
        return tfds.builder(name, data_dir=data_dir or None)
    except Exception as error:  # many kinds, and not all are ValueError
        raise UserError(f"tfds dataset {name}: {_first_line(error)}") from error


def _encoded_records(builder, split: str, features: Iterable[str]) -> Sequence[dict]:
    """Return the records, each image feature as the bytes of its file."""
    from tensorflow_datasets import decode

    try:
        return builder.as_data_source(split, decoders={k: decode.SkipDecoding() for k in features})
    except Exception as error:
        raise UserError(
            f"tfds dataset {builder.info.full_name}, split {split}, in {builder.data_path}: "
            f"{_first_line(error)} (prepare it by "
            'tfds.builder(NAME).download_and_prepare(file_format="array_record"))'
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def file_key(path: Path) -> str:
    """Return what a file is known by in the cache; it differs once the file is changed."""
    stat = path.stat()
    return f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"


def _size(file) -> tuple[int, int]:
    """Read height and width from a file's header, before EXIF turns the image."""
    with PIL.Image.open(file) as image:
        return image.height, image.width


def rgb8(pixels: UInt[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "h w 3"]:
    """Turn 1 to 4 channels of 8 or 16 bits into 8-bit RGB: gray repeated, alpha dropped."""
    pixels = pixels[..., :3] if pixels.shape[-1] > 2 else pixels[..., :1].repeat(3, axis=-1)
    return pixels if pixels.dtype == np.uint8 else from_float(to_float(pixels))
