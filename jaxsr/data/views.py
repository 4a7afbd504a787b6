"""What an example shows of its image: random crops with counterparts, random parts with masks."""

import dataclasses
from collections.abc import Callable

import numpy as np
import PIL.Image
from jaxtyping import Float, Int, UInt8

from jaxsr.data.masks import Brightness, Legend
from jaxsr.data.sources import first_readable
from jaxsr.errors import UserError
from jaxsr.image.symmetry import turn

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclasses.dataclass(frozen=True)
class RandomPair:
    """Draws crops of an image and of its low-resolution counterpart, at the same place.

    It is called with a position in ``indices`` and a generator. An image that cannot be read is
    replaced by the next one.

    Attributes:
      high: image index → image.
      low: image index → low-resolution image; ``None``: ``degrade`` makes it of the crop.
      degrade: (crop, (height, width), generator) → low-resolution crop.
      indices: of the images, by position.
      scale: how many times larger the image is than its counterpart.
      side: of the low-resolution crop in pixels.
      augment: whether to flip and rotate.
    """

    high: Callable
    low: Callable | None
    degrade: Callable | None
    indices: Int[np.ndarray, "n"]
    scale: int
    side: int
    augment: bool

    def __call__(self, position: int | np.integer, rng: np.random.Generator) -> dict:
        index, high, low = self._images(int(position))
        size = [n // self.scale for n in high.shape[:2]]
        if low is not None and list(low.shape[:2]) != size:
            raise UserError(
                f"image {index} is {high.shape[1]}×{high.shape[0]}, its low-resolution one "
                f"{low.shape[1]}×{low.shape[0]}: that is not ×{self.scale}"
            )
        y, x = (int(rng.integers(n - self.side + 1)) for n in size)
        which = int(rng.integers(8)) if self.augment else 0
        high = turn(crop(high, y, x, self.side, self.scale), which)
        if low is None:
            assert self.degrade is not None  # a source without low-resolution images has one
            low = self.degrade(high, (self.side, self.side), rng)
        else:
            low = turn(crop(low, y, x, self.side), which)
        return {"low": low, "high": high, "index": np.int32(index)}

    def _images(self, position: int) -> tuple:
        def both(index):
            return self.high(index), self.low(index) if self.low else None

        index, (high, low) = first_readable(both, self.indices, position)
        return index, high, low


@dataclasses.dataclass(frozen=True)
class RandomCrop:
    """Draws a crop of ``side`` pixels of an image, and a seed; called as :class:`RandomPair` is."""

    high: Callable
    indices: Int[np.ndarray, "n"]
    side: int
    augment: bool

    def __call__(self, position: int | np.integer, rng: np.random.Generator) -> dict:
        index, image = first_readable(self.high, self.indices, int(position))
        y, x = (int(rng.integers(n - self.side + 1)) for n in image.shape[:2])
        which = int(rng.integers(8)) if self.augment else 0
        image = turn(crop(image, y, x, self.side), which)
        seed = rng.integers(2**32, dtype=np.uint32)
        return {"image": image, "seed": seed, "index": np.int32(index)}


@dataclasses.dataclass(frozen=True)
class RandomCrops:
    """Draws several crops of an image, as ``jaxsr.data.pipeline.restoration`` describes them.

    Attributes:
      pairs: draws a crop and its counterpart, one for each scale.
      degrade: for each scale, (counterpart, its size, generator) → degraded, of the same size.
      alone: draws the last crop.
      clean: the chance that a counterpart is not degraded.
    """

    pairs: tuple[RandomPair, ...]
    degrade: tuple[Callable, ...]
    alone: RandomCrop
    clean: float

    def __call__(self, position: int | np.integer, rng: np.random.Generator) -> dict:
        example, highs = {}, []
        for draw, degrade in zip(self.pairs, self.degrade, strict=True):
            pair = draw(position, rng)
            low = pair["low"]
            if rng.random() >= self.clean:
                low = degrade(low, low.shape[:2], rng)
            example[f"low_{draw.scale}"] = low
            highs.append(pair["high"])
        alone = self.alone(position, rng)
        highs.append(alone.pop("image"))
        return example | alone | {"high": np.stack(highs)}


def crop(
    x: UInt8[np.ndarray, "h w c"], top: int, left: int, side: int, scale: int = 1
) -> UInt8[np.ndarray, "p p c"]:
    """Copy a square out of ``x``; its place and side are in units of ``scale`` pixels."""
    top, left, side = top * scale, left * scale, side * scale
    return np.array(x[top : top + side, left : left + side])


@dataclasses.dataclass(frozen=True)
class RandomView:
    """Draws a part of an image and of its mask, stretched to squares.

    It is called with a position in ``indices`` and a generator. An image that cannot be read, or
    whose mask cannot, is replaced by the next one.

    Attributes:
      pair: image index → its pixels and mask.
      legend: what the masks' values mean.
      indices: of the images, by position.
      side: of the squares in pixels.
      augment: True takes a part, flips it and changes its colours; False takes the whole as it is.
    """

    pair: Callable
    legend: Brightness | Legend
    indices: Int[np.ndarray, "n"]
    side: int
    augment: bool

    def __call__(self, position: int | np.integer, rng: np.random.Generator) -> dict:
        index, (image, mask) = first_readable(self.pair, self.indices, int(position))
        height, width = mask.shape
        box = random_part(height, width, rng) if self.augment else None
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
    """Draw left, top, right and bottom of a part of 65 to 100 % of each side."""
    sides = np.array([width, height]) * rng.uniform(0.65, 1.0, 2)
    left, top = rng.uniform(0, 1, 2) * (np.array([width, height]) - sides)
    return left, top, left + sides[0], top + sides[1]


def stretched(
    x: UInt8[np.ndarray, "h w *c"], side: int, box=None, resampling=PIL.Image.Resampling.BILINEAR
) -> UInt8[np.ndarray, "s s *c"]:
    """Resize ``x``, or its part ``box`` (left, top, right, bottom), to ``side`` × ``side``."""
    image = PIL.Image.fromarray(np.asarray(x))
    return np.asarray(image.resize((side, side), resampling, box))


def random_colours(
    x: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """Draw another brightness, contrast, saturation and white; one image in ten becomes gray."""
    y: Float[np.ndarray, "h w 3"] = x.astype(np.float32) / 255
    gray = (y @ LUMA)[..., None]
    saturation = 0.0 if rng.random() < 0.1 else rng.uniform(0.5, 1.5)
    y = gray + saturation * (y - gray)
    y = y * rng.uniform(0.85, 1.15, 3).astype(np.float32)
    mean = y.mean()
    y = mean + rng.uniform(0.6, 1.4) * (y - mean) + rng.uniform(-0.15, 0.15)
    return np.round(np.clip(y, 0, 1) * 255).astype(np.uint8)
