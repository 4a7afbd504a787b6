"""Tiles: whatever is local gives on tiles exactly what it gives on the whole image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxsr.tiling.geometry import blend, cut, paste, plan


def box(x, radius):
    """Sums over (2r + 1)² neighbourhoods, zeros outside: a convolution with zero padding."""
    size = 2 * radius + 1
    padded = np.pad(x, ((radius, radius), (radius, radius), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(0, 1))
    return windows.sum((-2, -1))


def enlarge(x, scale):
    return x.repeat(scale, 0).repeat(scale, 1)


@settings(max_examples=100, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    radius=st.integers(0, 4),
    spare=st.integers(1, 20),
    scale=st.integers(1, 3),
)
def test_a_convolution_by_tiles_equals_the_whole(height, width, radius, spare, scale):
    image = np.random.default_rng(0).integers(0, 100, (height, width, 2))
    tile = 2 * radius + spare
    tiles = plan(height, width, tile, radius)
    out = np.full((height * scale, width * scale, 2), -1)
    for t in tiles:
        piece = cut(image, t)
        assert piece.shape == (min(tile, height), min(tile, width), 2)
        paste(out, t, enlarge(box(piece, radius), scale), scale)
    np.testing.assert_array_equal(out, enlarge(box(image, radius), scale))


def test_a_plan_has_no_more_tiles_than_needed():
    assert len(plan(100, 50, 100, 99)) == 1
    assert len(plan(180, 100, 100, 10)) == 2
    assert len(plan(181, 100, 100, 10)) == 3


def test_leading_axes_are_batches():
    image = np.arange(2 * 9 * 9).reshape(2, 9, 9, 1)
    out = np.zeros_like(image)
    for t in plan(9, 9, 5, 1):
        paste(out, t, cut(image, t))
    np.testing.assert_array_equal(out, image)


@pytest.mark.parametrize(("tile", "overlap"), [(8, 2), (9, 4), (64, 8)])
def test_blending_equal_results_changes_nothing(tile, overlap):
    image = np.random.default_rng(0).random((23, 31, 3), np.float32)
    pieces = [(t, enlarge(cut(image, t), 2)) for t in plan(23, 31, tile, overlap)]
    np.testing.assert_allclose(blend(pieces, 23, 31, 2), enlarge(image, 2), rtol=1e-5)


def test_blending_unequal_results_leaves_no_seam():
    tiles = plan(16, 60, 20, 5)
    pieces = [(t, np.full((16, 20, 1), i, np.float32)) for i, t in enumerate(tiles)]
    row = blend(pieces, 16, 60)[8, :, 0]
    assert row[0] == 0 and row[-1] == len(tiles) - 1
    assert np.abs(np.diff(row)).max() < 0.15  # a hard cut would jump by one


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((100, 100, 16, 8), "at least 17"),
        ((0, 10, 16, 2), "positive sizes"),
        ((10, 10, 16, -1), "overlap of 0 or more"),
    ],
)
def test_impossible_plans_are_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        plan(*arguments)
