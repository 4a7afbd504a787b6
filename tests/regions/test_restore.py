"""Restoring by the tiles a region touches gives what the whole frame gives, and touches nothing else."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.networks import create_restorer
from jaxsr.regions import masks
from jaxsr.regions.restore import grid, restore, restore_whole, write_back

HEIGHT, WIDTH = 211, 301  # of frames of 224×320


@pytest.fixture(scope="module")
def network():
    return create_restorer("window_restorer", features=8, blocks=1, layers=1, window=4, heads=2)


@pytest.fixture(scope="module")
def params(network, random_params):
    shapes = (1, 32, 32, 3), (1, 32, 32, 1), (1, 8, 8, 5)
    return random_params(network, *(jax.ShapeDtypeStruct(s, np.float32) for s in shapes))


@pytest.fixture(scope="module")
def whole(network):
    return jax.jit(functools.partial(restore_whole, network))


def images(count=1):
    rng = np.random.default_rng(0)
    x = rng.random((count, HEIGHT, WIDTH, 3), np.float32)
    return x, rng.standard_normal((count, *grid_of_image(), 5), np.float32)


def grid_of_image():
    return -(-HEIGHT // 4), -(-WIDTH // 4)  # fewer than the frame's: the rest is zeros


REGIONS = {
    "left top corner": [(0, 0, 50, 40)],
    "right bottom corner": [(WIDTH - 45, HEIGHT - 50, 45, 50)],
    "interior": [(130, 77, 61, 45)],
    "border": [(100, HEIGHT - 20, 80, 20)],
    "two parts": [(3, 5, 20, 20), (250, 180, 20, 10)],
}


def test_tiles_give_what_the_whole_frame_gives_wherever_the_regions_are(network, params, whole):
    mask = np.stack([masks.boxes(boxes, HEIGHT, WIDTH) for boxes in REGIONS.values()])
    x, features = images(len(mask))
    run = jax.jit(functools.partial(restore, network, core=64, budget=6))
    y, left_over = run(params, x, mask, features)
    assert not left_over.any()
    np.testing.assert_allclose(y, whole(params, x, mask, features), atol=1e-5)
    np.testing.assert_array_equal(np.asarray(y)[mask == 0], x[mask == 0])
    assert np.abs(y - x)[mask > 0].mean() > 0.05  # something was restored


def test_where_the_budget_ends_the_rest_is_counted_and_nothing_jumps(network, params, whole):
    x, features = images()
    mask = np.zeros((1, HEIGHT, WIDTH), np.float32)
    mask[0, 40:, 30:] = 1  # 171 × 271 pixels from block 32, 16 on: 3 × 5 cells of 64
    run = jax.jit(functools.partial(restore, network, core=64, budget=4))
    y, left_over = run(params, x, mask, features)
    assert left_over.tolist() == [11]
    done = np.abs(y - x).max(-1) > 0
    assert 3 * 64**2 < done.sum() <= 4 * 64**2
    deep = np.asarray(masks.feather(done[0].astype(np.float32))) == 1
    expected = whole(params, x, mask, features)
    np.testing.assert_allclose(y[0][deep], expected[0][deep], atol=1e-5)


def test_no_region_leaves_the_image_as_it_is(network, params):
    x, _ = images()
    x[0, 0, 0] = np.nan, 7, -3  # whatever it holds
    run = jax.jit(functools.partial(restore, network, core=64, budget=1))
    y, left_over = run(params, x, np.zeros((1, HEIGHT, WIDTH), np.float32))
    np.testing.assert_array_equal(y, x)
    assert left_over.tolist() == [0]


def test_an_image_of_one_pixel_is_restored(network, params, whole):
    x, mask = np.full((1, 1, 1, 3), 0.5, np.float32), np.ones((1, 1, 1), np.float32)
    y, left_over = jax.jit(functools.partial(restore, network))(params, x, mask)
    assert left_over.tolist() == [0] and (np.asarray(y) != x).all()
    np.testing.assert_allclose(y, whole(params, x, mask), atol=1e-6)


def test_across_the_border_of_a_region_nothing_jumps():
    mask = masks.boxes([(20, 30, 70, 40)], 100, 120)
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
