"""The images that a batch shows, one for each example: memory-mapped, or packed on a device.

Both are asked for sizes and crops in the same words, so what a task draws is written once.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import PIL.Image
from jaxtyping import Array, Int32, UInt8

from jaxsr.data import packed
from jaxsr.image.symmetry import turn

Images = Sequence[UInt8[np.ndarray, "_ _ *c"]]


class HostImages(NamedTuple):
    """Images in the host's memory.

    Attributes:
      indices: their numbers in the source.
      layers: of each name as many arrays as there are examples.
    """

    indices: Int32[np.ndarray, "n"]
    layers: Mapping[str, Images]

    def sizes(self, layer: str) -> tuple[np.ndarray, np.ndarray]:
        """Return heights and widths, in pixels."""
        heights, widths = np.array([x.shape[:2] for x in self.layers[layer]], np.int32).T
        return heights, widths

    def crops(self, layer: str, top, left, which, side: int) -> UInt8[np.ndarray, "n side side 3"]:
        """Copy a square of ``side`` pixels out of each image, and turn it.

        Args:
          top, left: first row and column of each.
          which: of the turns of ``jaxsr.image.symmetry.turn``.
        """
        drawn = zip(self.layers[layer], top.tolist(), left.tolist(), which.tolist(), strict=True)
        return np.stack([turn(x[y : y + side, z : z + side], i) for x, y, z, i in drawn])


class PackedImages(NamedTuple):
    """Images in blocks on a device, inside a program.

    Attributes:
      layers: of each name all blocks, and a row of the table for each example.
    """

    layers: Mapping[str, tuple[jax.Array, jax.Array]]

    def sizes(self, layer: str) -> tuple[Array, Array]:
        rows = self.layers[layer][1]
        return rows[:, packed.HEIGHT], rows[:, packed.WIDTH]

    def crops(self, layer: str, top, left, which, side: int) -> UInt8[Array, "n side side c"]:
        blocks, rows = self.layers[layer]
        return packed.crops(blocks, rows, top, left, which, side)

    def squares(self, layer: str, side: int) -> UInt8[Array, "n side side c"]:
        """Return images whole that were packed as squares of ``side`` pixels."""
        zeros = jnp.zeros_like(self.layers[layer][1][:, 0])
        return self.crops(layer, zeros, zeros, zeros, side)


def stretched(
    x: UInt8[np.ndarray, "h w *c"], side: int, box=None, resampling=PIL.Image.Resampling.BILINEAR
) -> UInt8[np.ndarray, "s s *c"]:
    """Resize ``x``, or its part ``box`` (left, top, right, bottom), to ``side`` × ``side``."""
    image = PIL.Image.fromarray(np.asarray(x))
    return np.asarray(image.resize((side, side), resampling, box))
