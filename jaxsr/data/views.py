"""What an example shows of its image: random crops with counterparts, random parts with masks."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import PIL.Image
from jaxtyping import Array, Float, UInt8

from jaxsr.data import draws, resampling
from jaxsr.data.degradations import RealWorld
from jaxsr.data.images import PackedImages, stretched
from jaxsr.data.masks import Brightness, Legend

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
PART = 0.65, 1.0  # of each side of an image
GRAY = 0.1  # the chance of no colour at all
SATURATION, WHITE, CONTRAST, BRIGHTER = (0.5, 1.5), (0.85, 1.15), (0.6, 1.4), (-0.15, 0.15)
DRAWN = (  # of words, in a program
    *("height", "width", "top", "left", "flip"),
    *("gray", "saturation", "red", "green", "blue", "contrast", "brightness"),
)
Part = tuple[Float[Array, "n"], Float[Array, "n"]]  # start and extent along an axis, in pixels


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

    def draw(self, images: Any, words: list, places: Any) -> dict:
        sizes = [n // self.scale for n in images.sizes("high")]
        *place, which = draws.draw_places(words[:3], sizes, self.side, self.augment)
        high = images.crops("high", *(n * self.scale for n in place), which, self.side * self.scale)
        if self.degrade is None:
            low = images.crops(self.low, *place, which, self.side)
        else:
            low, _ = self.degrade.batch(high, (self.side, self.side), words[3:])
        return {"low": low, "high": high}


@dataclasses.dataclass(frozen=True)
class Crops:
    """Draws crops of images, and a seed for each."""

    side: int
    augment: bool

    words = 4

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

    def draw(self, images: Any, words: list, places: Any) -> dict:
        batch, highs = {}, []
        for i, (scale, degrade) in enumerate(self.degrade.items()):
            where, clean, seeds = words[6 * i :][:3], words[6 * i + 3], words[6 * i + 4 :][:2]
            name = f"low_{scale}" if scale > 1 else "high"
            pair = Pairs(scale, self.side // scale, self.augment, low=name)
            pair = pair.draw(images, where, places)
            low = pair["low"]
            strengths = low.__array_namespace__().zeros((len(low), 3), np.float32)
            if self.clean < 1:
                low, strengths = degraded(degrade, low, ~draws.chance(clean, self.clean), seeds)
            batch |= {f"low_{scale}": low, f"strengths_{scale}": strengths}
            highs.append(pair["high"])
        alone = Crops(self.side, self.augment).draw(images, words[-Crops.words :], places)
        highs.append(alone.pop("image"))
        return batch | alone | {"high": highs[0].__array_namespace__().stack(highs, axis=1)}


def degraded(
    degrade: RealWorld, x: UInt8[np.ndarray | Array, "n h w 3"], which: Any, seeds: list
) -> tuple[UInt8[np.ndarray | Array, "n h w 3"], Float[np.ndarray | Array, "n 3"]]:
    """Degrade those images of a batch that ``which`` says, at their own size; return how much."""
    size = x.shape[1], x.shape[2]
    if not isinstance(x, np.ndarray):
        y, strengths = degrade.batch(x, size, seeds)
        return jnp.where(which[:, None, None, None], y, x), which[:, None] * strengths
    x, strengths = x.copy(), np.zeros((len(x), 3), np.float32)
    if which.any():
        seeds = [seed[which] for seed in seeds]
        x[which], strengths[which] = degrade.batch(x[which], size, seeds)
    return x, strengths


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

    @property
    def packed_side(self) -> int:
        """The side of packed images: squares, large enough that no part of them is enlarged."""
        return 2 * self.side

    def draw(self, images: Any, words: list, places: Any) -> dict:
        if isinstance(images, PackedImages):
            return self._in_program(images, words)
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

    def _in_program(self, images: PackedImages, words: list) -> dict:
        """Do the same to all images at once, with other draws from the same distribution."""
        image, mask = (
            images.squares(layer, self.packed_side).astype(jnp.float32).swapaxes(2, 3)
            for layer in ("image", "mask")
        )
        drawn = dict(zip(DRAWN, draws.more(words, len(DRAWN)), strict=True))
        parts = random_parts(self.packed_side, drawn) if self.augment else (None, None)
        image = jnp.round(stretched_parts(image, self.side, parts))
        mask = jnp.round(stretched_parts(mask, self.side, parts, self.legend.resampling))
        if self.augment:
            flip = draws.chance(drawn["flip"], 0.5)[:, None, None, None]
            image, mask = (jnp.where(flip, x[..., ::-1], x) for x in (image, mask))
            image = recoloured(image, drawn)
        labels = self.legend.labels(mask[:, :, 0].astype(jnp.uint8))
        return {"image": image.astype(jnp.uint8).swapaxes(2, 3), "mask": labels}


# On the host


def random_part(
    height: int, width: int, rng: np.random.Generator
) -> tuple[float, float, float, float]:
    """Draw left, top, right and bottom of a part of 65 to 100 % of each side."""
    sides = np.array([width, height]) * rng.uniform(*PART, 2)
    left, top = rng.uniform(0, 1, 2) * (np.array([width, height]) - sides)
    return left, top, left + sides[0], top + sides[1]


def random_colours(
    x: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """Draw another brightness, contrast, saturation and white; one image in ten becomes gray."""
    y: Float[np.ndarray, "h w 3"] = x.astype(np.float32) / 255
    gray = (y @ LUMA)[..., None]
    saturation = 0.0 if rng.random() < GRAY else rng.uniform(*SATURATION)
    y = gray + saturation * (y - gray)
    y = y * rng.uniform(*WHITE, 3).astype(np.float32)
    mean = y.mean()
    y = mean + rng.uniform(*CONTRAST) * (y - mean) + rng.uniform(*BRIGHTER)
    return np.round(np.clip(y, 0, 1) * 255).astype(np.uint8)


# In a program: images are (n, rows, channels, columns), values 0 to 255


def random_parts(side: int, drawn: dict) -> tuple[Part, Part]:
    """Draw starts and extents, down and across, of parts of squares, as :func:`random_part`."""
    extents = [side * draws.uniform(drawn[name], *PART) for name in ("height", "width")]
    starts = [
        draws.uniform(drawn[name], 0, 1) * (side - extent)
        for name, extent in zip(("top", "left"), extents, strict=True)
    ]
    down, across = zip(starts, extents, strict=True)
    return down, across


def stretched_parts(
    x: Float[Array, "n s c s"],
    side: int,
    parts: tuple[Part | None, Part | None],
    kernel: PIL.Image.Resampling = PIL.Image.Resampling.BILINEAR,
) -> Float[Array, "n side c side"]:
    """Resize parts of squares to smaller ones, as :func:`jaxsr.data.images.stretched`."""
    size, shape = jnp.full(len(x), x.shape[1]), (side, x.shape[1])
    if kernel == PIL.Image.Resampling.NEAREST:
        matrices = (resampling.nearest(size, *shape, part) for part in parts)
    else:
        matrices = (resampling.resizing("bilinear", size, side, shape, part) for part in parts)
    return resampling.apply(x, *matrices)


def recoloured(x: Float[Array, "n h 3 w"], drawn: dict) -> Float[Array, "n h 3 w"]:
    """Do as :func:`random_colours`."""

    def number(name, limits):
        return draws.uniform(drawn[name], *limits)[:, None, None, None]

    x = x / 255
    red, green, blue = LUMA.tolist()
    gray = red * x[:, :, :1] + green * x[:, :, 1:2] + blue * x[:, :, 2:]
    is_gray = draws.chance(drawn["gray"], GRAY)[:, None, None, None]
    x = gray + jnp.where(is_gray, 0, number("saturation", SATURATION)) * (x - gray)
    white = [number(name, WHITE) for name in ("red", "green", "blue")]
    x = x * jnp.concatenate(white, axis=2)
    mean = x.mean(axis=(1, 2, 3), keepdims=True)
    x = mean + number("contrast", CONTRAST) * (x - mean) + number("brightness", BRIGHTER)
    return jnp.round(jnp.clip(x, 0, 1) * 255)
