"""Integer tables: best frequencies, alphabets as wide as pays, and nothing wrong let in."""

import itertools
import math

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from jaxsr.entropy import tables as tables_lib
from jaxsr.entropy.tables import from_arrays, gaussian_tables, quantise, tables_from_pmfs, to_arrays


@pytest.fixture(scope="module")
def gaussians():
    return gaussian_tables()


def test_tables_of_gaussians_are_made_once(gaussians):
    assert gaussian_tables() is gaussians
    assert gaussian_tables(precision=12) is not gaussians


def frequencies_of(tables, i):
    start = int(tables.offsets[i])
    return np.diff(np.asarray(tables.cumulative)[start : start + int(tables.sizes[i]) + 1])


def test_the_scales_are_64_from_0_11_to_256_at_equal_ratios():
    ratios = np.diff(np.log(tables_lib.SCALES))
    assert len(tables_lib.SCALES) == 64
    assert np.isclose(tables_lib.SCALES[0], 0.11) and np.isclose(tables_lib.SCALES[-1], 256)
    assert np.allclose(ratios, ratios[0])


def test_each_table_sums_to_the_whole_and_leaves_nothing_without_a_slot(gaussians):
    assert gaussians.precision == 14
    for i in range(64):
        frequencies = frequencies_of(gaussians, i)
        assert frequencies.sum() == 2**14 and frequencies.min() >= 1


def test_each_scale_has_its_own_alphabet_around_zero(gaussians):
    sizes, minimums = np.asarray(gaussians.sizes), np.asarray(gaussians.minimums)
    assert (sizes == 2 - 2 * minimums).all()  # −m … m and the escape
    assert (np.diff(sizes) >= 0).all() and sizes[0] < 4 and sizes[-1] > 1000


def test_a_gaussian_costs_almost_its_entropy_at_every_scale(gaussians):
    for i in (0, 10, 20, 40, 63):
        scale = tables_lib.SCALES[i]
        edge = lambda k: math.erf((k - 0.5) / (scale * math.sqrt(2))) / 2  # noqa: E731, B023
        m = -int(gaussians.minimums[i])
        p = np.array([edge(k + 1) - edge(k) for k in range(-m, m + 1)])
        entropy = -(p * np.log2(p)).sum()
        escape = max(0.0, 1 - p.sum())
        f = frequencies_of(gaussians, i) / 2**14
        cost = -(p * np.log2(f[:-1])).sum() - escape * (np.log2(f[-1]) - 12)
        assert cost - entropy < 0.004 * entropy + 0.0005, scale


def test_slots_lead_to_the_entry_they_belong_to(gaussians):
    i = 30
    ends = np.asarray(gaussians.cumulative)[int(gaussians.offsets[i]) :][
        : int(gaussians.sizes[i]) + 1
    ]
    slots = np.arange(2**14)
    entry = np.searchsorted(ends, slots, side="right") - 1
    at = (i << 14) + slots
    decoding, entries = np.asarray(gaussians.decoding)[at], np.asarray(gaussians.entries)[at]
    assert (decoding >> 16 == np.diff(ends.astype(int))[entry] - 1).all()
    assert (decoding & 0xFFFF == slots - ends[entry]).all()
    escape = entry == len(ends) - 2
    assert (entries[~escape] == entry[~escape]).all()
    assert (entries[escape] == tables_lib.ESCAPE).all()


@hypothesis.given(st.lists(st.integers(0, 1000), min_size=1, max_size=5).filter(any))
@hypothesis.settings(deadline=None, max_examples=50)
def test_no_other_frequencies_cost_fewer_bits(weights):
    pmf = np.array(weights) / sum(weights)
    total, cost = 2**4, lambda f: -(pmf * np.log2(f)).sum()
    best = quantise(pmf, 4)
    assert best.sum() == total and best.min() >= 1
    for cuts in itertools.combinations(range(1, total), len(pmf) - 1):
        other = np.diff([0, *cuts, total])
        assert cost(best) <= cost(other) + 1e-9


def test_any_distribution_becomes_a_table_with_what_it_lacks_as_escape():
    tables = tables_from_pmfs([np.array([0.5, 0.25]), np.array([1.0])], [-3, 7], precision=12)
    assert np.asarray(tables.minimums).tolist() == [-3, 7]
    assert frequencies_of(tables, 0).tolist() == [2048, 1024, 1024]
    assert frequencies_of(tables, 1).tolist() == [4095, 1]


def test_tables_are_the_same_after_storing(gaussians):
    arrays = to_arrays(gaussians)
    assert all(array.dtype == np.int32 for array in arrays.values())
    for ours, stored in zip(gaussians, from_arrays(arrays), strict=True):
        assert ours.dtype == stored.dtype and (ours == stored).all()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"sizes": None}, "missing sizes"),
        ({"minimums": np.zeros(2)}, "row of integers"),
        ({"minimums": np.zeros(3, int)}, "one each"),
        ({"minimums": np.array([2**31, 0])}, "2\\^30"),
        ({"sizes": np.array([2, 3])}, "sum to"),
        ({"sizes": np.array([4, 0])}, "sizes are 1 to"),
        ({"frequencies": np.array([4096, 0, 4095, 1])}, "frequencies are 1 to"),
        ({"frequencies": np.array([4000, 1, 4095, 1])}, "power of two"),
        ({"frequencies": np.array([1023, 1, 1023, 1])}, "power of two"),
        ({"frequencies": np.array([-(2**40), 1, 1023, 1])}, "frequencies are 1 to"),
    ],
)
def test_wrong_arrays_are_refused(change, message):
    good = {
        "minimums": np.zeros(2, int),
        "sizes": np.array([2, 2]),
        "frequencies": np.array([4095, 1, 4095, 1]),
    }
    from_arrays(good)
    arrays = {name: array for name, array in {**good, **change}.items() if array is not None}
    with pytest.raises(ValueError, match=message):
        from_arrays(arrays)


@pytest.mark.parametrize("pmf", [[-0.1, 0.5], [0.9, 0.2], [np.nan, 0.5], [2.0**-13] * 2**12])
def test_wrong_probabilities_are_refused(pmf):
    with pytest.raises(ValueError, match=r"probabilities|does not fit"):
        tables_from_pmfs([np.array(pmf)], [0], precision=12)


def test_wrong_precisions_scales_and_minimums_are_refused():
    with pytest.raises(ValueError, match="12 to 16"):
        tables_from_pmfs([np.array([0.5])], [0], precision=20)
    with pytest.raises(ValueError, match="one each"):
        tables_from_pmfs([np.array([0.5])], [0, 0])
    with pytest.raises(ValueError, match="one each"):
        tables_from_pmfs([], [])
    with pytest.raises(ValueError, match="positive"):
        gaussian_tables([1.0, 0.0])
