"""A picture ready to become a file: at any level, within so many bytes or as alike as wanted."""

import bisect
import dataclasses
import functools
from typing import Any

import numpy as np
from jaxtyping import UInt8

from jaxsr.codec import container, half, region, tiles
from jaxsr.codec.container import LEVELS, CodedTile, File, Header
from jaxsr.codec.decoding import decoded
from jaxsr.codec.half import Enlarger
from jaxsr.codec.model import Model
from jaxsr.codec.targets import Target
from jaxsr.entropy.tables import STEP
from jaxsr.image import files
from jaxsr.image.pictures import bleed
from jaxsr.image.values import from_float, to_float

TOLERANCE = 0.03  # by what share a file may stay below the bytes asked for
TRIES = 8  # files written at most to come that close


@dataclasses.dataclass(frozen=True, eq=False)
class Original:
    """A picture to code, with its region.

    Attributes:
      picture: its pixels are uint8.
      mask: the region to code finer, ``(h, w)``, or None.
      gain: by how many dB finer.
      keep_exif: True to store the EXIF block; an ICC profile is always stored.
    """

    picture: files.Picture
    mask: region.Mask | None
    gain: float
    keep_exif: bool

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.picture.pixels.shape[:2]

    def with_gain(self, gain: float) -> "Original":
        """Return the same picture with another gain of its region, in dB."""
        return dataclasses.replace(self, gain=gain)

    def colours(self) -> UInt8[np.ndarray, "h w 3"]:
        """Return RGB, with the visible colours continued under transparent pixels."""
        pixels = self.picture.pixels
        if self.picture.alpha is not None:
            pixels = bleed(to_float(pixels), to_float(self.picture.alpha))
            pixels = from_float(pixels)
        return np.broadcast_to(pixels, (*self.size, 3))

    def steps(self, scale: int = 1) -> region.Map | None:
        """Return the region's map for the picture coded at ``1 / scale`` of its size."""
        return None if self.mask is None else region.region_map(self.mask, self.gain, scale)

    def error(self, pixels: UInt8[np.ndarray, "h w c"]) -> float:
        """Return the mean squared error of decoded pixels; errors in a finer region count more."""
        squares = ((pixels.astype(np.float32) - self.colours()) ** 2).mean(-1)
        steps = self.steps()
        if steps is None:
            return float(squares.mean())
        weights = np.exp(2 * STEP * steps.astype(np.float32))
        weights = weights.repeat(region.STRIDE, 0).repeat(region.STRIDE, 1)
        return float((squares * weights[: self.size[0], : self.size[1]]).mean())


class Prepared:
    """A picture that is transformed once, so that each of its files takes only the coding."""

    def __init__(self, model: Model, source: Original, enlarger: Enlarger | None = None):
        """Take the picture, at half its size if an ``enlarger`` is given."""
        self.model, self.source, self.enlarger = model, source, enlarger
        self.scale = half.SCALE if enlarger else 1
        self.steps = source.steps(self.scale)
        colours = source.colours()
        self.pixels = half.reduced(colours) if enlarger else colours

    @functools.cached_property
    def analysed(self) -> tiles.Analysed:
        """The transform."""
        return tiles.Analysed(self.model, self.pixels, self.steps)

    def at(self, level: int, quality: int = 0) -> bytes:
        """Return the complete file at a level of 0 to 1023; ``quality`` is only noted in it."""
        return self.file(level, quality, tuple(self.analysed.tiles(level)))

    def file(self, level: int, quality: int, coded: tuple[CodedTile, ...]) -> bytes:
        """Return the complete file of tiles that are coded at a level."""
        picture = self.source.picture
        height, width, channels = picture.pixels.shape
        made = self.model.number, self.model.hash, level, quality, self.scale
        upscaler = self.enlarger.hash if self.enlarger else b""
        header = Header(width, height, channels, *made, upscaler)
        exif = picture.exif if self.source.keep_exif else None
        return container.pack(File(header, coded, picture.alpha, picture.icc, exif, self.steps))

    def within(self, limit: int) -> bytes | None:
        """Return the largest file found of at most ``limit`` bytes; None if there is none.

        Each level tried is the one whose estimated bytes come closest below the aim. The aim starts
        at ``limit`` and moves by what the last file missed it; a file close enough ends the search.
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

    def reaching(self, target: Target) -> tuple[bytes | None, float]:
        """Return the file of the lowest level that reaches a target, and the best score found.

        The file is None if there is no such level. Each try is a file, written and decoded. Scores
        grow with the level, but for noise between close ones, so ten or eleven tries are enough.
        """
        channels = self.source.picture.pixels.shape[2]
        original = self.source.colours()[..., :channels]
        files, scores = {}, {}

        def score(level: int) -> float:
            files[level] = self.at(level)
            scores[level] = target.score(original, self.decoded(files[level]))
            return scores[level]

        level = bisect.bisect_left(range(LEVELS), target.value, key=score)
        return files.get(level), max(scores.values())

    def _estimate(self, level: int) -> float:
        """Return the bytes that the tiles are estimated to take."""
        return self.analysed.estimate(level) / 8

    def error(self, data: bytes) -> float:
        """Return :meth:`Original.error` of what one of this picture's files decodes to."""
        return self.source.error(self.decoded(data))

    def decoded(self, data: bytes) -> UInt8[np.ndarray, "h w c"]:
        """Return the colours that one of this picture's files decodes to."""
        return decoded(container.parse(data), self.model, self.enlarger)


def better(ways: list[Prepared], files: list[bytes | None]) -> Any:
    """Return the file with the smaller error, the first of equal ones; None if all are None."""
    there = [(way, file) for way, file in zip(ways, files, strict=True) if file is not None]
    if len(there) < 2:
        return there[0][1] if there else None
    return min(there, key=lambda pair: pair[0].error(pair[1]))[1]
