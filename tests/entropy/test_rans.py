"""The coder: whatever goes in comes out, at the length it should have, and nothing hangs."""

import functools
import itertools
import math

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.entropy import rans
from jaxsr.entropy.rans import Group
from jaxsr.entropy.tables import SCALES, from_arrays, gaussian_tables, tables_from_pmfs, to_arrays

SIZE = 200  # symbols there is room for; few are used at times
INT32 = np.iinfo(np.int32)
settings = hypothesis.settings(deadline=None, max_examples=60)


@functools.cache
def tables(precision=14):
    """Gaussians, a table of nothing but the escape, and ones with far and lopsided alphabets."""
    arrays = to_arrays(gaussian_tables([0.11, 0.5, 1.0, 4.0, 60.0], precision))
    other = to_arrays(
        tables_from_pmfs(
            [np.zeros(0), np.full(16, 1 / 16), np.array([0.9]), np.full(3, 0.3)],
            [5, 2**30 - 8, 0, -(2**30)],
            precision,
        )
    )
    return from_arrays({name: np.concatenate([arrays[name], other[name]]) for name in arrays})


TABLES = 9
encode = jax.jit(rans.encode, static_argnames="lanes")
decode = jax.jit(rans.decode, static_argnames="lanes")
both = jax.jit(rans.encode_groups, static_argnames="lanes")


def coded(symbols, indexes, *, lanes, precision=14, count=None):
    """The symbols after a round through bytes."""
    count = symbols.size if count is None else count
    words, length = encode(symbols, indexes, tables(precision), lanes=lanes, count=count)
    stored = rans.from_bytes(rans.to_bytes(words, length), capacity=words.size)
    out, sound = decode(*stored, indexes, tables(precision), lanes=lanes, count=count)
    assert sound
    return np.asarray(out)


def numbers(rng, size=SIZE):
    """Symbols of every magnitude and sign."""
    return (rng.integers(INT32.min, 2**31, size) >> rng.integers(0, 32, size)).astype(np.int32)


# Any symbols, any indexes


@pytest.mark.parametrize("lanes, precision", [(1, 12), (16, 14), (256, 16)])
@settings
@hypothesis.given(
    hnp.arrays(
        np.int32, SIZE, elements=st.one_of(st.integers(-9, 9), st.integers(-(2**31), 2**31 - 1))
    ),
    hnp.arrays(np.int32, SIZE, elements=st.integers(0, TABLES - 1)),
    st.integers(0, SIZE),
)
def test_any_symbols_come_back(lanes, precision, symbols, indexes, count):
    out = coded(symbols, indexes, lanes=lanes, precision=precision, count=count)
    assert (out[:count] == symbols[:count]).all()
    assert (out[count:] == 0).all()


@pytest.mark.parametrize("symbol", [INT32.min, INT32.min + 1, -1, 0, 1, INT32.max - 1, INT32.max])
def test_extremes_come_back_from_every_table(symbol):
    symbols = np.full(SIZE, symbol, np.int32)
    assert (coded(symbols, np.arange(SIZE) % TABLES, lanes=16) == symbols).all()


def test_symbols_at_the_ends_of_their_alphabets_come_back():
    minimums, sizes = (np.asarray(x) for x in (tables().minimums, tables().sizes))
    near = np.arange(-2, 3)
    symbols = np.concatenate([minimums[:, None] + near, (minimums + sizes)[:, None] + near], 1)
    indexes = np.broadcast_to(np.arange(TABLES)[:, None], symbols.shape)
    symbols, indexes = (np.resize(x.reshape(-1), SIZE).astype(np.int32) for x in (symbols, indexes))
    assert (coded(symbols, indexes, lanes=16) == symbols).all()


def test_more_symbols_than_are_put_in_order_at_a_time_come_back_though_all_escape():
    rng = np.random.default_rng(0)
    symbols = rng.integers(1000, 2**31, 2 * rans.BLOCK + 77).astype(np.int32)
    assert (coded(symbols, np.zeros_like(symbols), lanes=64) == symbols).all()


def test_no_symbols_cost_only_the_lanes():
    none = np.zeros(0, np.int32)
    words, length = encode(none, none, tables(), lanes=4)
    out, sound = decode(words, length, none, tables(), lanes=4)
    assert length == 8 and sound and out.size == 0


def test_one_symbol_comes_back():
    assert coded(np.array([-3], np.int32), np.array([2], np.int32), lanes=1).tolist() == [-3]


