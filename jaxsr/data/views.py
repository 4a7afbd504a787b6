"""What an example shows of its image: random crops with counterparts, random parts with masks."""

import dataclasses
from typing import Any

import numpy as np
import PIL.Image
from jaxtyping import Float, UInt8

from jaxsr.data import draws
from jaxsr.data.degradations import RealWorld
from jaxsr.data.images import HostImages
from jaxsr.data.masks import Brightness, Legend

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Draws crops of images, and of their low-resolution counterparts at the same places.

    Attributes:
      scale: how many times larger an image is than its counterpart.
      side: of the low-resolution crops in pixels.
      augment: whether to flip and rotate.
      degrade: makes the counterparts of the crops; ``None``: they are cut out of a layer.
      low: the layer.
    """

    scale: int
    side: int
    augment: bool
    degrade: RealWorld | None = None
    low: str = "low"

    words = 5

    @property
    def host_only(self) -> str:
        return "config.data.degradation is 'real'" if self.degrade else ""

    def draw(self, images: Any, words: list, places: Any) -> dict:
        sizes = [n // self.scale for n in images.sizes("high")]
        *place, which = draws.draw_places(words[:3], sizes, self.side, self.augment)
        high = images.crops("high", *(n * self.scale for n in place), which, self.side * self.scale)
        if self.degrade is None:
            low = images.crops(self.low, *place, which, self.side)
        else:
            low = self.degrade.batch(high, (self.side, self.side), words[3:])
        return {"low": low, "high": high}


@dataclasses.dataclass(frozen=True)
class Crops:
    """Draws crops of images, and a seed for each."""

    side: int
    augment: bool

    words = 4
    host_only = ""

    def draw(self, images: Any, words: list, places: Any) -> dict:
        sizes = images.sizes("high")
        drawn = draws.draw_places(words[:3], sizes, self.side, self.augment)
        image = images.crops("high", *drawn, self.side)
        return {"image": image, "seed": words[3], "place": places}


@dataclasses.dataclass(frozen=True)
class ManyCrops:
    """Draws several crops of each image, as ``jaxsr.data.pipeline.restoration`` describes them.

    Attributes:
      side: of the crops in pixels.
      augment: whether to flip and rotate.
      degrade: by scale, what degrades the counterparts; those of scale S are layer "low_S".
      clean: the chance that a counterpart is not degraded.
    """

    side: int
    augment: bool
    degrade: dict[int, RealWorld]
    clean: float

    @property
    def words(self) -> int:
        return 6 * len(self.degrade) + Crops.words

    @property
    def host_only(self) -> str:
        return f"config.data.clean is {self.clean}, not 1" if self.clean < 1 else ""

    def draw(self, images: Any, words: list, places: Any) -> dict:
        batch, highs = {}, []
        for i, (scale, degrade) in enumerate(self.degrade.items()):
            where, clean, seeds = words[6 * i :][:3], words[6 * i + 3], words[6 * i + 4 :][:2]
            name = f"low_{scale}" if scale > 1 else "high"
            pair = Pairs(scale, self.side // scale, self.augment, low=name)
            pair = pair.draw(images, where, places)
            low = pair["low"]
            if self.clean < 1:
                low = degraded(degrade, low, ~draws.chance(clean, self.clean), seeds)
            batch[f"low_{scale}"] = low
            highs.append(pair["high"])
        alone = Crops(self.side, self.augment).draw(images, words[-Crops.words :], places)
        highs.append(alone.pop("image"))
        return batch | alone | {"high": highs[0].__array_namespace__().stack(highs, axis=1)}


def degraded(
    degrade: RealWorld, x: UInt8[np.ndarray, "n h w 3"], which: np.ndarray, seeds: list
) -> UInt8[np.ndarray, "n h w 3"]:
    """Degrade those images of a batch that ``which`` says, at their own size."""
    x = x.copy()
    if which.any():
        x[which] = degrade.batch(x[which], x.shape[1:3], [seed[which] for seed in seeds])
    return x


@dataclasses.dataclass(frozen=True)
class Views:
    """Draws a part of each image and of its mask, stretched to squares.

    Attributes:
      legend: what the masks' values mean.
      side: of the squares in pixels.
      augment: True takes a part, flips it and changes its colours; False takes the whole as it is.
    """

    legend: Brightness | Legend
    side: int
    augment: bool

    words = 2
    host_only = "segmentation stretches images"

    def draw(self, images: HostImages, words: list, places: Any) -> dict:
        pairs = zip(images.layers["image"], images.layers["mask"], *words, strict=True)
        drawn = [
            self._one(image, mask, np.random.default_rng(seed)) for image, mask, *seed in pairs
        ]
        return {"image": np.stack([x for x, _ in drawn]), "mask": np.stack([x for _, x in drawn])}

    def _one(self, image, mask, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        height, width = mask.shape
        box = random_part(height, width, rng) if self.augment else None
        image = stretched(image, self.side, box)
        mask = self.legend.labels(stretched(mask, self.side, box, self.legend.resampling))
        if self.augment:
            if rng.random() < 0.5:
                image, mask = image[:, ::-1], mask[:, ::-1]
            image = random_colours(image, rng)
        return image, mask


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
