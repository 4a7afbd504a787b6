"""The region of interest inside a file: one small integer a latent position, coded in few bytes.

A mask becomes whole steps of log σ (see :func:`region_map`), which shift the entropy coder's
integer scale indexes and the latent's gain alike: finer quantisation where the map is positive.

The map is coded by an adaptive binary arithmetic coder whose decisions are "as above", "as to the
left", or the value itself: outlines are all that costs. A decoder makes a map of *any* bytes, in
time that the map's size bounds.
"""

import math

import numpy as np
from jaxtyping import Bool, Float, Float32, Int8, UInt8

from jaxsr.entropy.tables import STEP
from jaxsr.errors import UserError
from jaxsr.regions import masks

STRIDE = 16  # image pixels a latent position covers, each way
LARGEST = 63  # steps, either sign
STEP_DB = 20 * STEP / math.log(10)  # of the σ indexes, ≈ 1.069

Mask = Bool[np.ndarray, "h w"] | UInt8[np.ndarray, "h w"] | Float[np.ndarray, "h w"]
Map = Int8[np.ndarray, "rows cols"]


def map_shape(height: int, width: int) -> tuple[int, int]:
    """Latent positions of an image: rows, columns."""
    return -(-height // STRIDE), -(-width // STRIDE)


def region_map(mask: Mask, gain_db: float, scale: int = 1) -> Map:
    """How many steps finer each 16×16 block of the image is quantised.

    The covered share of a block, rounded to none, half or all, times the gain, rounded to steps:
    in between lies nothing that could be seen, but outlines of many values cost twice the bytes.

    Args:
      mask: of the image's size; bool, uint8 (255: all) or float in [0, 1].
      gain_db: dB of finer quantisation where the mask is full; negative: coarser.
      scale: of how many of the mask's pixels one is coded, each way; blocks are as many times
        larger.

    Raises:
      UserError: the mask is empty or not in [0, 1], or the gain is beyond ±67 dB.
    """
    most = LARGEST * STEP_DB
    if not abs(gain_db) <= most:  # NaN too
        raise UserError(f"a region's gain is {-most:.0f} to {most:.0f} dB, got {gain_db}")
    if 0 in mask.shape:
        raise UserError(f"a region's mask has no pixels: its shape is {mask.shape}")
    white = 255 if mask.dtype == np.uint8 else 1
    if not (mask.min() >= 0 and mask.max() <= white):
        raise UserError("a region's mask has values in [0, 1]; this one goes beyond or holds NaN")
    halves = np.floor(2 * _block_means(mask, STRIDE * scale) / white + 0.5)
    return np.rint(halves * (gain_db / STEP_DB / 2)).astype(np.int8)


def _block_means(mask: np.ndarray, side: int) -> np.ndarray:
    """The mean of each block; blocks cut off by the border count what they have."""
    starts = [np.arange(0, size, side) for size in mask.shape]
    sums = np.add.reduceat(mask, starts[0], axis=0, dtype=np.float32)
    sums = np.add.reduceat(sums, starts[1], axis=1)
    heights, widths = (np.minimum(side, n - at) for n, at in zip(mask.shape, starts, strict=True))
    return sums / np.outer(heights, widths)


def mask_of(
    region: Map, height: int, width: int, scale: int = 1
) -> Float32[np.ndarray, "height width"]:
    """The mask of an image whose map this is, as far as the map tells: :func:`region_map` undone.

    1 where the map is finest, ½ where half a block was covered, 0 where it is not finer; between
    the centres of blocks bilinear, so that outlines are no staircases.
    """
    finest = max(int(region.max()), 1)
    shares = np.floor(2 * np.maximum(region, 0) / finest + 0.5) / 2
    rows, columns = (n * STRIDE * scale for n in region.shape)
    return masks.resized(shares.astype(np.float32), rows, columns)[:height, :width]


# The coded map


def encode_map(region: Map) -> bytes:
    """The map's bytes; an empty string where it is zero throughout.

    Raises:
      UserError: a value is beyond ±63.
    """
    if np.abs(region.astype(np.int16)).max(initial=0) > LARGEST:
        raise UserError(f"a region map has values of −{LARGEST} to {LARGEST}")
    encoder = _Encoder()
    _code_map(encoder, region.shape, region.tolist())
    return encoder.finish()


def decode_map(data: bytes, shape: tuple[int, int]) -> Map:
    """The map of ``shape`` that :func:`encode_map` made ``data`` from.

    Raises:
      UserError: the data are damaged, or of another shape.
    """
    decoder = _Decoder(data)
    rows = _code_map(decoder, shape, None)
    if not decoder.ends_well() or max(map(max, rows)) > LARGEST:
        raise UserError("the region map is damaged")
    return np.array(rows, np.int8)


def _code_map(coder, shape: tuple[int, int], values: list[list[int]] | None) -> list[list[int]]:
    """Raster order; what lies outside is 0. ``values`` are unknown to a decoder."""
    height, width = shape
    above = [0] * (width + 2)  # one position more at each side
    rows = []
    for i in range(height):
        row = [0] * (width + 2)
        for j in range(1, width + 1):
            value = values[i][j - 1] if values else None
            row[j] = _code_value(coder, value, row[j - 1], *above[j - 1 : j + 2])
        rows.append(row[1:-1])
        above = row
    return rows


# Decisions are coded with probabilities of their own for each situation, numbered as follows.
AS_ABOVE, AS_LEFT, VALUE = 0, 8, 10
SITUATIONS = VALUE + 2 * (LARGEST + 1)


def _code_value(coder, value: int | None, left: int, corner: int, up: int, ahead: int) -> int:
    """One position, from its neighbours: left, above left, above, above right."""
    situation = AS_ABOVE + 4 * (left == up) + 2 * (corner == up) + (ahead == up)
    if coder.bit(situation, value == up):
        return up
    if left != up and coder.bit(AS_LEFT + (corner == left), value == left):
        return left
    node = 1  # of a binary tree: seven decisions, highest bit first
    for place in range(6, -1, -1):
        node = 2 * node + coder.bit(VALUE + node, value is not None and (value + 63) >> place & 1)
    return node - 128 - 63


class _Odds:
    """Adaptive probabilities: means over what was seen, later over about the last thirty."""

    def __init__(self):
        self.one = [1 << 15] * SITUATIONS  # probability of "yes", of 65536
        self.seen = [0] * SITUATIONS

    def learn(self, situation: int, bit: int) -> None:
        seen, one = self.seen[situation], self.one[situation]
        one += 2 * ((bit << 16) - one) // (2 * seen + 3)
        self.one[situation] = min(max(one, 64), 65536 - 64)
        self.seen[situation] = min(seen + 1, 30)


class _Encoder:
    """Narrows the interval [low, high] of 32-bit numbers; leading bytes they share are written."""

    def __init__(self):
        self.odds, self.low, self.high, self.out = _Odds(), 0, 2**32 - 1, bytearray()

    def bit(self, situation: int, bit: int | bool) -> int:
        middle = self.low + ((self.high - self.low) * self.odds.one[situation] >> 16)
        self.low, self.high = (self.low, middle) if bit else (middle + 1, self.high)
        while (self.low ^ self.high) >> 24 == 0:
            self.out.append(self.low >> 24)
            self.low, self.high = self.low << 8 & 0xFFFFFFFF, self.high << 8 & 0xFFFFFFFF | 255
        self.odds.learn(situation, int(bit))
        return int(bit)

    def finish(self) -> bytes:
        """A number within the interval; the zero bytes at its end go without saying."""
        if self.low:
            self.out.append((self.low >> 24) + 1)
        return bytes(self.out).rstrip(b"\0")


class _Decoder:
    """Follows an :class:`_Encoder`. Behind the last byte there are only zeros."""

    def __init__(self, data: bytes):
        self.odds, self.low, self.high = _Odds(), 0, 2**32 - 1
        self.data, self.at = data, 4
        self.number = int.from_bytes(data[:4].ljust(4, b"\0"), "big")

    def bit(self, situation: int, _: object) -> int:
        middle = self.low + ((self.high - self.low) * self.odds.one[situation] >> 16)
        bit = int(self.number <= middle)
        self.low, self.high = (self.low, middle) if bit else (middle + 1, self.high)
        while (self.low ^ self.high) >> 24 == 0:
            self.low, self.high = self.low << 8 & 0xFFFFFFFF, self.high << 8 & 0xFFFFFFFF | 255
            following = self.data[self.at] if self.at < len(self.data) else 0
            self.number, self.at = self.number << 8 & 0xFFFFFFFF | following, self.at + 1
        self.odds.learn(situation, bit)
        return bit

    def ends_well(self) -> bool:
        """Whether the number is the one an encoder ends with, and all of it was needed."""
        last = (self.low >> 24) + 1 << 24 if self.low else 0
        return self.number == last and self.at >= len(self.data) and self.data[-1:] != b"\0"