# Groups


@jax.jit
def read_two(words, length, second, tables):
    """Symbols of a group, and of one whose indexes depend on them."""
    state = rans.start(words, length, lanes=8)
    first, state = rans.read(state, jnp.zeros(40, jnp.uint8), tables, count=30)
    symbols, state = rans.read(state, (second + jnp.sum(first)) % TABLES, tables, count=150)
    return first, symbols, rans.finished(state)


def test_what_is_read_first_may_choose_the_tables_of_the_rest_and_be_of_any_integers():
    rng = np.random.default_rng(1)
    first, second = rng.integers(-128, 128, 40).astype(np.int8), numbers(rng)
    indexes = rng.integers(0, 1000, SIZE).astype(np.int32)
    total = np.sum(first[:30], dtype=np.int32)
    groups = [
        Group(first, np.zeros(40, np.uint8), tables(), 30),
        Group(second, (indexes + total) % TABLES, tables(), 150),
    ]
    words, length = both(groups, lanes=8)
    a, b, sound = read_two(words, length, indexes, tables())
    assert sound and (a[:30] == first[:30]).all() and (b[:150] == second[:150]).all()


# Batches


@pytest.mark.slow
def test_a_batch_gives_the_words_and_symbols_of_each_alone():
    rng = np.random.default_rng(2)
    symbols = np.stack([numbers(rng), numbers(rng), rng.integers(-2, 3, SIZE).astype(np.int32)])
    indexes = rng.integers(0, TABLES, (3, SIZE)).astype(np.int32)
    counts = np.array([200, 0, 77], np.int32)
    run = lambda s, i, n, t: rans.encode(s, i, t, lanes=16, count=n)  # noqa: E731
    undo = lambda w, m, i, n, t: rans.decode(w, m, i, t, lanes=16, count=n)  # noqa: E731
    words, lengths = jax.jit(jax.vmap(run, (0, 0, 0, None)))(symbols, indexes, counts, tables())
    out, sound = jax.jit(jax.vmap(undo, (0, 0, 0, 0, None)))(
        words, lengths, indexes, counts, tables()
    )
    assert sound.all()
    for b, count in enumerate(counts):
        alone, length = encode(symbols[b], indexes[b], tables(), lanes=16, count=count)
        assert (words[b] == alone).all() and lengths[b] == length
        assert (out[b, :count] == symbols[b, :count]).all() and (out[b, count:] == 0).all()


def test_a_batch_of_batches_is_coded_too():
    rng = np.random.default_rng(3)
    symbols = rng.integers(-3, 4, (2, 2, SIZE)).astype(np.int32)
    twice = jax.vmap(jax.vmap(lambda s: rans.encode(s, s * 0 + 2, tables(), lanes=16, count=SIZE)))
    words, lengths = jax.jit(twice)(symbols)
    alone, length = encode(symbols[1, 0], symbols[1, 0] * 0 + 2, tables(), lanes=16, count=SIZE)
    assert (words[1, 0] == alone).all() and lengths[1, 0] == length


# Damage


@pytest.fixture(scope="module")
def stream():
    """Symbols with escapes, their indexes, and the stream's words and length."""
    rng = np.random.default_rng(4)
    indexes = rng.integers(0, 5, SIZE).astype(np.int32)
    symbols = np.where(rng.random(SIZE) < 0.1, numbers(rng), rng.integers(-3, 4, SIZE))
    symbols = symbols.astype(np.int32)
    return symbols, indexes, *encode(symbols, indexes, tables(), lanes=16, count=SIZE)


def test_every_truncated_or_extended_stream_is_noticed(stream):
    _, indexes, words, length = stream
    for wrong in {
        *range(0, int(length), 7),
        int(length) - 1,
        int(length) + 1,
        words.size,
        10**9,
        -5,
    }:
        _, sound = decode(words, wrong, indexes, tables(), lanes=16, count=SIZE)
        assert not sound, wrong


def test_a_stream_left_unfinished_is_not_sound(stream):
    _, indexes, words, length = stream
    assert not decode(words, length, indexes, tables(), lanes=16, count=SIZE - 1)[1]


def test_damaged_words_end_in_other_symbols_or_an_unsound_stream(stream):
    symbols, indexes, words, length = stream
    rng = np.random.default_rng(5)
    for _ in range(100):
        damaged = np.array(words)
        damaged[rng.integers(0, length)] ^= 1 << rng.integers(0, 16)
        out, sound = decode(damaged, length, indexes, tables(), lanes=16, count=SIZE)
        assert not sound or (np.asarray(out) != symbols).any()


