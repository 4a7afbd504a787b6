"""Choosing tiles on the host: the few that cover a region, by what they cost.

The restorer takes frames whose sides are multiples of ``multiple`` pixels: an image is continued,
by its edge pixels, to such a *frame*. A tile that starts at a multiple, and that reaches ``margin``
pixels farther than what is kept of it wherever it does not end with the frame, gives there exactly
what the whole frame gives: zero padding acts at the frame's border only, as it does for the whole.
"""

import functools
import itertools
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from jaxtyping import Bool, Int, Shaped

from jaxsr.errors import UserError
from jaxsr.tiling.geometry import Tile, spans

# Sides of tiles, in pixels: few, as every pair of them may be compiled; close, as regions vary.
SIDES = (192, 256, 320, 384, 448, 512, 576, 640, 704, 768, 896, 1024)
# What compiling one more shape costs, in pixels computed in that time. Compiling takes as long as
# some 2**20 pixels on a CPU; but many regions come to use a shape, and programs may keep what they
# compiled on disk.
COMPILATION = 2**17

Count = Any  # an integer, or an array of them: one a cut
Ends = tuple[Count, Count]  # start and stop along one axis
Box = tuple[Ends, Ends]


def frame_size(height: int, width: int, multiple: int) -> tuple[int, int]:
    """Return the height and width of an image's frame."""
    return -(-height // multiple) * multiple, -(-width // multiple) * multiple


def plan(
    region: Bool[np.ndarray, "h w"],
    multiple: int,
    margin: int,
    sides: Collection[int] = SIDES,
    known: Collection[tuple[int, int]] = (),
    compilation: int = COMPILATION,
) -> list[Tile]:
    """Cover a region with tiles of one shape, at the least cost; none where there is no region.

    Distant parts of a region are covered separately, each from its own corner on. The shape is a
    pair of ``sides``, or the frame's own where that is smaller.

    Args:
      multiple, margin: the restorer's, in pixels.
      sides: those a tile may have, in pixels: multiples of ``multiple``.
      known: (height, width) of tiles that are compiled already.
      compilation: what any other shape costs, as a number of pixels computed in that time.

    Returns:
      Tiles in pixels of the frame. What is kept of them lies in the image; together it covers the
      region, and where it overlaps the results are equal.

    Raises:
      UserError: no side is long enough for the margin, or one is not a multiple.
    """
    unit = margin // multiple
    if margin % multiple or any(side % multiple for side in sides):
        raise UserError(
            f"sides and margin of tiles are multiples of {multiple}, got {tuple(sides)} "
            f"and {margin}"
        )
    blocks = _blocks(region, multiple)
    usable = [side // multiple for side in sides if side > 2 * margin]
    if not usable:
        raise UserError(
            f"tiles of {tuple(sides)} pixels have no pixel {margin} away from both sides; "
            f"give a side of {2 * margin + multiple} or more"
        )
    known = {(h // multiple, w // multiple) for h, w in known}
    shapes = {
        (min(height, blocks.shape[0]), min(width, blocks.shape[1]))
        for height, width in itertools.product(usable, repeat=2)
    }
    best, least = [], np.inf
    for shape in sorted(shapes, key=lambda s: (s[0] * s[1], s)):
        extra = 0 if shape in known else compilation / multiple**2
        if shape[0] * shape[1] + extra < least:
            tiles = _tiles(blocks, shape, unit)
            cost = len(tiles) * shape[0] * shape[1] + extra
            if cost < least:
                best, least = tiles, cost
    return [_in_pixels(tile, multiple, region.shape) for tile in best]


def cut(image: Shaped[np.ndarray, "h w *c"], tile: Tile) -> Shaped[np.ndarray, "th tw *c"]:
    """Cut what a tile sees out of an image, which is continued by its edge pixels to its frame."""
    rows, cols = (
        np.minimum(np.arange(span.start, span.stop), n - 1)
        for span, n in zip((tile.rows, tile.cols), image.shape[:2], strict=True)
    )
    return image[rows[:, None], cols]


def _blocks(region: Bool[np.ndarray, "h w"], multiple: int) -> Bool[np.ndarray, "rows cols"]:
    """Mark the squares of ``multiple`` pixels that the region touches."""
    for axis in (0, 1):
        region = np.logical_or.reduceat(region, range(0, region.shape[axis], multiple), axis)
    return region


def _in_pixels(tile: Tile, multiple: int, shape: tuple[int, int]) -> Tile:
    """Convert a tile of blocks to pixels; what is kept of it ends with the image."""

    def pixels(span: slice, end: int | None = None) -> slice:
        stop = span.stop * multiple
        return slice(span.start * multiple, stop if end is None else min(stop, end))

    height, width = shape
    return Tile(
        pixels(tile.rows),
        pixels(tile.cols),
        pixels(tile.keep_rows, height),
        pixels(tile.keep_cols, width),
    )


def _tiles(
    blocks: Bool[np.ndarray, "rows cols"], shape: tuple[int, int], margin: int
) -> list[Tile]:
    """Cover the marked blocks with tiles of one shape; everything is in blocks."""
    reach = [
        functools.partial(_reach, frame=n, side=side, margin=margin)
        for n, side in zip(blocks.shape, shape, strict=True)
    ]

    def count(box: Box) -> Count:
        """Count the tiles that cover a box; of many boxes, where its ends are arrays."""
        numbers = []
        for ends, along, side in zip(box, reach, shape, strict=True):
            low, high = along(*ends)
            numbers.append(1 - np.minimum(0, (side - (high - low)) // max(1, side - 2 * margin)))
        return numbers[0] * numbers[1]

    tiles = []
    for box in _boxes(blocks, (0, 0), count):
        rows, cols = (
            _spans(*ends, *along(*ends), side, margin)
            for ends, along, side in zip(box, reach, shape, strict=True)
        )
        tiles += [Tile(r, c, keep_r, keep_c) for r, keep_r in rows for c, keep_c in cols]
    return [tile for tile in tiles if blocks[tile.keep_rows, tile.keep_cols].any()]


def _reach(start, stop, frame: int, side: int, margin: int):
    """Return, along one axis, what tiles must see so that ``start`` to ``stop`` can be kept."""
    low, high = np.maximum(0, start - margin), np.minimum(frame, stop + margin)
    high = np.maximum(high, np.minimum(frame, low + side))
    return np.minimum(low, high - side), high


def _spans(start: int, stop: int, low, high, side: int, margin: int) -> list[tuple[slice, slice]]:
    """Return, along one axis, the tiles from ``low`` to ``high`` and what each keeps."""
    low = int(low)
    return [
        (
            slice(tile.start + low, tile.stop + low),
            slice(max(keep.start + low, start), min(keep.stop + low, stop)),
        )
        for tile, keep in spans(int(high) - low, side, margin)
    ]


def _boxes(
    blocks: Bool[np.ndarray, "rows cols"], corner: tuple[int, int], count: Callable[[Box], Count]
) -> list[Box]:
    """Return boxes around all marked blocks, apart where that saves tiles.

    The box around them all is cut in two where the boxes around what is on either side need the
    fewest tiles; if these are fewer than the box itself needs, both parts are treated likewise.

    Args:
      corner: row and column of the first block, of those of the whole image.
      count: how many tiles cover a box.
    """
    rows, cols = (np.flatnonzero(blocks.any(axis)) for axis in (1, 0))
    if not len(rows):
        return []
    blocks = blocks[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    corner = corner[0] + int(rows[0]), corner[1] + int(cols[0])
    (top, left), (height, width) = corner, blocks.shape
    box = (top, top + height), (left, left + width)
    fewest, axis, at = count(box), None, 0
    for along in (0, 1):
        if fewest > 1 and blocks.shape[along] > 1:
            before, after = _cuts(blocks, corner, along)
            needed = count(before) + count(after)
            if needed.min() < fewest:
                fewest, axis, at = needed.min(), along, int(needed.argmin()) + 1
    if axis is None:
        return [box]
    one, two = np.split(blocks, [at], axis)
    beyond = (corner[0] + at, corner[1]) if axis == 0 else (corner[0], corner[1] + at)
    return _boxes(one, corner, count) + _boxes(two, beyond, count)


def _cuts(blocks: Bool[np.ndarray, "rows cols"], corner: tuple[int, int], axis: int) -> list[Box]:
    """Return the boxes around what is marked on either side of every cut across ``axis``.

    Their ends are arrays, one element a cut. The first and the last row and column have marked
    blocks.
    """
    if axis == 1:
        turned = _cuts(blocks.T, (corner[1], corner[0]), 0)
        return [(rows, cols) for cols, rows in turned]
    top, left = corner
    rows, first, last = _growing(blocks)
    before = (top, top + rows), (left + first, left + last)
    rows, first, last = (ends[::-1] for ends in _growing(blocks[::-1]))
    bottom = top + len(blocks)
    return [before, ((bottom - rows, bottom), (left + first, left + last))]


def _growing(blocks: Bool[np.ndarray, "rows cols"]) -> Int[np.ndarray, "3 rows-1"]:
    """Return the boxes around what is marked in the first 1, 2, … rows, up to all but one.

    For each: how many rows it has from the first on, its first column, and the end of its columns.
    """
    marked = blocks.any(1)
    rows = np.where(marked, np.arange(1, len(blocks) + 1), 0)
    first = np.where(marked, blocks.argmax(1), blocks.shape[1])
    last = np.where(marked, blocks.shape[1] - blocks[:, ::-1].argmax(1), 0)
    most = np.maximum.accumulate
    return np.stack([most(rows), np.minimum.accumulate(first), most(last)])[:, :-1]
