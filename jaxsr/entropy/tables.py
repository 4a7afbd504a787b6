"""Integer probability tables: distributions as whole numbers, for the entropy coder.

A table covers consecutive symbols from its minimum on; the last entry of its alphabet is the
escape, which stands for every other integer. Frequencies sum to 2^precision, and none is zero.
Tables are made once, in float64, and shipped with the weights: encoder and decoder see integers.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Int32, UInt16, UInt32

from jaxsr.errors import UserError

# 64 scales from 0.11 to 256 in equal steps of their logarithm
SCALE_MIN, SCALE_MAX, SCALE_COUNT = 0.11, 256.0, 64
STEP = math.log(SCALE_MAX / SCALE_MIN) / (SCALE_COUNT - 1)
SCALES = tuple(SCALE_MIN * math.exp(STEP * i) for i in range(SCALE_COUNT))
Mixture = tuple[tuple[float, float], ...]  # (weight, standard deviation) of zero-mean Gaussians
GAUSSIAN: Mixture = ((1.0, 1.0),)

PRECISIONS = range(12, 17)
ESCAPE = 0xFFFF  # a table's last entry in `Tables.entries`
LARGEST_MINIMUM = 2**30  # of either sign, so that differences of symbols fit 32 bits
NAMES = ("minimums", "sizes", "frequencies")


class Tables(NamedTuple):
    """T distributions over integers; a pytree, given to the coder as an argument.

    Attributes:
      minimums: the smallest symbol of each table.
      sizes: the number of entries of each alphabet, the escape included.
      offsets: where each table begins in ``cumulative``.
      cumulative: for each table 0, f₀, f₀ + f₁ … 2^precision; the tables one after another.
      decoding: for each table and slot (a number below 2^precision) the frequency − 1 of the
        slot's entry, in the upper 16 bits, and the slot's place within the entry, in the lower.
      entries: for each table and slot the number of the slot's entry; ``ESCAPE`` for the last.
    """

    minimums: Int32[Array, "t"]
    sizes: Int32[Array, "t"]
    offsets: Int32[Array, "t"]
    cumulative: UInt32[Array, "n"]
    decoding: UInt32[Array, "slots"]
    entries: UInt16[Array, "slots"]

    @property
    def precision(self) -> int:
        """Bits of the probabilities, 12 to 16."""
        return (self.decoding.shape[-1] // self.minimums.shape[-1]).bit_length() - 1


# Building


def gaussian_tables(
    scales: Sequence[float] = SCALES, precision: int = 14, mixture: Mixture = GAUSSIAN
) -> Tables:
    """Make tables of zero-mean Gaussians, integrated over unit bins: one for each scale.

    Each alphabet is −m … m with the m for which a symbol costs the fewest bits, escapes included: a
    wider one spends at least 2^−precision on every symbol that hardly occurs.

    Args:
      scales: standard deviations, each below 2^14.
      precision: bits of the probabilities, 12 to 16.
      mixture: weights and relative deviations of the Gaussians that make up each distribution;
        the deviations are multiplied by the scale.

    Raises:
      UserError: a scale is not a positive number below 2^14, or the precision is not accepted.
    """
    scales = [float(scale) for scale in scales]
    if not scales or not all(0 < scale < 2**14 for scale in scales):
        raise UserError(f"scales are positive numbers below 2^14, got {scales}")
    return _gaussian_tables(tuple(scales), precision, tuple(mixture))


@functools.lru_cache(maxsize=4)  # a codec that trains is exported again and again
def _gaussian_tables(scales: tuple[float, ...], precision: int, mixture: Mixture) -> Tables:
    pmfs = [_gaussian_alphabet(scale, precision, mixture) for scale in scales]
    return tables_from_pmfs(pmfs, [-(len(pmf) // 2) for pmf in pmfs], precision)


def _gaussian_alphabet(scale: float, precision: int, mixture: Mixture) -> Float[np.ndarray, "n"]:
    """Return the probabilities of −m … m for the m that costs the fewest bits."""
    edges = np.arange(int(9 * scale * max(factor for _, factor in mixture)) + 4) - 0.5
    parts = (
        weight * -np.diff([math.erfc(x / (scale * factor * math.sqrt(2))) for x in edges]) / 2
        for weight, factor in mixture
    )
    half = sum(parts, np.zeros(len(edges) - 1))  # the probabilities of 0, 1, 2 …
    whole = np.concatenate([half[:0:-1], half])
    widths = sorted({math.ceil(scale * z) for z in np.arange(0, 9, 0.25)})
    widths = [m for m in widths if m < len(half) and 2 * m + 2 <= 2**precision]
    cut = {m: whole[len(half) - 1 - m : len(half) + m] for m in widths}
    return cut[min(widths, key=lambda m: _bits(cut[m], whole, precision))]


def _bits(pmf: Float[np.ndarray, "n"], whole: Float[np.ndarray, "m"], precision: int) -> float:
    """Return the mean bits of a symbol distributed as ``whole`` in the alphabet of ``pmf``."""
    rest = whole[: (len(whole) - len(pmf)) // 2][::-1]  # one side, from the alphabet outwards
    frequencies = quantise(with_escape(pmf), precision)
    plain = precision - np.log2(frequencies)
    width = np.ceil(np.log2(np.arange(1, len(rest) + 1)))
    return float(pmf @ plain[:-1] + 2 * rest @ (plain[-1] + 2 + 2 * width))


def tables_from_pmfs(
    pmfs: Sequence[Float[np.ndarray, "_"]], minimums: Sequence[int], precision: int = 14
) -> Tables:
    """Make tables of any distributions, with the frequencies that cost the fewest bits.

    Args:
      pmfs: for each table the probabilities of ``minimum``, ``minimum + 1`` …; the escape gets what
        they lack to 1.
      minimums: the first symbol of each table.
      precision: bits of the probabilities, 12 to 16.

    Raises:
      UserError: probabilities are negative, NaN or sum to more than 1, an alphabet has more than
        2^precision − 1 symbols, or precision or minimums are not accepted.
    """
    check_precision(precision)
    frequencies = [quantise(with_escape(pmf), precision) for pmf in pmfs]
    return from_arrays(
        {
            "minimums": np.asarray(minimums, np.int64),
            "sizes": np.array([len(f) for f in frequencies], np.int64),
            "frequencies": np.concatenate(frequencies or [np.zeros(0, np.int64)]),
        }
    )


def with_escape(pmf: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n+1"]:
    """Append the escape's probability, which is what the others lack to 1.

    Raises:
      UserError: a probability is negative or NaN, or they sum to more than 1.
    """
    pmf = np.asarray(pmf, np.float64)
    total = pmf.sum()
    if not (np.all(pmf >= 0) and total <= 1 + 1e-4):
        raise UserError(
            f"probabilities are not negative and sum to at most 1, got a sum of {total}"
        )
    return np.append(pmf, max(0.0, 1 - total))


def quantise(pmf: Float[np.ndarray, "n"], precision: int) -> Int[np.ndarray, "n"]:
    """Return the integers ≥ 1 of sum 2^precision that minimise −Σ pmf · log₂ frequency.

    The sum is convex, so giving each unit to the entry that gains most by it is optimal: an entry
    of probability p and frequency f gains p · log(1 + 1/f) by one more. All units that gain more
    than a threshold, found by bisection, are given at once, and the few left over one by one.

    Raises:
      UserError: there are more entries than 2^precision.
    """
    if len(pmf) > 2**precision:
        raise UserError(
            f"an alphabet of {len(pmf)} entries does not fit {precision} bits; narrow it"
        )
    pmf = np.maximum(pmf, 1e-300)

    low, high = 1e-9, 2.0  # the first gives too many units, the second none
    frequencies = np.ones(len(pmf))
    excess = None
    while excess != 0 and low < (middle := math.sqrt(low * high)) < high:
        with np.errstate(over="ignore"):
            given = np.floor(1 / np.expm1(middle / pmf)) + 1
        excess = given.sum() - 2**precision
        if excess > 0:
            low = middle
        else:
            high, frequencies = middle, given
    left = 2**precision - int(frequencies.sum())
    gains = pmf * np.log1p(1 / frequencies)
    frequencies[np.argsort(-gains, kind="stable")[:left]] += 1
    return frequencies.astype(np.int64)


# Storing


def to_arrays(tables: Tables) -> dict[str, Int32[np.ndarray, "_"]]:
    """Return the integers that define the tables, by ``NAMES``, as weights files hold them."""
    sizes = np.asarray(tables.sizes)
    steps = np.diff(np.asarray(tables.cumulative).astype(np.int64))
    between = np.cumsum(sizes + 1)[:-1] - 1  # from the end of a table to the start of the next
    return {
        "minimums": np.asarray(tables.minimums),
        "sizes": sizes,
        "frequencies": np.delete(steps, between).astype(np.int32),
    }


def from_arrays(arrays: Mapping[str, np.ndarray]) -> Tables:
    """Invert :func:`to_arrays`.

    Raises:
      UserError: an array is missing, or they do not define tables.
    """
    minimums, sizes, frequencies = _checked(arrays)
    offsets = np.cumsum(sizes + 1) - (sizes + 1)
    first = np.cumsum(sizes) - sizes  # of each table among the frequencies
    running = np.cumsum(frequencies)
    total = int(running[sizes[0] - 1])
    cumulative = np.insert(running, first, 0)
    cumulative -= np.repeat(np.arange(len(sizes)) * total, sizes + 1)
    cumulative[offsets] = 0

    entry = np.arange(len(frequencies)) - np.repeat(first, sizes)
    number = np.where(entry == np.repeat(sizes, sizes) - 1, ESCAPE, entry)
    slots = np.arange(len(sizes) * total, dtype=np.uint32)  # millions: no wider than need be
    slots -= np.repeat((running - frequencies).astype(np.uint32), frequencies)
    slots |= np.repeat((frequencies - 1 << 16).astype(np.uint32), frequencies)
    return Tables(
        minimums=jnp.asarray(minimums, jnp.int32),
        sizes=jnp.asarray(sizes, jnp.int32),
        offsets=jnp.asarray(offsets, jnp.int32),
        cumulative=jnp.asarray(cumulative, jnp.uint32),
        decoding=jnp.asarray(slots),
        entries=jnp.asarray(np.repeat(number.astype(np.uint16), frequencies)),
    )


def _checked(arrays: Mapping[str, np.ndarray]) -> list[Int[np.ndarray, "_"]]:
    """Check minimums, sizes and frequencies and return them as int64."""
    missing = [name for name in NAMES if name not in arrays]
    if missing:
        raise UserError(f"tables are the arrays {', '.join(NAMES)}; missing {', '.join(missing)}")
    given = [np.asarray(arrays[name]) for name in NAMES]
    for name, array in zip(NAMES, given, strict=True):
        if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
            raise UserError(f"{name} is a row of integers, got {array.dtype} of {array.shape}")
    minimums, sizes, frequencies = (array.astype(np.int64) for array in given)
    if not 0 < len(minimums) == len(sizes):
        raise UserError(
            f"got {len(minimums)} minimums for {len(sizes)} sizes: one each, at least 1"
        )
    if np.abs(minimums).max() > LARGEST_MINIMUM:
        raise UserError("minimums lie within ±2^30")
    most = 2 ** PRECISIONS[-1]
    if sizes.min() < 1 or sizes.max() > most or sizes.sum() != len(frequencies):
        raise UserError(f"sizes are 1 to {most} and sum to the {len(frequencies)} frequencies")
    if frequencies.min() < 1 or frequencies.max() > most:
        raise UserError(f"frequencies are 1 to {most}")
    totals = np.add.reduceat(frequencies, np.cumsum(sizes) - sizes)
    if (totals != totals[0]).any() or totals[0] not in [2**p for p in PRECISIONS]:
        raise UserError("frequencies sum to the same power of two, 2^12 to 2^16, in all tables")
    if len(sizes) * totals[0] >= 2**31:
        raise UserError(f"{len(sizes)} tables of sum {totals[0]} are too many; lower the precision")
    return [minimums, sizes, frequencies]


def check_precision(precision: int) -> None:
    """Raise UserError unless tables may have ``precision`` bits."""
    if precision not in PRECISIONS:
        raise UserError(f"precision is {PRECISIONS[0]} to {PRECISIONS[-1]} bits, got {precision}")