@settings
@hypothesis.given(hnp.arrays(np.uint16, SIZE), st.integers(0, SIZE), hnp.arrays(np.int32, SIZE))
def test_garbage_ends_and_is_noticed(words, length, indexes):
    hypothesis.assume(words.any())
    out, sound = decode(words, length, indexes, tables(), lanes=16, count=SIZE)
    assert out.shape == (SIZE,) and not sound


# The stream


def read_plainly(data, indexes, arrays, lanes):
    """The format in plain Python: what another decoder would do."""
    words = [data[i] | data[i + 1] << 8 for i in range(0, len(data), 2)]
    states = [words[2 * k] << 16 | words[2 * k + 1] for k in range(lanes)]
    rest = iter(words[2 * lanes :])
    sizes = arrays["sizes"].tolist()
    starts = np.cumsum([0, *sizes])

    def row(read, items):
        out = []
        for k, item in enumerate(items):
            frequency, start, value, precision = read(states[k], item)
            slot = states[k] % 2**precision
            states[k] = frequency * (states[k] >> precision) + slot - start
            out.append(value)
        for k in range(len(items)):
            if states[k] < 2**16:
                states[k] = states[k] << 16 | next(rest)
        return out

    def from_table(frequencies, precision):
        def read(state, item):
            slot, start = state % 2**precision, 0
            for entry, frequency in enumerate(frequencies[item]):
                if slot < start + frequency:
                    return frequency, start, entry, precision
                start += frequency

        return read

    def raw(state, bits):
        number = state % 2**16 >> 16 - bits
        return 2 ** (16 - bits), number << 16 - bits, number, 16

    frequencies = [arrays["frequencies"][a:b].tolist() for a, b in itertools.pairwise(starts)]
    precision = (sum(frequencies[0])).bit_length() - 1
    rows = [indexes[i : i + lanes].tolist() for i in range(0, len(indexes), lanes)]
    entries = [e for items in rows for e in row(from_table(frequencies, precision), items)]
    out = [int(arrays["minimums"][i]) + e for i, e in zip(indexes, entries, strict=True)]
    escaped = [j for j, i in enumerate(indexes) if entries[j] == sizes[i] - 1]
    halves = [1002] + [max(1, 1024 >> n) for n in range(1, 33)]
    classes = [[f for f in halves for _ in range(2)] + [2]]
    for at in range(0, len(escaped), lanes):
        chosen = escaped[at : at + lanes]
        kinds = row(from_table(classes, 12), [0] * len(chosen))
        bits = [max(0, kind // 2 - 1) for kind in kinds]
        low = row(raw, [min(16, b) for b in bits])
        high = row(raw, [b - min(16, b) for b in bits])
        for j, kind, a, b in zip(chosen, kinds, low, high, strict=True):
            distance = (a | b << 16) + (1 << kind // 2 - 1 if kind > 1 else 0)
            minimum, size = int(arrays["minimums"][indexes[j]]), sizes[indexes[j]]
            out[j] = minimum - 1 - distance if kind % 2 else minimum + size - 1 + distance
    assert next(rest, None) is None and states == [2**16] * lanes
    return out


def test_a_plain_decoder_reads_the_stream(stream):
    symbols, indexes, words, length = stream
    data = rans.to_bytes(words, length)
    assert read_plainly(data, indexes, to_arrays(tables()), lanes=16) == symbols.tolist()


def test_bytes_are_words_with_the_lower_byte_first():
    data = rans.to_bytes(np.array([0x0102, 0xFFFE, 7], np.uint16), 2)
    assert data == b"\x02\x01\xfe\xff"
    words, length = rans.from_bytes(data, capacity=5)
    assert words.tolist() == [0x0102, 0xFFFE, 0, 0, 0] and length == 2


# Length


def probability(k, scale):
    """Of the integer k, if a Gaussian is rounded."""
    tail = lambda x: math.erfc(x / (scale * math.sqrt(2))) / 2  # noqa: E731
    return tail(abs(k) - 0.5) - tail(abs(k) + 0.5)


def latent(bits, size=294_912):
    """Symbols and scale indexes such as a codec has for a Kodak image, of about ``bits`` in all."""
    rng = np.random.default_rng(6)
    spread = rng.normal(0, 1.3, (192, 1)) + rng.normal(0, 0.76, (1, size // 192))
    place = spread.reshape(-1) / math.log(SCALES[1] / SCALES[0])
    entropy = []
    for scale in SCALES:
        p = np.array(
            [probability(k, scale) for k in range(-int(8 * scale) - 2, int(8 * scale) + 3)]
        )
        entropy.append(-(p[p > 0] * np.log2(p[p > 0])).sum())
    low, high = -60.0, 60.0
    for _ in range(30):
        indexes = np.clip(np.round(place + (low + high) / 2), 0, 63).astype(np.int32)
        over = np.array(entropy)[indexes].sum() > bits
        low, high = (low, (low + high) / 2) if over else ((low + high) / 2, high)
    symbols = np.round(rng.normal(size=size) * np.array(SCALES)[indexes])
    return symbols.astype(np.int32), indexes


def ideal_bits(symbols, indexes):
    kinds, counts = np.unique(np.stack([symbols, indexes]), axis=1, return_counts=True)
    return -sum(
        n * math.log2(probability(k, SCALES[i])) for k, i, n in zip(*kinds, counts, strict=True)
    )


@pytest.fixture(scope="module")
def kodak():
    """A latent of 0.5 bits per pixel on 768 × 512, and our bytes for it."""
    symbols, indexes = latent(0.5 * 768 * 512)
    gaussians = gaussian_tables()
    words, length = encode(symbols, indexes, gaussians, lanes=16)
    decoded, sound = decode(words, length, indexes, gaussians, lanes=16)
    assert sound and (decoded == symbols).all()
    return symbols, indexes, rans.to_bytes(words, length)


def test_the_length_is_within_three_thousandths_of_the_ideal(kodak):
    symbols, indexes, data = kodak
    ideal = ideal_bits(symbols, indexes) / 8
    assert 0.4 < 8 * ideal / (768 * 512) < 0.6
    assert ideal < len(data) < 1.003 * ideal


def test_the_length_is_that_of_constriction(kodak):
    constriction = pytest.importorskip("constriction", reason="pip install constriction")
    symbols, indexes, data = kodak
    coder = constriction.stream.stack.AnsCoder()
    model = constriction.stream.model.QuantizedGaussian(-5000, 5000)
    scales = np.array(SCALES)[indexes]
    coder.encode_reverse(symbols, model, np.zeros(len(scales)), scales)
    assert len(data) < 1.003 * coder.get_compressed().nbytes


# Requests that cannot be met


@pytest.mark.parametrize("lanes", [0, 3, 2048, -4])
def test_lanes_are_powers_of_two(lanes):
    with pytest.raises(ValueError, match="power of two from 1 to 1024"):
        rans.encode(np.zeros(3, int), np.zeros(3, int), tables(), lanes=lanes)
    with pytest.raises(ValueError, match="power of two"):
        rans.start(np.zeros(3, np.uint16), 3, lanes=lanes)


def test_symbols_and_indexes_are_rows_of_one_length():
    with pytest.raises(ValueError, match="flatten"):
        rans.encode_groups([Group(np.zeros((2, 2), int), np.zeros((2, 2), int), tables())], lanes=1)
    with pytest.raises(ValueError, match="flatten"):
        rans.encode_groups([Group(np.zeros(2, int), np.zeros(3, int), tables())], lanes=1)


def test_half_a_word_and_too_many_words_are_refused():
    with pytest.raises(ValueError, match="whole number"):
        rans.from_bytes(b"abc")
    with pytest.raises(ValueError, match="exceeds"):
        rans.from_bytes(b"abcd", capacity=1)


def test_the_coder_is_lowered_for_every_backend():
    rows = jax.ShapeDtypeStruct((SIZE,), np.int32)
    words = jax.ShapeDtypeStruct((SIZE,), np.uint16)
    run = jax.jit(lambda s, i, t: rans.encode(s, i, t, lanes=16))
    undo = jax.jit(lambda w, i, t: rans.decode(w, SIZE, i, t, lanes=16))
    for platform in ("cpu", "cuda", "tpu"):
        for function, arguments in ((run, (rows, rows)), (undo, (words, rows))):
            module = jax.export.export(function, platforms=[platform])(*arguments, tables())
            assert ("xla_cpu_small_call" in module.mlir_module()) == (platform == "cpu")
