"""Restoring a region's tiles gives what the whole frame gives, and touches nothing else."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.image.pictures import boxes_mask
from jaxsr.networks import create_restorer
from jaxsr.regions import masks
from jaxsr.regions.restore import grid, restore, restore_whole, write_back

HEIGHT, WIDTH = 211, 301  # in a frame of 224×304


@pytest.fixture(scope="module")
def network():
    return create_restorer("window_restorer", features=8, blocks=1, layers=1, window=4, heads=2)


@pytest.fixture(scope="module")
def params(network, random_params):
    shapes = (1, 32, 32, 3), (1, 32, 32, 1), (1, 8, 8, 5)
    return random_params(network, *(jax.ShapeDtypeStruct(s, np.float32) for s in shapes))


REGIONS = {
    "left top corner": [(0, 0, 50, 40)],
    "right bottom corner": [(WIDTH - 45, HEIGHT - 50, 45, 50)],
    "interior": [(130, 77, 61, 45)],
    "border": [(100, HEIGHT - 20, 80, 20)],
    "two parts": [(3, 5, 20, 20), (250, 180, 20, 10)],
    "more than the budget": [(30, 40, WIDTH, HEIGHT)],  # 3 × 5 cells of 64 from (32, 16) on
}
MASKS = np.stack([boxes_mask(boxes, HEIGHT, WIDTH) for boxes in REGIONS.values()])
MASKS = np.concatenate([MASKS, 0 * MASKS[:1]])  # and no region at all


@pytest.fixture(scope="module")
def images():
    """As many as masks, and features on a grid smaller than the frame's: the rest is zeros."""
    rng = np.random.default_rng(0)
    x = rng.random((len(MASKS), HEIGHT, WIDTH, 3), np.float32)
    x[-1, 0, 0] = np.nan, 7, -3  # what is not in a region may hold anything
    return x, rng.standard_normal((len(x), -(-HEIGHT // 4), -(-WIDTH // 4), 5), np.float32)


@pytest.fixture(scope="module")
def restored(network, params, images):
    run = jax.jit(functools.partial(restore, network, core=64, budget=6))
    return [np.asarray(result) for result in run(params, images[0], MASKS, images[1])]


@pytest.fixture(scope="module")
def expected(network, params, images):
    run = jax.jit(functools.partial(restore_whole, network))
    return np.asarray(run(params, images[0], MASKS, images[1]))


@pytest.mark.parametrize("index", range(5), ids=list(REGIONS)[:5])
def test_tiles_give_what_the_whole_frame_gives_wherever_the_region_is(
    index, images, restored, expected
):
    y, left_over = restored[0][index], restored[1][index]
    assert left_over == 0
    np.testing.assert_allclose(y, expected[index], atol=1e-5)
    inside = MASKS[index] > 0
    assert np.abs(y - images[0][index])[inside].max() > 0.05  # something was restored


def test_outside_the_regions_every_bit_is_as_it_was(images, restored, expected):
    for y in (restored[0], expected):
        np.testing.assert_array_equal(y[MASKS == 0], images[0][MASKS == 0])
    assert restored[1][-1] == 0  # no region, nothing left over


def test_where_the_budget_ends_the_rest_is_counted_and_nothing_jumps(images, restored, expected):
    assert restored[1][5] == 15 - 6
    done = np.abs(restored[0][5] - images[0][5]).max(-1) > 0
    assert 5 * 64**2 < done.sum() <= 6 * 64**2
    weights = masks.feather(done.astype(np.float32))
    deep = weights == 1
    np.testing.assert_allclose(restored[0][5][deep], expected[5][deep], atol=1e-5)
    change = np.abs(restored[0][5] - images[0][5]).max(-1)
    assert change[(weights > 0) & (weights < 0.1)].max() < 0.15  # it fades at the budget's end


def test_an_image_of_one_pixel_is_restored(network, params):
    x, mask = np.full((1, 1, 1, 3), 0.5, np.float32), np.ones((1, 1, 1), np.float32)

    @jax.jit
    def run(params):
        y, left_over = restore(network, params, x, mask)
        return y, left_over, restore_whole(network, params, x, mask)

    y, left_over, whole = run(params)
    assert left_over.tolist() == [0] and (np.asarray(y) != x).all()
    np.testing.assert_allclose(y, whole, atol=1e-6)


def test_across_the_border_of_a_region_nothing_jumps():
    mask = boxes_mask([(20, 30, 70, 40)], 100, 120)
    x = np.full((100, 120, 3), 0.25, np.float32)
    for array in (np.asarray, jnp.asarray):
        y = np.asarray(write_back(array(x), array(x + 0.5), array(mask)))
        assert y.max() == 0.75
        for axis in (0, 1):
            assert np.abs(np.diff(y, axis=axis)).max() <= 0.5 * 2 / masks.WIDTH
        np.testing.assert_array_equal(y[mask == 0], x[mask == 0])


@pytest.mark.parametrize(("core", "budget"), [(0, 1), (40, 1), (64, 0)])
def test_impossible_budgets_are_refused(network, params, core, budget):
    x, mask = np.zeros((1, 8, 8, 3), np.float32), np.zeros((1, 8, 8), np.float32)
    with pytest.raises(ValueError, match=f"got {budget} with cores of {core}"):
        restore(network, params, x, mask, core=core, budget=budget)


def test_features_beyond_the_grid_are_refused(network, params):
    x, mask = np.zeros((1, 20, 20, 3), np.float32), np.zeros((1, 20, 20), np.float32)
    assert grid(network, 20, 20) == (8, 8)
    with pytest.raises(ValueError, match="9×8 positions for a grid of 8×8"):
        restore(network, params, x, mask, np.zeros((1, 9, 8, 5), np.float32))
