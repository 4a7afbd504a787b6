"""Pictures to files: at a level or within so many bytes, whole or at half their size."""

import bisect
import dataclasses
from typing import Any

import numpy as np
from jaxtyping import UInt8

from jaxsr.codec import coder, container, half, region
from jaxsr.codec.container import LEVELS, File, Header
from jaxsr.codec.half import Enlarger
from jaxsr.codec.model import Model
from jaxsr.entropy.tables import STEP
from jaxsr.image import files
from jaxsr.image.pictures import bleed
from jaxsr.image.values import from_float, to_float

TOLERANCE = 0.03  # how far below a wanted number of bytes a file may stay
TRIES = 8  # files written at most to meet it


@dataclasses.dataclass(frozen=True, eq=False)
class Original:
    """What is to be coded.

    Attributes:
      picture: of 8 bits.
      mask: of its region, or None; ``gain`` dB finer.
      keep_exif: whether EXIF goes into the file; an ICC profile always does.
    """

    picture: files.Picture
    mask: region.Mask | None
    gain: float
    keep_exif: bool

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.picture.pixels.shape[:2]

    def with_gain(self, gain: float) -> "Original":
        """The same with another gain of its region."""
        return dataclasses.replace(self, gain=gain)

    def colours(self) -> UInt8[np.ndarray, "h w 3"]:
        """RGB, continued under what is transparent."""
        pixels = self.picture.pixels
        if self.picture.alpha is not None:
            pixels = bleed(to_float(pixels), to_float(self.picture.alpha))
            pixels = from_float(pixels)
        return np.broadcast_to(pixels, (*self.size, 3))

    def steps(self, scale: int = 1) -> region.Map | None:
        """The region's map for a picture coded at ``1 / scale`` of its size."""
        return None if self.mask is None else region.region_map(self.mask, self.gain, scale)

    def error(self, pixels: UInt8[np.ndarray, "h w c"]) -> float:
        """Returns the squared error of what was decoded; errors in a finer region count more."""
        squares = ((pixels.astype(np.float32) - self.colours()) ** 2).mean(-1)
        steps = self.steps()
        if steps is None:
            return float(squares.mean())
        weights = np.exp(2 * STEP * steps.astype(np.float32))
        weights = weights.repeat(region.STRIDE, 0).repeat(region.STRIDE, 1)
        return float((squares * weights[: self.size[0], : self.size[1]]).mean())


class Prepared:
    """A picture whose transform is computed; its files of any size only take the coding."""

    def __init__(self, model: Model, source: Original, enlarger: Enlarger | None = None):
        """At half its size if there is what enlarges it."""
        self.model, self.source, self.enlarger = model, source, enlarger
        self.scale = half.SCALE if enlarger else 1
        self.steps = source.steps(self.scale)
        pixels = half.reduced(source.colours()) if enlarger else source.colours()
        self.analysed = coder.Analysed(model, pixels, self.steps)

    def at(self, level: int, quality: int = 0) -> bytes:
        """The complete file at a level."""
        picture = self.source.picture
        height, width, channels = picture.pixels.shape
        coded = self.model.number, self.model.hash, level, quality, self.scale
        upscaler = self.enlarger.hash if self.enlarger else b""
        header = Header(width, height, channels, *coded, upscaler)
        tiles = tuple(self.analysed.tiles(level))
        exif = picture.exif if self.source.keep_exif else None
        return container.pack(File(header, tiles, picture.alpha, picture.icc, exif, self.steps))

    def within(self, limit: int) -> bytes | None:
        """The largest file found of at most ``limit`` bytes; at once if within ``TOLERANCE``.

        Levels are chosen by the estimate; by how much the file then misses, the next aim is
        corrected. None if even the lowest level's file is larger.
        """
        best, aim, levels = None, limit, range(LEVELS)  # those still possible
        for _ in range(TRIES):
            level = bisect.bisect_right(levels[1:], aim, key=self._estimate) + levels.start
            file = self.at(level)
            missing = limit - len(file)
            if missing < 0:
                levels = range(levels.start, level)
            else:
                best, levels = file, range(level, levels.stop)
            if 0 <= missing <= limit * TOLERANCE / 3 or len(levels) < 2:
                break
            aim += missing
        if best is None and len(file := self.at(0)) <= limit:
            best = file
        return best

    def _estimate(self, level: int) -> float:
        """Bytes of the tiles."""
        return self.analysed.estimate(level) / 8

    def error(self, data: bytes) -> float:
        """Of the picture that one of its files decodes to."""
        return self.source.error(decoded(container.parse(data), self.model, self.enlarger))


def better(ways: list[Prepared], files: list[bytes | None]) -> Any:
    """Of the files there are the one with the smaller error; of equal ones the first."""
    there = [(way, file) for way, file in zip(ways, files, strict=True) if file is not None]
    if len(there) < 2:
        return there[0][1] if there else None
    return min(there, key=lambda pair: pair[0].error(pair[1]))[1]


def decoded(file: File, model: Model, enlarger: Enlarger | None) -> UInt8[np.ndarray, "h w c"]:
    """The colours of a file, gray with one channel.

    Raises:
      UserError: a tile's symbols are not those that were coded.
    """
    header = file.header
    pixels = coder.decode(model, header, file.tiles, file.region)
    if header.channels == 1:
        pixels = np.round(pixels.mean(-1, keepdims=True)).astype(np.uint8)
    return pixels if enlarger is None else enlarger(pixels, header.height, header.width)
