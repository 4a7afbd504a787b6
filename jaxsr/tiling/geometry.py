"""Tiles of one shape for a whole image, so that a network is compiled once and fits into memory.

If what is computed on the tiles is local, with a receptive field of radius r, and ``overlap`` is at
least r, then :func:`paste` assembles exactly the result on the whole image: tiles never leave the
image and those at its border end with it, so zero padding acts where it would have acted, and each
pixel is kept from a tile where it is at least r away from every side made by cutting. For networks
that look everywhere no overlap is exact; :func:`blend` fades from tile to tile instead.
"""

import dataclasses
import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from jaxsr.errors import UserError


@dataclasses.dataclass(frozen=True)
class Tile:
    """One tile, in pixels of the image it is cut from.

    Attributes:
      rows, cols: what the network sees; every tile of a plan has the same height and width.
      keep_rows, keep_cols: the part of it that is kept; over a plan these partition the image.
    """

    rows: slice
    cols: slice
    keep_rows: slice
    keep_cols: slice

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of what the network sees."""
        return self.rows.stop - self.rows.start, self.cols.stop - self.cols.start


def plan(height: int, width: int, tile: int | tuple[int, int], overlap: int) -> list[Tile]:
    """Plan tiles of one shape for an image, row by row.

    They are as few as the overlap allows, and spread evenly.

    Args:
      height, width: of the image.
      tile: the longest side of a tile, or its greatest height and width.
      overlap: the least distance between a kept pixel and a side of its tile that is not a side of
        the image: the radius of the receptive field.

    Raises:
      UserError: a size isn't positive, or the image doesn't fit in one tile and a tile has no
        pixel that is ``overlap`` away from its sides.
    """
    tall, wide = (tile, tile) if isinstance(tile, int) else tile
    if min(height, width, tall, wide) < 1 or overlap < 0:
        raise UserError(
            f"tiles need positive sizes and an overlap of 0 or more, got an image of "
            f"{height}×{width}, tile {tile}, overlap {overlap}"
        )
    rows, cols = spans(height, tall, overlap), spans(width, wide, overlap)
    return [Tile(r, c, keep_r, keep_c) for r, keep_r in rows for c, keep_c in cols]


def cut(image: Shaped[np.ndarray, "*b h w c"], tile: Tile) -> Shaped[np.ndarray, "*b th tw c"]:
    """Return what the network sees of ``image``: a view, not a copy."""
    return image[..., tile.rows, tile.cols, :]


def paste(
    out: Shaped[np.ndarray, "*b H W c"],
    tile: Tile,
    result: Shaped[np.ndarray, "*b TH TW c"],
    scale: int = 1,
) -> None:
    """Write the kept part of a tile's ``result``, ``scale`` times its size, into ``out``."""
    rows, cols = _scaled(tile.keep_rows, scale), _scaled(tile.keep_cols, scale)
    top, left = tile.rows.start * scale, tile.cols.start * scale
    out[..., rows, cols, :] = result[
        ..., rows.start - top : rows.stop - top, cols.start - left : cols.stop - left, :
    ]


def blend(
    results: Iterable[tuple[Tile, Float[np.ndarray, "*b TH TW c"]]],
    height: int,
    width: int,
    scale: int = 1,
) -> Float[np.ndarray, "*b H W c"]:
    """Assemble all of a plan's results, each fading out linearly towards its neighbours.

    ``height`` and ``width`` are those of the image before scaling.
    """
    total: Any = None
    mass = np.zeros((height * scale, width * scale, 1), np.float32)
    for tile, result in results:
        if total is None:
            total = np.zeros((*result.shape[:-3], *mass.shape[:2], result.shape[-1]), np.float32)
        rows, cols = _scaled(tile.rows, scale), _scaled(tile.cols, scale)
        fade = _fade(rows, len(mass))[:, None, None] * _fade(cols, mass.shape[1])[:, None]
        total[..., rows, cols, :] += fade * result
        mass[rows, cols] += fade
    return total / mass


def spans(size: int, tile: int, overlap: int) -> list[tuple[slice, slice]]:
    """Return, along one axis, each tile and its kept part, which ends midway through the overlap.

    Arguments and errors are those of :func:`plan`.
    """
    if size <= tile:
        return [(slice(0, size), slice(0, size))]
    if tile <= 2 * overlap:
        raise UserError(
            f"tiles of {tile} pixels have no pixel {overlap} away from both sides: an image of "
            f"{size} pixels needs tiles of at least {2 * overlap + 1}"
        )
    gaps = -(-(size - tile) // (tile - 2 * overlap))
    starts = [(size - tile) * i // gaps for i in range(gaps + 1)]
    cuts = [(a + b + tile) // 2 for a, b in itertools.pairwise(starts)]
    kept = zip([0, *cuts], [*cuts, size], strict=True)
    return [
        (slice(start, start + tile), slice(*keep)) for start, keep in zip(starts, kept, strict=True)
    ]


def _scaled(span: slice, scale: int) -> slice:
    return slice(span.start * scale, span.stop * scale)


def _fade(span: slice, size: int) -> Float[np.ndarray, "n"]:
    """Return the weights of a tile's pixels along one axis.

    They are the distance to the nearest end that is not the image's, over the tile's length.
    """
    position = np.arange(span.stop - span.start, dtype=np.float32) + 0.5
    distance = np.full_like(position, len(position))
    if span.start > 0:
        distance = np.minimum(distance, position)
    if span.stop < size:
        distance = np.minimum(distance, position[::-1])
    return distance / len(position)
