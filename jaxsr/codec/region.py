"""The region of interest inside a file: one small integer a latent position, coded in few bytes.

A mask becomes whole steps of log σ (see :func:`region_map`). They shift both the entropy coder's
integer scale indexes and the latents' gain: where the map is positive, quantisation is finer.

The map is coded by an adaptive binary arithmetic coder whose decisions are "as above", "as to the
left", or the value itself, so nearly all bytes go to outlines. A decoder accepts *any* bytes and
its time is bounded by the map's size.
"""

import math

import numpy as np
from jaxtyping import Bool, Float, Float32, Int8, UInt8

from jaxsr.codec.given import real
from jaxsr.entropy.tables import STEP
from jaxsr.errors import UserError
from jaxsr.regions import masks

STRIDE = 16  # image pixels a latent position covers, each way
LARGEST = 63  # steps, of either sign
STEP_DB = 20 * STEP / math.log(10)  # one step of the σ indexes in dB, ≈ 1.069

Mask = Bool[np.ndarray, "h w"] | UInt8[np.ndarray, "h w"] | Float[np.ndarray, "h w"]
Map = Int8[np.ndarray, "rows cols"]


def map_shape(height: int, width: int) -> tuple[int, int]:
    """Return the rows and columns of latent positions of an image of so many pixels."""
    return -(-height // STRIDE), -(-width // STRIDE)


def region_map(mask: Mask, gain_db: float, scale: int = 1) -> Map:
    """Convert a mask to how many steps finer each block of 16×16 coded pixels is quantised.

    That is the block's covered share, rounded to none, half or all, times the gain, rounded to
    steps. More shares could not be told apart by eye, and made outlines cost twice the bytes.

    Args:
      mask: of the image's size; bool, uint8 (255 is full) or float in [0, 1].
      gain_db: dB of finer quantisation where the mask is full; negative is coarser.
      scale: 1, or 2 if the image is coded at half its size, where a block covers 32×32 of the
        mask's pixels.

    Raises:
      UserError: the mask is empty or not in [0, 1], or the gain is beyond ±67 dB.
    """
    most = LARGEST * STEP_DB
    expected = f"a region's gain is {-most:.0f} to {most:.0f} dB"
    gain_db = float(real(gain_db, expected, lambda gain: abs(gain) <= most))
    if 0 in mask.shape:
        raise UserError(f"a region's mask has no pixels: its shape is {mask.shape}")
    white = 255 if mask.dtype == np.uint8 else 1
    if not (mask.min() >= 0 and mask.max() <= white):
        raise UserError("a region's mask has values in [0, 1]; this one goes beyond or holds NaN")
    halves = np.floor(2 * _block_means(mask, STRIDE * scale) / white + 0.5)
    return np.rint(halves * (gain_db / STEP_DB / 2)).astype(np.int8)


def _block_means(mask: np.ndarray, side: int) -> np.ndarray:
    """Return the mean of each block; blocks at the border average the pixels they have."""
    starts = [np.arange(0, size, side) for size in mask.shape]
    sums = np.add.reduceat(mask, starts[0], axis=0, dtype=np.float32)
    sums = np.add.reduceat(sums, starts[1], axis=1)
    heights, widths = (np.minimum(side, n - at) for n, at in zip(mask.shape, starts, strict=True))
    return sums / np.outer(heights, widths)


def mask_of(
    region: Map, height: int, width: int, scale: int = 1
) -> Float32[np.ndarray, "height width"]:
    """Return the mask that a map was made of, as far as the map tells: inverts :func:`region_map`.

    It is 1 where the map is finest, ½ where half a block was covered and 0 where the map is not
    finer. Between the centres of blocks it is bilinear, to avoid stairs in outlines.

    Args:
      region: the map.
      height, width: pixels of the image.
      scale: as for :func:`region_map`.
    """
    finest = max(int(region.max()), 1)
    shares = np.floor(2 * np.maximum(region, 0) / finest + 0.5) / 2
    rows, columns = (n * STRIDE * scale for n in region.shape)
    return masks.resized(shares.astype(np.float32), rows, columns)[:height, :width]


# The coded map


def encode_map(region: Map) -> bytes:
    """Code a map as bytes; a map of zeros takes none.

    Raises:
      UserError: a value is beyond ±63.
    """
    if np.abs(region.astype(np.int16)).max(initial=0) > LARGEST:
        raise UserError(f"a region map has values of −{LARGEST} to {LARGEST}")
    encoder = _Encoder()
    _code_map(encoder, region.shape, region.tolist())
    return encoder.finish()


def decode_map(data: bytes, shape: tuple[int, int]) -> Map:
    """Invert :func:`encode_map` for a map of ``shape``.

    Raises:
      UserError: the data are damaged, or belong to a map of another shape.
    """
    decoder = _Decoder(data)
    rows = _code_map(decoder, shape, None)
    if not decoder.ends_well() or max(map(max, rows)) > LARGEST:
        raise UserError("the region map is damaged")
    return np.array(rows, np.int8)


def _code_map(coder, shape: tuple[int, int], values: list[list[int]] | None) -> list[list[int]]:
    """Code ``values`` in raster order, or decode them if None; neighbours outside are 0."""
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


# Each situation in which a decision is made has a probability of its own, numbered as follows.
AS_ABOVE, AS_LEFT, VALUE = 0, 8, 10
SITUATIONS = VALUE + 2 * (LARGEST + 1)


def _code_value(coder, value: int | None, left: int, corner: int, up: int, ahead: int) -> int:
    """Code one position by its neighbours at the left, above left, above and above right."""
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
    """Adaptive probabilities: means of the decisions seen, later of about the last thirty."""

    def __init__(self):
        self.one = [1 << 15] * SITUATIONS  # probability of "yes" in 1/65536
        self.seen = [0] * SITUATIONS

    def learn(self, situation: int, bit: int) -> None:
        seen, one = self.seen[situation], self.one[situation]
        one += 2 * ((bit << 16) - one) // (2 * seen + 3)
        self.one[situation] = min(max(one, 64), 65536 - 64)
        self.seen[situation] = min(seen + 1, 30)


class _Encoder:
    """A coder that narrows an interval [low, high] of 32 bits and writes the bytes both share."""

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
        """End with a number within the interval, of which zero bytes at the end are left out."""
        if self.low:
            self.out.append((self.low >> 24) + 1)
        return bytes(self.out).rstrip(b"\0")


class _Decoder:
    """The mirror of :class:`_Encoder`; reads zeros behind the last byte."""

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
        """Return True if the number is one that an encoder ends with and all bytes were needed."""
        last = (self.low >> 24) + 1 << 24 if self.low else 0
        return self.number == last and self.at >= len(self.data) and self.data[-1:] != b"\0"
