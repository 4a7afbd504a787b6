"""Images with masks: where they come from, what their values mean, and the random views of them."""

import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import PIL.Image
from jaxtyping import Float, Int, Shaped, UInt, UInt8

from jaxsr.data.sources import FolderSource, TfdsSource, file_key, first_readable, open_source
from jaxsr.errors import UserError
from jaxsr.image import files
from jaxsr.image.folders import find_images
from jaxsr.image.values import from_float, to_float

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
IGNORED = 255  # the label of pixels that carry no loss
JPEG_TINT = 16  # by which JPEG lets the channels of gray differ


# What the values of a mask mean


def legend_of(classes: Sequence = (), ignored: Sequence[int] = ()) -> "Brightness | Legend":
    """What the data's options ``mask_classes`` and ``mask_ignored`` say.

    Raises:
      UserError: there are too few or too many classes, or a value stands for two things.
    """
    if not classes and not ignored:
        return Brightness()
    classes = tuple(tuple(np.atleast_1d(values).tolist()) for values in classes)
    given = f"config.data.mask_classes={classes}, mask_ignored={tuple(ignored)}"
    if not 2 <= len(classes) <= IGNORED:
        raise UserError(f"{given}; give the values of 2 to {IGNORED} classes, background first")
    values = [value for values in (*classes, ignored) for value in values]
    if len(set(values)) < len(values):
        raise UserError(f"{given}; a value can stand for one class only")
    return Legend(classes, tuple(ignored))


