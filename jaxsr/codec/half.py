"""Pictures kept at half their size: reduced before coding, super-resolved after decoding.

Which upscaler a file was made with, it says by a hash: another one would give another picture.
"""

import os
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from jaxsr import zoo
from jaxsr.codec.kept import once_a_file
from jaxsr.codec.model import fingerprint
from jaxsr.errors import UserError
from jaxsr.image.resize import imresize_uint8
from jaxsr.tiling.upscaling import TiledUpscaler

SCALE = 2
DEFAULT = zoo.DEFAULT_UPSCALER

Pixels = UInt8[np.ndarray, "h w c"]


def reduced(pixels: Pixels) -> UInt8[np.ndarray, "hh ww c"]:
    """At half the size, rounded up, as MATLAB's bicubic: what upscalers are trained on."""
    return imresize_uint8(pixels, 1 / SCALE)


class Enlarger:
    """An upscaler ×2 that files can name.

    Attributes:
      hash: what they name it by.
    """

    def __init__(self, weights: zoo.Weights, name: str):
        """``name`` is that of the weights, for errors."""
        arrays = zoo.weights.flatten(weights.params)
        self.hash = fingerprint(weights.network, weights.options, arrays)
        folded = zoo.folded(weights)
        self._tiled = TiledUpscaler(zoo.build(folded, name), folded.params)

    def __call__(self, pixels: Pixels, height: int, width: int) -> UInt8[np.ndarray, "hh ww c"]:
        """Twice the size; of sizes that are odd the last row or column falls away."""
        return self._tiled([pixels])[0][:height, :width]


def load_enlarger(name_or_path: str | os.PathLike = DEFAULT) -> Enlarger:
    """Loads an upscaler ×2, by released name or file; the same object while the file is the same.

    Raises:
      UserError: there is none of that name, or the file has no upscaler ×2.
    """
    return _read(zoo.find_weights(zoo.UPSCALER, name_or_path, SCALE))


@once_a_file
def _read(path: Path) -> Enlarger:
    weights = zoo.read_weights(path, zoo.UPSCALER)
    if weights.options.get("scale", 4) != SCALE:
        raise UserError(f"{path}: a picture at half its size takes an upscaler ×{SCALE}")
    return Enlarger(weights, os.fspath(path))


def available() -> list[str]:
    """Released upscalers that are there at ×2."""
    return [name for name, scales in zoo.released_upscalers().items() if SCALE in scales]
