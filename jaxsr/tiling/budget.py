"""Choosing tiles inside jit: those a region touches, as many as a fixed budget allows."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class Cells(NamedTuple):
    """The ``k`` squares of a grid that hold the most of a region, in falling order.

    Attributes:
      top, left: the pixel of the frame where each starts.
      used: True where it holds any of the region; the others only fill up the budget.
      left_over: how many more squares hold some of the region.
    """

    top: Int[Array, "k"]
    left: Int[Array, "k"]
    used: Bool[Array, "k"]
    left_over: Int[Array, ""]


def choose(region: Bool[Array, "h w"], multiple: int, core: int, count: int) -> Cells:
    """Choose squares that hold a region, on a grid that starts at the region's corner.

    Args:
      region: of a frame, whose sides are multiples of ``multiple``.
      core: the squares' side in pixels, a multiple of ``multiple``; a frame that is shorter than
        that is one square long.
      count: how many squares at most.
    """
    blocks = region.reshape(region.shape[0] // multiple, multiple, -1, multiple).sum((1, 3))
    sides = [min(core // multiple, n) for n in blocks.shape]
    corner = [(blocks > 0).any(1).argmax(), (blocks > 0).any(0).argmax()]
    # nothing of the region lies before its corner: what is rolled round is empty
    blocks = jnp.roll(blocks, -jnp.stack(corner), (0, 1))
    blocks = jnp.pad(blocks, [(0, -n % side) for n, side in zip(blocks.shape, sides, strict=True)])
    rows, cols = (n // side for n, side in zip(blocks.shape, sides, strict=True))
    pixels = blocks.reshape(rows, sides[0], cols, sides[1]).sum((1, 3)).reshape(-1)
    most, at = jax.lax.top_k(pixels, min(count, rows * cols))
    top, left = (
        jnp.minimum((first + index * side) * multiple, n - side * multiple)
        for index, side, first, n in zip(
            (at // cols, at % cols), sides, corner, region.shape, strict=True
        )
    )
    return Cells(top, left, most > 0, (pixels > 0).sum() - (most > 0).sum())


def gather(
    frame: Float[Array, "h w c"], cells: Cells, core: int, margin: int, step: int = 1
) -> Float[Array, "k th tw c"]:
    """Cut the tiles around cells out of a frame.

    Args:
      core, margin: in pixels; a tile is a cell and ``margin`` on every side, within the frame.
      step: of so many pixels each way ``frame`` holds one, as features do; and so do the tiles.
    """
    shape = [n * step for n in frame.shape[:2]]
    sides, starts = _around(shape, cells, core, margin)

    def one(top, left):
        size = (*(side // step for side in sides), frame.shape[2])
        return jax.lax.dynamic_slice(frame, (top // step, left // step, 0), size)

    return jax.vmap(one)(*starts)


def scatter(
    frame: Float[Array, "h w c"],
    results: Float[Array, "k th tw c"],
    cells: Cells,
    core: int,
    margin: int,
) -> Float[Array, "h w c"]:
    """Return the frame with the cells in use replaced by those of their tiles' results."""
    _, starts = _around(frame.shape[:2], cells, core, margin)
    size = (*(min(core, n) for n in frame.shape[:2]), frame.shape[2])

    def write(frame, item):
        result, top, left, tile_top, tile_left, used = item
        now = jax.lax.dynamic_slice(frame, (top, left, 0), size)
        new = jax.lax.dynamic_slice(result, (top - tile_top, left - tile_left, 0), size)
        return jax.lax.dynamic_update_slice(frame, jnp.where(used, new, now), (top, left, 0)), None

    items = results, cells.top, cells.left, *starts, cells.used
    return jax.lax.scan(write, frame, items)[0]


def _around(shape, cells: Cells, core: int, margin: int) -> tuple[list[int], list[Array]]:
    """Return the sides of tiles in pixels, and where each starts: within the frame."""
    sides = [min(core + 2 * margin, n) for n in shape]
    starts = [
        jnp.clip(start - margin, 0, n - side)
        for start, n, side in zip((cells.top, cells.left), shape, sides, strict=True)
    ]
    return sides, starts
