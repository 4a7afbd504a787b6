"""Pictures to tiles of coded symbols and back.

An image up to 1024×1024 is one tile, on a canvas of latents whose sides are multiples of 16. A larger
one is cut into tiles of 64×64 latents, each with symbols of its own; the transforms see a margin of 8
latents around a tile, which is more than they reach, so the borders cannot be seen.
"""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float32, Int8, Int32, UInt8

from jaxsr.codec import container, symbols
from jaxsr.codec.container import CodedTile
from jaxsr.codec.model import Model, Rate, Symbols
from jaxsr.networks.compressor import DOWN

SIDE = container.TILE // DOWN  # latents of a tile, each way
MARGIN = 8  # latents: a window of attention, so that windows lie as in the whole image
STEP = 16  # a lone tile's canvas is a multiple of this many latents
Map = Int8[np.ndarray, "rows columns"]


class Place(NamedTuple):
    """Where a tile lies, in latents, and the canvas its symbols are computed on."""

    top: int
    left: int
    height: int
    width: int
    canvas: tuple[int, int]
    margin: int

    @property
    def size(self) -> np.ndarray:
        return np.array([self.height, self.width], np.int32)


def places(height: int, width: int) -> list[Place]:
    """The tiles of an image of so many pixels, row by row."""
    rows, columns = -(-height // DOWN), -(-width // DOWN)
    if max(rows, columns) <= SIDE:
        canvas = -(-rows // STEP) * STEP, -(-columns // STEP) * STEP
        return [Place(0, 0, rows, columns, canvas, 0)]
    return [
        Place(top, left, min(SIDE, rows - top), min(SIDE, columns - left), (SIDE, SIDE), MARGIN)
        for top in range(0, rows, SIDE)
        for left in range(0, columns, SIDE)
    ]


def cut(x: np.ndarray, place: Place, unit: int, margin: int) -> np.ndarray:
    """A tile's canvas and ``margin`` of a plane with ``unit`` values a latent; edges are repeated."""
    starts = place.top, place.left
    axes = []
    for start, side, size in zip(starts, place.canvas, x.shape[:2], strict=True):
        index = np.arange((start - margin) * unit, (start + side + margin) * unit)
        axes.append(np.clip(index, 0, size - 1))
    return x[axes[0]][:, axes[1]]


class Analysed:
    """An image's latents, ready to be coded at any level."""

    def __init__(self, model: Model, pixels: UInt8[np.ndarray, "h w 3"], region: Map | None):
        self.model = model
        self.places = places(*pixels.shape[:2])
        self.region = region_of(region, self.places)
        self.latents = [self._analyse(pixels, place) for place in self.places]

    def _analyse(self, pixels: np.ndarray, place: Place) -> jax.Array:
        y = self.model.analyse(cut(pixels, place, DOWN, place.margin))
        height, width = place.canvas
        return y[place.margin : place.margin + height, place.margin : place.margin + width]

    def tiles(self, level: int) -> Iterator[CodedTile]:
        """Every tile, coded at ``level``."""
        rate = self.model.rate(level)
        for place, coded, bits in self._symbols(rate):
            region = cut(self.region, place, 1, 0)
            yield symbols.write(self.model, coded, rate, region, place.size, bits)

    def estimate(self, level: int) -> float:
        """The bits that all symbols take by the densities that training counts them with."""
        fraction = np.float32(level / (container.LEVELS - 1))
        return sum(
            bits + float(self.model.hyper_bits(coded.hyper, fraction, place.size))
            for place, coded, bits in self._symbols(self.model.rate(level))
        )

    def _symbols(self, rate: Rate) -> Iterator[tuple[Place, Symbols, float]]:
        """Every tile's, with the bits that its residuals are estimated to take."""
        for place, y in zip(self.places, self.latents, strict=True):
            region = cut(self.region, place, 1, 0)
            coded, bits = self.model.symbols(y, rate, region, place.size)
            yield place, coded, float(bits)


def region_of(region: Map | None, places: list[Place]) -> Int32[np.ndarray, "rows columns"]:
    """The map, or one of zeros, of all latents."""
    if region is not None:
        return region.astype(np.int32)
    last = places[-1]
    return np.zeros((last.top + last.height, last.left + last.width), np.int32)


def decode(
    model: Model, header: container.Header, tiles: tuple[CodedTile, ...], region: Map | None
) -> UInt8[np.ndarray, "h w 3"]:
    """What the tiles hold: the image, or that at half its size.

    Raises:
      UserError: a tile's symbols are not those that were coded.
    """
    where = places(*header.coded)
    rate = model.rate(header.level)
    steps = region_of(region, where)
    latents = np.empty((*steps.shape, model.latents), np.float32)
    for number, (place, tile) in enumerate(zip(where, tiles, strict=True), 1):
        local = cut(steps, place, 1, 0)
        coded = symbols.read(model, tile, rate, local, place.size, f"tile {number} of {len(where)}")
        y = model.decoded_latents(coded, rate, local, place.size)
        rows = slice(place.top, place.top + place.height)
        columns = slice(place.left, place.left + place.width)
        latents[rows, columns] = np.asarray(y)[: place.height, : place.width]
    return assembled(model, header, latents, steps, where)


def assembled(model, header, latents: Float32[np.ndarray, "rows columns m"], steps, where):
    """The synthesis of all tiles, side by side."""
    rate = model.rate(header.level)
    rows, columns = header.coded
    image = np.empty((rows, columns, 3), np.uint8)
    for place in where:
        y, local = (cut(x, place, 1, place.margin) for x in (latents, steps))
        pixels = np.asarray(model.synthesise(y, rate, local))
        top, left = place.top * DOWN, place.left * DOWN
        height = min(place.height * DOWN, rows - top)
        width = min(place.width * DOWN, columns - left)
        inner = place.margin * DOWN
        image[top : top + height, left : left + width] = pixels[
            inner : inner + height, inner : inner + width
        ]
    return image
