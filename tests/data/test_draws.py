"""Random draws: Threefry's words, alike in NumPy and JAX, and what is made of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.random import threefry_2x32

from jaxsr.data import draws

PLACES = np.arange(12, dtype=np.int32)


def on_device(seed, step, count):
    draw = jax.jit(lambda step, places: draws.words(seed, step, places, count))
    return draw(jnp.int32(step), jnp.asarray(PLACES))


def test_words_are_those_of_threefry():
    words = draws.words(7, 3, PLACES, 4)
    for pair in range(2):
        counter = np.concatenate([PLACES, np.full(12, pair)]).astype(np.uint32)
        expected = threefry_2x32(np.array([7, 3], np.uint32), counter)
        np.testing.assert_array_equal(np.concatenate(words[2 * pair :][:2]), expected)


@pytest.mark.parametrize(("seed", "step"), [(0, 0), (-1, 5), (2**40 + 3, 2**31 - 1)])
@pytest.mark.parametrize("count", [1, 5])
def test_the_host_and_a_program_draw_the_same_words(seed, step, count):
    host = draws.words(seed, step, PLACES, count)
    assert len(host) == count and all(word.dtype == np.uint32 for word in host)
    np.testing.assert_array_equal(host, on_device(seed, step, count))


def test_a_word_below_a_number_is_the_upper_half_of_their_product():
    rng = np.random.default_rng(0)
    word = np.append(rng.integers(2**32, size=2000), [0, 1, 2**32 - 1, 2**16]).astype(np.uint32)
    for n in (1, 2, 3, 8, 1000, 65535, 65536):
        expected = (word.astype(np.uint64) * np.uint64(n) >> np.uint64(32)).astype(np.int32)
        np.testing.assert_array_equal(draws.below(word, n), expected)
        np.testing.assert_array_equal(jax.jit(lambda w, n=n: draws.below(w, n))(word), expected)


def test_places_lie_within_images_however_large():
    sizes = np.array([8, 9, 65_600, 200_000], np.int32)
    for word in (np.zeros(4, np.uint32), np.full(4, 2**32 - 1, np.uint32)):
        top, left, which = draws.draw_places([word] * 3, (sizes, sizes), 8, augment=True)
        assert (top == left).all() and (top >= 0).all() and (top <= sizes - 8).all()
        assert top.tolist() == ([0, 0, 0, 0] if word[0] == 0 else [0, 1, 65_535, 65_535])
        assert which.tolist() == [0 if word[0] == 0 else 7] * 4


def test_things_are_chosen_as_often_as_they_weigh():
    weights = np.array([1, 0, 5, 2])
    thresholds = draws.thresholds_of(weights)
    word = np.concatenate(draws.words(0, 0, np.arange(4000, dtype=np.int32), 2))
    chosen = draws.choose(word, thresholds)
    assert np.abs(np.bincount(chosen, minlength=4) / 1000 - weights).max() < 0.15
    np.testing.assert_array_equal(draws.choose(jnp.asarray(word), jnp.asarray(thresholds)), chosen)
    edge = np.array([0, thresholds[0] - 1, thresholds[0], 2**32 - 1], np.uint32)
    assert draws.choose(edge, thresholds).tolist() == [0, 0, 2, 3]


def test_of_one_thing_it_is_always_chosen():
    none = draws.thresholds_of(np.array([9]))
    word = np.array([0, 2**32 - 1], np.uint32)
    assert draws.choose(word, none).tolist() == [0, 0]
    assert draws.choose(jnp.asarray(word), jnp.asarray(none)).tolist() == [0, 0]


def test_a_chance_is_taken_as_often_as_it_says():
    (word,) = draws.words(0, 0, np.arange(4000, dtype=np.int32), 1)
    assert not draws.chance(word, 0.0).any() and draws.chance(word, 1.0).all()
    assert abs(draws.chance(word, 0.3).mean() - 0.3) < 0.03