@dataclasses.dataclass(frozen=True)
class Brightness:
    """Where a gray mask is above half of white is class 1; the rest is class 0, the background."""

    count = 2  # classes
    resampling = PIL.Image.Resampling.BILINEAR

    def decode(self, data: bytes, name: str) -> UInt[np.ndarray, "h w c"]:
        return files.decode(data, name).pixels

    def mask(self, pixels: UInt[np.ndarray, "h w c"], name: str) -> UInt8[np.ndarray, "h w"]:
        """:func:`brightness`."""
        return brightness(
            pixels,
            name,
            ", or say by config.data.mask_classes which value stands for which class",
        )

    def labels(self, mask: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
        return (mask > 127).astype(np.uint8)


def brightness(
    pixels: UInt[np.ndarray, "h w c"], name: str, otherwise: str = ""
) -> UInt8[np.ndarray, "h w"]:
    """How bright a gray mask is, in 8 bits.

    Args:
      otherwise: what else than another mask would help, for the error.

    Raises:
      UserError: it looks as if its values were numbers of classes.
    """
    pixels = pixels if pixels.dtype == np.uint8 else from_float(to_float(pixels))
    coloured, brightest = np.ptp(pixels, -1).max() > JPEG_TINT, pixels.max()
    if coloured or 0 < brightest < 128:
        found = "is coloured" if coloured else f"has no value above {brightest} of 255"
        raise UserError(
            f"{name} {found}; make it white inside a region and black outside{otherwise}"
        )
    return np.ascontiguousarray(pixels[..., 0])


@dataclasses.dataclass(frozen=True)
class Legend:
    """A mask's values are numbers: its gray levels, as the file has them, or places in its palette.

    Attributes:
      classes: the values of each class.
      ignored: values of pixels that carry no loss.
    """

    classes: tuple[tuple[int, ...], ...]
    ignored: tuple[int, ...] = ()
    resampling = PIL.Image.Resampling.NEAREST

    @property
    def count(self) -> int:
        return len(self.classes)

    def decode(self, data: bytes, name: str) -> Shaped[np.ndarray, "h w c"]:
        with PIL.Image.open(BytesIO(data)) as image:
            values, orientation = np.asarray(image), image.getexif().get(files.ORIENTATION, 1)
            channels = values.reshape(image.height, image.width, -1)
            channels = channels[..., :-1] if image.mode in ("LA", "PA", "RGBA") else channels
        return files.turn_upright(channels, orientation)

    def mask(self, channels: Shaped[np.ndarray, "h w c"], name: str) -> UInt8[np.ndarray, "h w"]:
        """Its labels.

        Raises:
          UserError: it has colours and no palette, or a value that means nothing.
        """
        if np.ptp(channels.astype(int), -1).any():
            raise UserError(
                f"{name} has colours for classes; give it a palette or make it gray, a level a class"
            )
        found, places = np.unique(channels[..., 0], return_inverse=True)
        label_of = {value: n for n, values in enumerate(self.classes) for value in values}
        label_of |= dict.fromkeys(self.ignored, IGNORED)
        unknown = [value for value in found.tolist() if value not in label_of]
        if unknown:
            raise UserError(
                f"{name} holds {', '.join(map(str, unknown[:8]))}, no class's value; "
                "name it in config.data.mask_classes or mask_ignored"
            )
        labels = np.array([label_of[value] for value in found.tolist()], np.uint8)
        return labels[places].reshape(channels.shape[:2])

    def labels(self, mask: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
        return mask


# Sources


def open_masked(
    spec: str,
    legend: Brightness | Legend,
    cache: str | os.PathLike = "",
    data_dir: str | os.PathLike = "",
) -> "Masked":
    """The source of images with masks that ``folder:DIR[,DIR…]`` or ``tfds:NAME[:SPLIT]`` names.

    Raises:
      UserError: as :func:`jaxsr.data.sources.open_source`; an image has no mask.
    """
    kinds = (functools.partial(kind, legend=legend) for kind in (MaskedFolder, MaskedTfds))
    return open_source(spec, cache, data_dir, *kinds)


class Masked:
    """What a ``Source`` of images with masks has besides.

    Attributes:
      legend: what the values of its masks mean.
    """

    legend: Brightness | Legend

    def pair(self, index: int) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"]]:
        """The image and its mask, as ``legend`` has it, memory-mapped from the cache.

        Raises:
          Unreadable: one of them cannot be decoded.
          UserError: they differ in size, or the mask is not such as ``legend`` takes.
        """
        image = self.high(index)
        key = f"{self._mask_keys[index]}|{self.legend}"
        mask = self._cache.get(key, "-mask", lambda: self._mask(index))
        if mask.shape != image.shape[:2]:
            raise UserError(
                f"{self.names[index]} is {image.shape[1]}×{image.shape[0]}, its mask "
                f"{mask.shape[1]}×{mask.shape[0]} pixels; a mask has its image's size"
            )
        return image, mask

    def _mask(self, index: int) -> UInt8[np.ndarray, "h w"]:
        name = f"{self.names[index]}'s mask"
        with self._reporting(index):
            pixels = self.legend.decode(self._mask_bytes(index), name)
        return self.legend.mask(pixels, name)

    def _mask_bytes(self, index: int) -> bytes:
        """The mask's file."""
        raise NotImplementedError


class MaskedFolder(Masked, FolderSource):
    """Images in and below ``DIR/images``; their masks lie in ``DIR/masks`` under the same names.

    Only the suffix may be another: ``images/a/b.jpg`` has the mask ``masks/a/b.png``.

    Raises:
      UserError: there is no such folder, no image in it, or an image without a mask.
    """

    def __init__(
        self,
        folders: Sequence[str | os.PathLike],
        cache: str | os.PathLike = "",
        legend: Brightness | Legend = Brightness(),
    ):
        super().__init__([Path(folder, "images") for folder in folders], cache)
        self.legend = legend
        masks = {path: mask for folder in folders for path, mask in masks_of(folder)}
        self._masks = [masks[path] for path in self._paths]
        if None in self._masks:
            alone = self._paths[self._masks.index(None)]
            raise UserError(f"{alone} has no mask of its name in the folder masks/ beside images/")
        self._mask_keys = [file_key(mask) for mask in self._masks]

    def _mask_bytes(self, index: int) -> bytes:
        return self._masks[index].read_bytes()


def masks_of(folder: str | os.PathLike) -> Iterator[tuple[Path, Path | None]]:
    """Every image in and below ``folder/images`` and its mask (see :class:`MaskedFolder`); None: it has none."""
    images, masks = (Path(folder, part) for part in ("images", "masks"))
    known = {path.relative_to(masks).with_suffix(""): path for path in find_images(masks)}
    for path in find_images(images):
        yield path, known.get(path.relative_to(images).with_suffix(""))


class MaskedTfds(Masked, TfdsSource):
    """A split of a TensorFlow dataset with images and masks, such as ``oxford_iiit_pet``.

    The mask is the only feature besides ``image`` that is an image, whatever its name.

    Raises:
      UserError: as :class:`TfdsSource`; or there is no such feature, or more than one.
    """

    def __init__(
        self,
        name: str,
        split: str = "train",
        data_dir: str | os.PathLike = "",
        cache: str | os.PathLike = "",
        legend: Brightness | Legend = Brightness(),
    ):
        super().__init__(name, split, data_dir, cache)
        self.legend = legend
        self._mask_keys = [f"{key}|{self._mask_feature}" for key in self._keys]

    def _used(self, name: str, features) -> dict:
        import tensorflow_datasets as tfds

        used = super()._used(name, features)
        masks = [
            k for k in features if isinstance(features[k], tfds.features.Image) and k not in used
        ]
        if len(masks) != 1:
            found = ", ".join(features)
            raise UserError(
                f"tfds dataset {name} needs a mask: one image besides {', '.join(used)}; has {found}"
            )
        (self._mask_feature,) = masks
        return used | {self._mask_feature: features[self._mask_feature]}

    def _mask_bytes(self, index: int) -> bytes:
        return self._records[index][self._mask_feature]


# Views


@dataclasses.dataclass(frozen=True)
class RandomView:
    """Position in ``indices`` → a part of that image, and of its mask, as a square; and its colours changed.

    An image that cannot be read, or whose mask cannot, is replaced by the next one.

    Attributes:
      pair: image index → its pixels and mask.
      legend: of the masks.
      indices: of the images, by position.
      side: of the squares; what they show is stretched to it.
      augment: whether to take a part, flip it and change its colours, or the whole as it is.
    """

    pair: Callable
    legend: Brightness | Legend
    indices: Int[np.ndarray, "n"]
    side: int
    augment: bool

    def __call__(self, position: int | np.integer, rng: np.random.Generator) -> dict:
        index, (image, mask) = first_readable(self.pair, self.indices, int(position))
        box = random_part(*mask.shape, rng) if self.augment else None
        image = stretched(image, self.side, box)
        mask = self.legend.labels(stretched(mask, self.side, box, self.legend.resampling))
        if self.augment:
            if rng.random() < 0.5:
                image, mask = image[:, ::-1], mask[:, ::-1]
            image = random_colours(image, rng)
        return {
            "image": np.ascontiguousarray(image),
            "mask": np.ascontiguousarray(mask),
            "index": np.int32(index),
        }


def random_part(
    height: int, width: int, rng: np.random.Generator
) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of a part of 65 to 100 % of each side."""
    sides = np.array([width, height]) * rng.uniform(0.65, 1.0, 2)
    left, top = rng.uniform(0, 1, 2) * (np.array([width, height]) - sides)
    return left, top, left + sides[0], top + sides[1]


def stretched(
    x: UInt8[np.ndarray, "h w *c"], side: int, box=None, resampling=PIL.Image.Resampling.BILINEAR
) -> UInt8[np.ndarray, "s s *c"]:
    """``x``, or its part ``box``, as a square of ``side`` pixels."""
    image = PIL.Image.fromarray(np.asarray(x))
    return np.asarray(image.resize((side, side), resampling, box))


def random_colours(
    x: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """Other brightness, contrast and saturation, other weights of the colours; one in ten gray."""
    y: Float[np.ndarray, "h w 3"] = x.astype(np.float32) / 255
    gray = (y @ LUMA)[..., None]
    saturation = 0.0 if rng.random() < 0.1 else rng.uniform(0.5, 1.5)
    y = gray + saturation * (y - gray)
    y = y * rng.uniform(0.85, 1.15, 3).astype(np.float32)
    mean = y.mean()
    y = mean + rng.uniform(0.6, 1.4) * (y - mean) + rng.uniform(-0.15, 0.15)
    return np.round(np.clip(y, 0, 1) * 255).astype(np.uint8)
