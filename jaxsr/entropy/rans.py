"""The entropy coder: interleaved rANS as pure functions that jit and vmap.

K lanes (states of 32 bits) code the symbols in turn, row after row of K, into one stream of 16-bit
words. The decoder undoes each step of the encoder, the last one first, so the encoder works from
the last symbol to the first. Groups of symbols, each with its tables, share the lanes: the decoder
can read the first group, compute from it which tables the second needs, and go on.

    words, length = encode_groups([Group(z, …), Group(residuals, …)], lanes=32)
    state = start(words, length, lanes=32)
    z, state = read(state, …)
    residuals, state = read(state, …)
    assert finished(state)

A stream is coded on one device: shard batches (``pmap``, or ``shard_map`` with
``check_vma=False``), never the symbols of one stream.

The stream begins with the K states, upper word before lower, and goes on with the words.

Sources: Duda, "Asymmetric numeral systems" (arXiv:1311.2540); Giesen, "Interleaved entropy coders"
(arXiv:1402.3392).
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Int32, Integer, Num, UInt16, UInt32

from jaxsr.entropy.loops import in_turn, one_kernel, scan_rows
from jaxsr.entropy.tables import ESCAPE, Tables, from_arrays
from jaxsr.errors import UserError

MAX_LANES = 1024
WORD = 16  # bits; between symbols each lane lies in [2^16, 2^32)
LOWEST = np.uint32(1 << WORD)
LOW_HALF = np.uint32(LOWEST - 1)
BLOCK = 1024  # words or escapes that are put in order at a time
ESCAPED = np.int32(-(2**31))  # placeholder until a symbol's escape is read; no table holds it

# An escape is an Exp-Golomb code. Its class says on which side of the alphabet the symbol lies and
# how many bits its distance has; each further bit is half as probable. The bits below the highest
# follow: the lower 16, then up to 15 above them.
CLASS_PRECISION = 12
CLASS_FREQUENCIES = np.repeat([1002, *(max(1, 1 << 10 >> n) for n in range(1, 33))], 2)


class Group(NamedTuple):
    """Symbols that are coded one after another.

    Attributes:
      symbols: any int32 numbers; those beyond ``count`` are ignored.
      indexes: the number of the table that each symbol is coded with.
      tables: the tables.
      count: the number of symbols to code; None for all.
    """

    symbols: Integer[Array | np.ndarray, "n"]
    indexes: Integer[Array | np.ndarray, "n"]
    tables: Tables
    count: Any = None


class State(NamedTuple):
    """A decoder at some point of its stream.

    Attributes:
      words: the stream, and anything behind it.
      length: the number of words that belong to it.
      lanes: the states.
      at: the place of the next word.
      sound: False once the stream has turned out damaged.
    """

    words: UInt16[Array, "w"]
    length: Int32[Array, ""]
    lanes: UInt32[Array, "k"]
    at: Int32[Array, ""]
    sound: Bool[Array, ""]


# Encoding


def encode(
    symbols: Integer[Array | np.ndarray, "n"],
    indexes: Integer[Array | np.ndarray, "n"],
    tables: Tables,
    *,
    lanes: int,
    count: Any = None,
) -> tuple[UInt16[Array, "w"], Int32[Array, ""]]:
    """Code one group of symbols as a stream; see :class:`Group` and :func:`encode_groups`."""
    return encode_groups([Group(symbols, indexes, tables, count)], lanes=lanes)


def encode_groups(
    groups: Sequence[Group], *, lanes: int
) -> tuple[UInt16[Array, "w"], Int32[Array, ""]]:
    """Code groups of symbols as one stream, from which they are read in the same order.

    Args:
      groups: any number of groups. The run time is proportional to their counts.
      lanes: the number of coders side by side, a power of two up to 1024; each takes about a byte.

    Returns:
      words: the stream, followed by zeros up to a fixed capacity that holds any symbols.
      length: the stream's length in words.

    Raises:
      UserError: the lanes are no such number, or symbols and indexes are not rows of equal length.
    """
    check_lanes(lanes)
    run = in_turn(functools.partial(_encode_groups, lanes=lanes))
    return run([_complete(group) for group in groups])


def _encode_groups(groups: list[Group], *, lanes: int):
    state = jnp.full(lanes, LOWEST)
    written = []  # from the last of the stream to the first
    for group in reversed(groups):
        state, new = _push_group(state, group)
        written += new
    head = jnp.stack([state >> WORD, state & LOW_HALF], -1).reshape(-1)
    capacity = head.size + sum(slots.size for slots, _ in written) + BLOCK
    words = jnp.zeros(capacity, jnp.uint16).at[: head.size].set(head.astype(jnp.uint16))
    stream = words, jnp.int32(head.size)
    for slots, chosen in reversed(written):
        stream = _append(*stream, slots, chosen, min(32, lanes))
    return stream


def _complete(group: Group) -> Group:
    symbols, indexes = jnp.asarray(group.symbols), jnp.asarray(group.indexes)
    if symbols.ndim != 1 or symbols.shape != indexes.shape:
        raise UserError(
            f"symbols and indexes are two rows of equal length, got {symbols.shape} and"
            f" {indexes.shape}; flatten them"
        )
    count = symbols.size if group.count is None else jnp.clip(group.count, 0, symbols.size)
    if not symbols.size:  # one symbol that is not counted is simpler than none
        symbols, indexes = jnp.zeros(1, jnp.int32), jnp.zeros(1, jnp.int32)
    indexes = jnp.clip(indexes, 0, group.tables.sizes.size - 1)
    return Group(
        symbols.astype(jnp.int32), indexes.astype(jnp.int32), group.tables, jnp.int32(count)
    )


class _Places(NamedTuple):
    """The entries of symbols in their tables."""

    cumulative: Int32[Array, "n"]  # where the entry starts in `cumulative`; its end follows
    escaped: Bool[Array, "n"]


def _places(group: Group) -> _Places:
    index = group.indexes
    last = group.tables.sizes[index] - 1
    # As unsigned numbers, those below the minimum are very large.
    above = (group.symbols - group.tables.minimums[index]).astype(jnp.uint32)
    entry = jnp.minimum(above, last.astype(jnp.uint32)).astype(jnp.int32)
    counted = jnp.arange(index.size, dtype=jnp.int32) < group.count
    return _Places(group.tables.offsets[index] + entry, (entry == last) & counted)


def _push_group(state: UInt32[Array, "k"], group: Group):
    """Return the lanes, and words with which of them are in use: of the escapes, of the symbols.

    In the stream the escapes follow the symbols, so they are pushed first.
    """
    places = _places(group)
    where, count = _where(places.escaped)
    tables = group.tables
    shared = (group.symbols, group.indexes, tables.minimums, tables.sizes, *_class_tables()[3:4])
    state, escapes = _push(_push_escapes, state, where, count, shared)
    body = functools.partial(_push_symbols, precision=tables.precision)
    state, words = _push(body, state, places.cumulative, group.count, tables.cumulative)
    return state, [escapes, words]


def _push(body, state: UInt32[Array, "k"], codes: Int32[Array, "n"], count, shared):
    """Code all rows, the last first; ``body`` returns words, marked by a bit above if in use."""

    def marked(t, carry, codes, shared):
        carry, written = carry
        carry, slots = body(t, carry, codes, shared)
        slots = slots.reshape(-1)
        bits, since = _mark(slots > 0, min(32, state.size))
        row = slots.astype(jnp.uint16), bits, written + since
        return (carry, written + since[0]), row

    rows = _in_rows(codes, state.size)
    carry = (state, count), jnp.int32(0)
    ((state, _), total), (slots, bits, since) = scan_rows(
        marked, _rows(count, state.size), carry, rows, shared, reverse=True
    )
    chosen = _Chosen(bits.reshape(-1), since.reshape(-1), total)
    return state, (slots.reshape(-1), chosen)


def _rows(count: Any, lanes: int) -> Any:
    return -(-count // lanes)


def _in_rows(x: Array, lanes: int) -> Array:
    return jnp.pad(x, (0, -x.size % lanes if x.size else lanes)).reshape(-1, lanes)


def _push_symbols(t, carry, places, cumulative, *, precision: int):
    """Code a row of symbols, one in each lane."""
    x, count = carry
    active = _active(t, x.size, count)
    x, word = _push_slots(x, cumulative[places], cumulative[places + 1], active, precision)
    return (x, count), word


def _push_escapes(t, carry, where, shared):
    """Code a row of escapes: upper bits, lower bits and class, the reverse of reading order."""
    x, count = carry
    symbols, indexes, minimums, sizes, cumulative = shared
    active = _active(t, x.size, count)
    symbol, index = symbols[where], indexes[where]
    minimum, size = minimums[index], sizes[index]
    below = symbol < minimum
    distance = jnp.where(below, minimum - 1 - symbol, symbol - minimum - (size - 1))
    distance = distance.astype(jnp.uint32)
    length = 32 - lax.clz(distance).astype(jnp.int32)
    rest = distance - _highest(length)
    low_bits, high_bits = _raw_bits(length)
    kind = 2 * length + below.astype(jnp.int32)
    x, high = _push_slots(x, *_raw_slots(rest >> 16, high_bits), active, 16)
    x, low = _push_slots(x, *_raw_slots(rest & LOW_HALF, low_bits), active, 16)
    x, first = _push_slots(x, cumulative[kind], cumulative[kind + 1], active, CLASS_PRECISION)
    return (x, count), jnp.stack([first, low, high])


def _active(t, lanes: int, count) -> Bool[Array, "k"]:
    return t * lanes + jnp.arange(lanes, dtype=jnp.int32) < count


def _push_slots(x, start, end, active, precision: int):
    """Code the slots from ``start`` to ``end``; states that would overflow first emit a word."""
    start = jnp.where(active, start, 0)
    frequency = jnp.where(active, end, 1 << precision) - start
    full = x >> (32 - precision) >= frequency
    word = jnp.where(full, x & LOW_HALF | LOWEST, 0)
    x = jnp.where(full, x >> WORD, x)
    return x + _quotient(x, frequency) * ((1 << precision) - frequency) + start, word


def _class_tables() -> Tables:
    """Return the one table of classes, whose escape is never coded."""
    rest = (1 << CLASS_PRECISION) - CLASS_FREQUENCIES.sum()
    frequencies = np.append(CLASS_FREQUENCIES, rest)
    names = {"minimums": np.zeros(1, int), "sizes": np.array([len(frequencies)])}
    return from_arrays({**names, "frequencies": frequencies})


def _raw_bits(length: Int32[Array, "n"]) -> tuple[UInt32[Array, "n"], UInt32[Array, "n"]]:
    """Count the bits below the highest of ``length``: those of the lower 16, and those above."""
    bits = jnp.maximum(length, 1).astype(jnp.uint32) - 1
    low = jnp.minimum(bits, 16)
    return low, bits - low


def _highest(length: Int32[Array, "n"]) -> UInt32[Array, "n"]:
    """Return the value of the highest of ``length`` bits; 0 if there are none."""
    return jnp.where(
        length > 0, jnp.uint32(1) << (jnp.maximum(length, 1) - 1).astype(jnp.uint32), 0
    )


def _raw_slots(number: UInt32[Array, "n"], bits: UInt32[Array, "n"]):
    """Return start and end among 2^16 slots of a number of so many equally probable bits."""
    room = 16 - bits
    return number << room, (number + 1) << room


def _quotient(x: UInt32[Array, "k"], divisor: UInt32[Array, "k"]) -> UInt32[Array, "k"]:
    """Compute ⌊x / divisor⌋ below 2^20 exactly, by floats, as vector units divide no integers.

    The float's error is below 1 (relatively some 3 · 2^-24, on GPUs twice that), and the remainder
    shows on which side the exact quotient lies.
    """
    guess = x.astype(jnp.float32) * (1 / divisor.astype(jnp.float32))
    guess = guess.astype(jnp.int32).astype(jnp.uint32)
    rest = (x - guess * divisor).astype(jnp.int32)
    too_small, too_large = rest >= divisor.astype(jnp.int32), rest < 0
    return guess + too_small.astype(jnp.uint32) - too_large.astype(jnp.uint32)


# Decoding


def decode(
    words: UInt16[Array | np.ndarray, "w"],
    length: Any,
    indexes: Integer[Array | np.ndarray, "n"],
    tables: Tables,
    *,
    lanes: int,
    count: Any = None,
) -> tuple[Int32[Array, "n"], Bool[Array, ""]]:
    """Decode a stream of one group: its symbols, and True if it was sound; see :func:`read`."""
    symbols, state = read(start(words, length, lanes=lanes), indexes, tables, count=count)
    return symbols, finished(state)


def start(words: UInt16[Array | np.ndarray, "w"], length: Any, *, lanes: int) -> State:
    """Return a decoder at the beginning of a stream.

    Args:
      words: the stream, and anything behind it.
      length: the number of words that belong to it.
      lanes: the encoder's.

    Raises:
      UserError: the lanes are no power of two up to 1024, or the words are not one row.
    """
    check_lanes(lanes)
    words = jnp.asarray(words)
    if words.ndim != 1:
        raise UserError(f"the words of a stream are one row, got {words.shape}")
    length = jnp.clip(jnp.asarray(length, jnp.int32), 0, words.size)
    size = 2 * lanes
    head = jnp.pad(words[:size], (0, max(0, size - words.size))).astype(jnp.uint32)
    head = jnp.where(jnp.arange(size, dtype=jnp.int32) < length, head, 0).reshape(-1, 2)
    states = head[:, 0] << WORD | head[:, 1]
    return State(jnp.pad(words, (0, 1)), length, states, jnp.int32(size), length >= size)


def read(
    state: State, indexes: Integer[Array | np.ndarray, "n"], tables: Tables, *, count: Any = None
) -> tuple[Int32[Array, "n"], State]:
    """Read the next group of symbols.

    A damaged stream takes no longer than a sound one; missing words count as 0. Only
    :func:`finished` tells whether the stream was sound.

    Args:
      state: from :func:`start` or an earlier call.
      indexes: the encoder's; those beyond ``count`` are ignored.
      tables: the encoder's.
      count: the number of symbols; None for all. The run time is proportional to it.

    Returns:
      symbols: the group's, zeros beyond ``count``.
      state: the decoder behind the group.

    Raises:
      UserError: the indexes are not one row.
    """
    group = _complete(Group(jnp.zeros_like(indexes), indexes, tables, count))
    symbols, state = in_turn(_read)(state, group.indexes, tables, group.count)
    return symbols[: indexes.size], state


def _read(state: State, index: Int32[Array, "n"], tables: Tables, count: Int32[Array, ""]):
    body = functools.partial(_pop_symbols, precision=tables.precision)
    shared = (tables.decoding, tables.entries, tables.minimums)
    state, symbols = _pop(body, state, index, count, shared)
    where, count = _where(symbols == ESCAPED)
    classes = _class_tables()
    shared = (index, tables.minimums, tables.sizes, classes.decoding, classes.entries)
    state, escapes = _pop(_pop_escapes, state, where, count, shared)
    return _put(symbols, where, escapes, count), state


def finished(state: State) -> Bool[Array, ""]:
    """Return True if all was read as written: no word over or missing, all lanes as at first."""
    return state.sound & (state.at == state.length) & jnp.all(state.lanes == LOWEST)


def _pop(body, state: State, codes: Int32[Array, "n"], count, shared):
    rows = _rows(count, state.lanes.size)
    in_rows = _in_rows(codes, state.lanes.size)
    carry = state.lanes, state.at, state.sound, count
    shared = (state.words, state.length), shared
    (lanes, at, sound, _), symbols = scan_rows(body, rows, carry, in_rows, shared)
    return state._replace(lanes=lanes, at=at, sound=sound), symbols.reshape(-1)[: codes.size]


def _pop_symbols(t, carry, index, shared, *, precision: int):
    """Read a row of symbols; ``ESCAPED`` where an escape has yet to be read."""
    x, at, sound, count = carry
    stream, (decoding, entries, minimums) = shared
    place = (index << precision) + (x & ((1 << precision) - 1)).astype(jnp.int32)
    code, entry = decoding[place], entries[place]
    active = _active(t, x.size, count)
    x, at = _pop_slots(x, at, stream, (code >> 16) + 1, code & LOW_HALF, active, precision)
    symbol = jnp.where(entry == ESCAPE, ESCAPED, minimums[index] + entry.astype(jnp.int32))
    return (x, at, sound, count), jnp.where(active, symbol, 0)


def _pop_escapes(t, carry, where, shared):
    """Read a row of escapes (class, lower and upper bits) and return their symbols."""
    x, at, sound, count = carry
    stream, (indexes, minimums, sizes, decoding, entries) = shared
    active = _active(t, x.size, count)
    slot = x & ((1 << CLASS_PRECISION) - 1)
    code, kind = decoding[slot], entries[slot].astype(jnp.int32)
    x, at = _pop_slots(x, at, stream, (code >> 16) + 1, code & LOW_HALF, active, CLASS_PRECISION)
    sound &= ~jnp.any(active & (kind == ESCAPE))
    length = jnp.minimum(kind >> 1, 32)
    parts = []
    for bits in _raw_bits(length):
        slot, room = x & LOW_HALF, 16 - bits
        parts.append(slot >> room)
        within = slot & ((1 << room) - 1)
        x, at = _pop_slots(x, at, stream, jnp.uint32(1) << room, within, active, 16)
    distance = (parts[0] | parts[1] << 16) + _highest(length)
    distance = distance.astype(jnp.int32)
    minimum, size = minimums[indexes[where]], sizes[indexes[where]]
    symbol = jnp.where(kind & 1, minimum - 1 - distance, minimum + (size - 1) + distance)
    return (x, at, sound, count), symbol


def _pop_slots(x, at, stream, frequency, within, active, precision: int):
    """Invert ``_push_slots``; states below 2^16 take in words, in the order of lanes."""
    words, length = stream
    x = jnp.where(active, frequency * (x >> precision) + within, x)
    fallen = active & (x < LOWEST)
    rank, total = _ranks(fallen)
    word = jnp.where(at + rank < length, words.at[at + rank].get(mode="clip"), 0)
    return jnp.where(fallen, x << WORD | word.astype(jnp.uint32), x), at + total


# Order


class _Chosen(NamedTuple):
    """Marks of chosen values, in blocks of up to 32."""

    bits: UInt32[Array, "m"]  # one for each block; the lowest bit is the first value's
    since: Int32[Array, "m"]  # number chosen in the block and all blocks behind it
    total: Int32[Array, ""]


def _bits(chosen: Bool[Array, "n"], size: int) -> UInt32[Array, "m"]:
    """Pack marks into bits, ``size`` in a number."""
    blocks = jnp.pad(chosen, (0, -chosen.size % size)).reshape(-1, size)
    bits = jnp.where(blocks, (jnp.uint32(1) << jnp.arange(size, dtype=jnp.uint32))[None], 0)
    return jnp.sum(bits, -1, dtype=jnp.uint32)


def _count(bits: UInt32[Array, "*n"]) -> Int32[Array, "*n"]:
    return lax.population_count(bits).astype(jnp.int32)


def _mark(chosen: Bool[Array, "n"], size: int) -> tuple[UInt32[Array, "m"], Int32[Array, "m"]]:
    """Pack a row into blocks of ``size`` bits, and count the chosen from each block on."""
    bits = _bits(chosen, size)
    counts = jnp.triu(jnp.broadcast_to(_count(bits), (bits.size,) * 2))
    return bits, jnp.sum(counts, -1, dtype=jnp.int32)


def _ranks(chosen: Bool[Array, "k"]) -> tuple[Int32[Array, "k"], Int32[Array, ""]]:
    """Count the chosen of a row before each place, and all of them."""
    size = min(32, chosen.size)
    bits, since = _mark(chosen, size)
    below = (jnp.uint32(1) << jnp.arange(size, dtype=jnp.uint32)) - 1
    within = _count(bits[:, None] & below[None])
    return (within + (since[0] - since)[:, None]).reshape(-1), since[0]


def _where(chosen: Bool[Array, "n"]) -> tuple[Int32[Array, "n"], Int32[Array, ""]]:
    """Return the places of the chosen, followed by zeros, and their number."""
    bits = _bits(chosen, 32)
    running = jnp.cumsum(_count(bits), dtype=jnp.int32)
    since = running[-1] - running + _count(bits)
    out = jnp.zeros(chosen.size + BLOCK, jnp.int32)
    places = jnp.arange(chosen.size, dtype=jnp.int32)
    out, count = _append(out, jnp.int32(0), places, _Chosen(bits, since, running[-1]), 32)
    return out[: chosen.size], count


def _append(out, length, values: Num[Array, "n"], chosen: _Chosen, size: int):
    """Append the chosen values to the ``length`` that ``out`` holds; it has a block to spare.

    It looks up the value of each place, which takes time proportional to the chosen values; looking
    up the place of each value would take time proportional to all of them.
    """

    def body(t, carry, _, shared):
        out, length = carry
        block = one_kernel(functools.partial(_block, size=size), t, *shared)
        return (lax.dynamic_update_slice(out, block, (length + t * BLOCK,)), length), ()

    trips = _rows(chosen.total, BLOCK)
    (out, _), _ = scan_rows(body, trips, (out, length), (), (values, chosen), scatters=True)
    return out, length + chosen.total


@functools.partial(jax.jit, static_argnames="size", inline=True)  # traced once for all platforms
def _block(t, values, chosen: _Chosen, *, size: int):
    """Return the block of chosen values from the (t · BLOCK)th on, zeros behind the last."""
    bits, since, total = chosen
    place = t * BLOCK + jnp.arange(BLOCK, dtype=jnp.int32)
    to_come = total - place  # with the one at this place
    at = jnp.zeros(BLOCK, jnp.int32)  # the last block since which so many are to come
    for step in reversed(range((bits.size - 1).bit_length())):
        next_ = at + (1 << step)
        reached = since.at[next_].get(mode="clip") >= to_come
        at = jnp.where((next_ < bits.size) & reached, next_, at)
    bit = _nth_bit(bits[at], since[at] - to_come)
    value = values.at[at * size + bit].get(mode="clip")
    return jnp.where(to_come > 0, value, 0)


def _nth_bit(bits: UInt32[Array, "n"], n: Int32[Array, "n"]) -> Int32[Array, "n"]:
    """Return the place of the nth (from 0) of the bits that are set."""
    at = jnp.zeros_like(n)
    for step in (16, 8, 4, 2, 1):
        here = (bits >> at.astype(jnp.uint32)) & ((1 << step) - 1)
        count = _count(here)
        at, n = jnp.where(n >= count, at + step, at), jnp.where(n >= count, n - count, n)
    return at


def _put(out: Int32[Array, "n"], where: Int32[Array, "n"], values: Int32[Array, "n"], count):
    """Return ``out`` with the first ``count`` values put in the places ``where``."""

    def body(t, carry, row, _):
        out, count = carry
        where, values = row
        where = jnp.where(_active(t, BLOCK, count), where, out.size)
        return (out.at[where].set(values, mode="drop", unique_indices=True), count), ()

    rows = _in_rows(where, BLOCK), _in_rows(values, BLOCK)
    return scan_rows(body, _rows(count, BLOCK), (out, count), rows, scatters=True)[0][0]


# Bytes


def to_bytes(words: UInt16[Array | np.ndarray, "w"], length: Any) -> bytes:
    """Convert the first ``length`` words to bytes, the lower byte of each word first."""
    return np.asarray(words)[: int(length)].astype("<u2").tobytes()


def from_bytes(data: bytes, capacity: int | None = None) -> tuple[UInt16[np.ndarray, "w"], int]:
    """Invert :func:`to_bytes`; return words, padded with zeros to ``capacity``, and their number.

    With one capacity for many streams a decoder is not compiled anew for each length.

    Raises:
      UserError: the bytes are odd in number or exceed the capacity.
    """
    if len(data) % 2:
        raise UserError(f"a stream is a whole number of 16-bit words, got {len(data)} bytes")
    words = np.frombuffer(data, "<u2").astype(np.uint16)
    if capacity is not None and len(words) > capacity:
        raise UserError(f"a stream of {len(words)} words exceeds the {capacity} there may be")
    return np.pad(words, (0, (capacity or len(words)) - len(words))), len(words)


def check_lanes(lanes: int) -> None:
    """Raise UserError unless a stream may have ``lanes`` lanes."""
    if not 1 <= lanes <= MAX_LANES or lanes & (lanes - 1):
        raise UserError(f"lanes are a power of two from 1 to {MAX_LANES}, got {lanes}")
