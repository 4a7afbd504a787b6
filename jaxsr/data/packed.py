"""All images of a source in one array of equal blocks, from which a program cuts crops.

Images of any sizes become blocks of 64 rows × 128 columns of uint8, in raster order, one image
after the other. A crop touches few of them: they are gathered, laid beside each other and cut. Rows
of blocks have the channels interleaved, so that TPUs, which hold arrays in tiles, waste
nothing; and as blocks are numbered, not pixels, 32-bit indices suffice for any memory.
"""

import dataclasses
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import tqdm
from jaxtyping import Array, Int32, Integer, UInt8

from jaxsr.data.cache import Pieces
from jaxsr.data.sources import Source, Unreadable
from jaxsr.image.symmetry import turned

ROWS, COLUMNS = 64, 128
FIRST, STRIDE, HEIGHT, WIDTH = range(4)  # columns of a table


@dataclasses.dataclass(frozen=True)
class Packed:
    """Images in blocks, on disk.

    Attributes:
      blocks: all blocks, memory-mapped.
      table: of each image its first block, blocks in a row of them, height and width in pixels;
        zeros where it cannot be read.
    """

    blocks: UInt8[np.ndarray, "n 64 _"]
    table: Int32[np.ndarray, "images 4"]

    @property
    def readable(self) -> np.ndarray:
        return self.table[:, HEIGHT] > 0


def pack(source: Source, variant: str, load: Callable, channels: int = 3) -> Packed:
    """Pack a source's images into two files of its cache, or find them there.

    Args:
      variant: what ``load`` makes of the images, for the files' names.
      load: image index → (h, w, channels) uint8; raises ``Unreadable``.
    """
    table = source.cached(f"{variant}-table", lambda: _table(len(source), load))
    count = int(_blocks_in(table[:, HEIGHT], table[:, WIDTH]).sum())
    shape = count, ROWS, COLUMNS * channels
    readable = np.flatnonzero(table[:, HEIGHT])
    blocks = source.cached(f"{variant}-blocks", lambda: Pieces(shape, _all_blocks(load, readable)))
    return Packed(blocks, table)


def bytes_of(heights, widths, channels: int = 3) -> int:
    """Return how many bytes images of these sizes take when packed."""
    return int(_blocks_in(heights, widths).sum()) * ROWS * COLUMNS * channels


def _blocks_in(heights, widths):
    return -(-heights // ROWS) * -(-widths // COLUMNS)


def _table(count: int, load: Callable) -> Int32[np.ndarray, "images 4"]:
    """Decode every image once, to see whether it can be and how large it is."""

    def size_of(index: int) -> tuple[int, int]:
        try:
            return load(index).shape[:2]
        except Unreadable:
            return 0, 0

    with ThreadPoolExecutor() as pool:  # decoders let go of Python's lock
        sizes = pool.map(size_of, range(count))
        sizes = list(tqdm.tqdm(sizes, "reading images", count, unit="image", disable=None))
    heights, widths = np.array(sizes, np.int32).reshape(-1, 2).T
    ends = np.cumsum(_blocks_in(heights, widths))
    firsts = np.concatenate([[0], ends[:-1]])
    return np.stack([firsts, -(-widths // COLUMNS), heights, widths], axis=1).astype(np.int32)


def _all_blocks(load: Callable, indices) -> Iterator[UInt8[np.ndarray, "n 64 _"]]:
    for i in tqdm.tqdm(indices, "packing images", unit="image", disable=None):
        yield to_blocks(load(int(i)))


def to_blocks(image: UInt8[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "n 64 _"]:
    """Cut an image into blocks; those at its lower and right edge end in zeros."""
    rows, columns = (-(-n // size) for n, size in zip(image.shape, (ROWS, COLUMNS), strict=False))
    padding = rows * ROWS - image.shape[0], columns * COLUMNS - image.shape[1]
    padded = np.pad(image, [(0, n) for n in (*padding, 0)])
    blocks = padded.reshape(rows, ROWS, columns, -1).swapaxes(1, 2)
    return blocks.reshape(-1, ROWS, COLUMNS * image.shape[2])


def crops(
    blocks: UInt8[Array, "n 64 _"],
    rows: Integer[Array, "b 4"],
    top: Integer[Array, "b"],
    left: Integer[Array, "b"],
    which: Integer[Array, "b"],
    side: int,
) -> UInt8[Array, "b side side c"]:
    """Cut one crop out of each of some images, inside a program.

    Args:
      blocks: of all images.
      rows: of the table, one for each crop.
      top, left: of each crop, in pixels; it lies within its image.
      which: of the eight turns of ``jaxsr.image.symmetry.turn`` each takes.
      side: of all crops, in pixels.
    """
    canvas = jax.vmap(_canvas, (None, 0, 0, 0, None))(blocks, rows, top, left, side)
    shape = side, side, blocks.shape[-1] // COLUMNS
    squares = jax.vmap(_square, (0, 0, 0, None))(canvas, top % ROWS, left % COLUMNS, shape)
    return jax.vmap(turned)(squares, which)


def _canvas(blocks, row, top, left, side: int) -> UInt8[Array, "_ _"]:
    """Lay the blocks beside each other that a crop touches at most."""
    down, right = ((side + size - 2) // size + 1 for size in (ROWS, COLUMNS))
    # where the crop touches fewer, the others may be those of another image: they're cut off
    first = row[FIRST] + (top // ROWS + jnp.arange(down)) * row[STRIDE] + left // COLUMNS
    columns = [blocks.at[first + i].get(mode="clip").reshape(down * ROWS, -1) for i in range(right)]
    return jnp.concatenate(columns, axis=1)


def _square(canvas, top, left, shape: tuple[int, int, int]) -> UInt8[Array, "side side c"]:
    side, _, channels = shape
    square = jax.lax.dynamic_slice(canvas, (top, left * channels), (side, side * channels))
    return square.reshape(shape)
