"""Pictures kept at half their size: reduced before coding, super-resolved after decoding.

A file names its upscaler by a hash, because another one would give another picture.
"""

import os
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from jaxsr import zoo
from jaxsr.codec import kept
from jaxsr.codec.kept import once_a_file
from jaxsr.codec.model import fingerprint
from jaxsr.errors import UserError
from jaxsr.image.pictures import Box
from jaxsr.image.resize import imresize_uint8
from jaxsr.tiling.upscaling import TiledUpscaler

SCALE = 2
DEFAULT = zoo.CLEAN_UPSCALER

Pixels = UInt8[np.ndarray, "h w c"]


def reduced(pixels: Pixels) -> UInt8[np.ndarray, "hh ww c"]:
    """Reduce by MATLAB's bicubic, which upscalers are trained on, to half the size, rounded up."""
    return imresize_uint8(pixels, 1 / SCALE)


class Enlarger:
    """An upscaler ×2 that files can name.

    Attributes:
      hash: 4 bytes, by which files name it; see :func:`jaxsr.codec.model.fingerprint`.
    """

    def __init__(self, weights: zoo.Weights, name: str):
        """Build the upscaler of ``weights``; ``name`` says in errors where they are from."""
        arrays = zoo.weights.flatten(weights.params)
        self.hash = fingerprint(weights.network, weights.options, arrays)
        folded = zoo.folded(weights)
        self._tiled = TiledUpscaler(zoo.build(folded, name), folded.params)

    def source(self, box: Box, coded: tuple[int, int]) -> tuple[int, int, int, int]:
        """Return the box of the half size, of ``coded`` pixels, that decides a box of the whole."""
        unit, reach = self._tiled.unit, self._tiled.reach
        x, y, width, height = box
        sides = []
        for start, size, end in ((x, width, coded[1]), (y, height, coded[0])):
            first = max(0, start // SCALE - reach) // unit * unit
            sides.append((first, min(end, -(-(start + size) // SCALE) + reach) - first))
        (left, width), (top, height) = sides
        return left, top, width, height

    def __call__(self, pixels: Pixels, height: int, width: int) -> UInt8[np.ndarray, "hh ww c"]:
        """Enlarge ×2, then crop to ``(height, width)``: odd sizes were rounded up when halved."""
        return self._tiled([pixels])[0][:height, :width]


def load_enlarger(name_or_path: str | os.PathLike = DEFAULT) -> Enlarger:
    """Load an upscaler ×2 by released name or file; one file gives one object until rewritten.

    Raises:
      UserError: there is no such name or file, or the file holds no upscaler ×2.
    """
    return _read(zoo.find_weights(zoo.UPSCALER, name_or_path, SCALE))


@once_a_file
def _read(path: Path) -> Enlarger:
    weights = zoo.read_weights(path, zoo.UPSCALER)
    if weights.options.get("scale", 4) != SCALE:
        raise UserError(f"{path}: a picture at half its size takes an upscaler ×{SCALE}")
    return Enlarger(weights, os.fspath(path))


def available() -> list[str]:
    """Return the names of the released upscalers that enlarge ×2."""
    return [name for name, scales in zoo.released_upscalers().items() if SCALE in scales]


def name_of(hash: bytes) -> str | None:
    """Return the name of the released upscaler that files name by ``hash``; None if none is."""
    return kept.name_of(hash, available(), load_enlarger)
