"""Images with masks: where they come from, and the random views of them that a segmenter learns from."""

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import PIL.Image
from jaxtyping import Float, Int, UInt8

from jaxsr.data.sources import FolderSource
from jaxsr.image import io

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


class MaskedFolder(FolderSource):
    """Images in ``DIR/images`` whose masks are ``DIR/masks``' files of the same stems.

    Raises:
      ValueError: there is no such folder, no image in it, or an image without a mask.
    """

    def __init__(self, folders: Sequence[str | os.PathLike], cache: str | os.PathLike = ""):
        super().__init__([Path(folder, "images") for folder in folders], cache)
        known = {
            (path.parent.parent, path.stem): path
            for folder in folders
            for path in io.find_images(Path(folder, "masks"))
        }
        self._masks = [known.get((path.parent.parent, path.stem)) for path in self._paths]
        if None in self._masks:
            alone = self._paths[self._masks.index(None)]
            raise ValueError(f"{alone} has no mask; it would be {alone.stem}.png in masks/ beside")

    def mask(self, index: int) -> UInt8[np.ndarray, "h w"]:
        """The image's mask as its file has it, from the cache."""

        def decode():
            pixels = io.read(self._masks[index]).pixels
            return np.ascontiguousarray(pixels[..., 0])

        return self._cache.get(self._keys[index], "-mask", decode)


@dataclasses.dataclass(frozen=True)
class RandomView:
    """Position in ``indices`` → a part of that image, and of its mask, as a square; and its colours changed.

    Attributes:
      image, mask: image index → pixels.
      indices: of the images, by position.
      side: of the squares; what they show is stretched to it.
      augment: whether to take a part, flip it and change its colours, or the whole as it is.
    """

    image: Callable
    mask: Callable
    indices: Int[np.ndarray, "n"]
    side: int
    augment: bool

    def __call__(self, position: int | np.integer, rng: np.random.Generator) -> dict:
        index = int(self.indices[position])
        image, mask = self.image(index), self.mask(index)
        box = random_part(*image.shape[:2], rng) if self.augment else None
        image, mask = (stretched(x, self.side, box) for x in (image, mask))
        if self.augment:
            if rng.random() < 0.5:
                image, mask = image[:, ::-1], mask[:, ::-1]
            image = random_colours(image, rng)
        return {
            "image": np.ascontiguousarray(image),
            "mask": (mask > 127).astype(np.uint8),
            "index": np.int32(index),
        }


def random_part(
    height: int, width: int, rng: np.random.Generator
) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of a part of 65 to 100 % of each side."""
    sides = np.array([width, height]) * rng.uniform(0.65, 1.0, 2)
    left, top = rng.uniform(0, 1, 2) * (np.array([width, height]) - sides)
    return left, top, left + sides[0], top + sides[1]


def stretched(x: UInt8[np.ndarray, "h w *c"], side: int, box=None) -> UInt8[np.ndarray, "s s *c"]:
    """``x``, or its part ``box``, as a square of ``side`` pixels."""
    image = PIL.Image.fromarray(np.asarray(x))
    return np.asarray(image.resize((side, side), PIL.Image.Resampling.BILINEAR, box))


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
