"""Random draws, each a function of (seed, step, place in the batch, number of the draw) alone.

Nothing is carried from one draw to the next, so the same example is drawn on any device, host or
process, whatever was drawn before. Functions take NumPy arrays and JAX arrays alike and give both
the same bits: the host draws with the one, a training program with the other. Only :func:`more`,
:func:`field` and :func:`uniform` are for programs alone: the host has NumPy's generators.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Int32, UInt32

Word = UInt32[np.ndarray | Array, "n"]  # one random word for each of n examples
Ints = Int32[np.ndarray | Array, "n"]

ROTATIONS = (13, 15, 26, 6), (17, 29, 16, 24)
PARITY = 0x1BD11BDA


def words(seed: int, step: Any, places: Ints, count: int) -> list[Word]:
    """Draw ``count`` random words for each example of a batch.

    Args:
      seed: of the run; its lower 32 bits count.
      step: number of the batch, from 0: an integer or an int32 scalar.
      places: of the examples in the batch of all devices and hosts.
    """
    xp = np if isinstance(places, np.ndarray) else jnp
    step = xp.asarray(step).astype(np.uint32)
    return _drawn(np.uint32(seed & 0xFFFFFFFF), step, places.astype(np.uint32), count)


def more(seeds: Sequence[Word], count: int) -> list[Word]:
    """Draw ``count`` random words of two words for each example, in a program."""
    key0, key1 = seeds
    return _drawn(key0, key1, jnp.zeros_like(key0), count)


def _drawn(key0: Any, key1: Any, x: Word, count: int) -> list[Word]:
    """Draw ``count`` random words for each counter of ``x``."""
    pairs = np.arange((count + 1) // 2, dtype=np.uint32)
    if isinstance(x, np.ndarray):
        both = threefry(key0, key1, x, pairs[:, None])
    else:  # in a loop: XLA for CPUs would draw anew for every pixel of what the words decide
        both = jax.lax.map(lambda pair: threefry(key0, key1, x, pair), pairs)
    return [both[i % 2][i // 2] for i in range(count)]


def field(seeds: Sequence[Word], shape: tuple[int, ...]) -> Float[Array, "n ..."]:
    """Draw an array of numbers in (0, 1) of two words for each example, in a program."""
    count = math.prod(shape)
    places = jnp.arange((count + 1) // 2, dtype=jnp.uint32)[None]
    key0, key1 = (seed[:, None] for seed in seeds)
    both = threefry(key0, key1, places, jnp.uint32(0))
    word = jnp.concatenate(both, axis=1)[:, :count].reshape(-1, *shape)
    return ((word >> 9).astype(jnp.float32) + 0.5) * np.float32(2**-23)


def threefry(key0: Any, key1: Any, x0: Any, x1: Any) -> tuple[Any, Any]:
    """Make two random words of a counter of two words and a key of two: Threefry-2x32-20.

    All are uint32 and are broadcast against each other; ``x0`` is no scalar. Source:
    Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (2011), section 3.3.
    """
    keys = key0, key1, key0 ^ key1 ^ np.uint32(PARITY)
    x0, x1 = x0 + keys[0], x1 + keys[1]
    for i in range(5):
        for distance in ROTATIONS[i % 2]:
            x0 = x0 + x1
            x1 = (x1 << distance | x1 >> (32 - distance)) ^ x0
        x0, x1 = x0 + keys[(i + 1) % 3], x1 + keys[(i + 2) % 3] + np.uint32(i + 1)
    return x0, x1


def below(word: Word, n: Any) -> Ints:
    """Return ``floor(word · n / 2³²)``: one of 0 … n − 1, for n of 1 … 2¹⁶.

    The 48 bits of the product are never held at once: JAX has no 64-bit integers by default.
    """
    high, low = word >> 16, word & 0xFFFF
    n = np.asarray(n).astype(np.uint32) if isinstance(n, int) else n.astype(np.uint32)
    return ((high * n + (low * n >> 16)) >> 16).astype(np.int32)


def chance(word: Word, probability: float) -> Any:
    """Return True with the given probability in [0, 1]."""
    return word >> 8 < np.uint32(round(probability * 2**24))


def uniform(word: Word, low: Any, high: Any) -> Float[Array, "n"]:
    """Return one of 2²⁴ numbers in [low, high), each as often, in a program."""
    share = jnp.asarray(word >> 8).astype(jnp.float32) * np.float32(2**-24)
    return np.float32(low) + share * (np.float32(high) - np.float32(low))


def choose(word: Word, thresholds: UInt32[np.ndarray | Array, "_"]) -> Ints:
    """Choose one of several things, as often as the weights say that made ``thresholds``."""
    if isinstance(word, np.ndarray):
        return thresholds.searchsorted(word, side="right").astype(np.int32)
    # all compared at once: a search in steps is as many kernels on a GPU
    return jnp.searchsorted(thresholds, word, side="right", method="compare_all").astype(jnp.int32)


def thresholds_of(weights: Int[np.ndarray, "m"]) -> UInt32[np.ndarray, "_"]:
    """Return the words at which :func:`choose` goes from one thing to the next."""
    sums = np.cumsum(weights, dtype=np.float64)
    return np.minimum(sums[:-1] / sums[-1] * 2**32, 2**32 - 1).astype(np.uint32)


def draw_places(
    three: Sequence[Word], sizes: Sequence, side: int, augment: bool
) -> tuple[Ints, Ints, Ints]:
    """Draw where crops of ``side`` pixels lie and how they are turned, from three words each.

    Args:
      sizes: heights and widths of the images, in pixels.
      augment: False leaves them as they are.

    Returns:
      Their first rows, their first columns, and which of the eight turns each takes.
    """
    free = ((n - (side - 1)).clip(max=2**16) for n in sizes)  # what lies beyond is not drawn
    top, left = (below(word, n) for word, n in zip(three, free, strict=False))
    return top, left, below(three[2], 8 if augment else 1)
