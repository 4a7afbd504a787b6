"""Tiles of a region: what sees no farther than the margin gives what the whole frame gives."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxsr.image.pictures import boxes_mask
from jaxsr.tiling import budget, cover
from jaxsr.tiling.geometry import paste

MULTIPLE, MARGIN, SIDES = 4, 8, (20, 28, 40)


def local(x):
    """Sums of windows, then over 9×9 pixels with zeros outside: it looks as far as the margin.

    It is exact in integers, and wrong wherever a tile lies off the windows or is cut too near.
    """
    x = windows(x)
    padded = np.pad(x, 4)
    return np.lib.stride_tricks.sliding_window_view(padded, (9, 9)).sum((-2, -1))


def windows(x):
    h, w = (n // MULTIPLE for n in x.shape)
    sums = x.reshape(h, MULTIPLE, w, MULTIPLE).sum((1, 3))
    return x + sums.repeat(MULTIPLE, 0).repeat(MULTIPLE, 1)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), height=st.integers(1, 90), width=st.integers(1, 90))
def test_on_a_plan_a_local_function_gives_on_the_region_what_it_gives_on_the_frame(
    data, height, width
):
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    region = np.zeros((height, width), bool)
    for _ in range(data.draw(st.integers(0, 4))):
        y, x = rng.integers(height), rng.integers(width)
        region[y : y + rng.integers(1, 30), x : x + rng.integers(1, 30)] = True
    image = rng.integers(0, 9, (height, width))
    rows, cols = cover.frame_size(height, width, MULTIPLE)
    expected = local(np.pad(image, ((0, rows - height), (0, cols - width)), mode="edge"))
    out = np.full((height, width, 1), -1)
    plan = cover.plan(region, MULTIPLE, MARGIN, SIDES)
    for tile in plan:
        seen = cover.cut(image, tile)
        assert seen.shape[0] in (*SIDES, rows) and seen.shape[1] in (*SIDES, cols)
        assert tile.rows.stop <= rows and tile.cols.stop <= cols
        paste(out, tile, local(seen)[..., None])
    np.testing.assert_array_equal(out[region, 0], expected[:height, :width][region])
    written = out[..., 0] >= 0
    np.testing.assert_array_equal(out[written, 0], expected[:height, :width][written])
    assert len({cover.cut(image, tile).shape for tile in plan}) <= 1


def test_no_region_needs_no_tiles():
    assert cover.plan(np.zeros((768, 1024), bool), 32, 64) == []


def share(boxes, height=768, width=1024, **options):
    """The pixels of a plan's tiles over those of the frame."""
    region = boxes_mask(boxes, height, width) > 0.5
    plan = cover.plan(region, 32, 64, **options)
    return sum(cover.cut(region, tile).size for tile in plan) / (height * width)


def test_a_tenth_of_the_image_costs_less_than_a_third_of_it():
    assert share([(371, 241, 280, 280)]) < 0.35
    assert share([(5, 9, 280, 280)]) < 0.25
    assert share([(300, 60, 140, 560)]) < 0.35


def test_parts_far_from_each_other_are_covered_by_themselves():
    assert share([(50, 50, 200, 200), (700, 500, 200, 200)]) < 0.4
    assert share([(50, 50, 400, 400), (1400, 1000, 400, 400)], 1536, 2048) < 0.3


def test_the_whole_image_costs_no_more_than_itself():
    assert share([(0, 0, 1024, 768)]) == 1


def test_shapes_that_are_compiled_already_are_preferred():
    assert share([(371, 241, 280, 280)], known=[(512, 512)]) == 512**2 / (768 * 1024)
    assert share([(371, 241, 280, 280)], known=[(512, 512)], compilation=0) < 0.3


@pytest.mark.parametrize(
    ("sides", "says"), [((128,), "give a side of 160 or more"), ((200,), "multiples of 32")]
)
def test_impossible_sides_are_refused(sides, says):
    with pytest.raises(ValueError, match=says):
        cover.plan(np.ones((9, 9), bool), 32, 64, sides)


def test_cells_begin_at_the_corner_of_the_region_and_those_with_most_of_it_come_first():
    region = np.zeros((64, 96), bool)
    region[13:30, 41:43] = True  # blocks 3.., 10..: cells of 16 from (12, 40) on
    region[20, 43:70] = True
    choose = jax.jit(budget.choose, static_argnums=(1, 2, 3))
    cells = choose(region, 4, 16, 3)
    assert cells.top.tolist() == [12, 12, 28] and cells.left.tolist() == [40, 56, 40]
    assert cells.used.all() and cells.left_over == 0
    cells = choose(region, 4, 16, 2)
    assert cells.left.tolist() == [40, 56] and cells.left_over == 1
    cells = choose(np.zeros((64, 96), bool), 4, 16, 2)
    assert not cells.used.any() and cells.left_over == 0


def test_scattered_cells_are_those_of_the_tiles():
    frame = np.random.default_rng(0).random((24, 40, 2), np.float32)
    region = np.zeros((24, 40), bool)
    region[20:, 37:] = True

    @jax.jit
    def run(frame, region):
        cells = budget.choose(region, 4, 8, 9)
        seen = budget.gather(frame, cells, 8, 4)
        return seen, budget.scatter(frame, seen + 1, cells, 8, 4)

    seen, out = run(frame, region)
    assert seen.shape == (9, 16, 16, 2)
    np.testing.assert_array_equal(seen[0], frame[8:, 24:])
    expected = frame.copy()
    expected[16:, 32:] += 1
    np.testing.assert_array_equal(out, expected)
