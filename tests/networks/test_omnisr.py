"""OmniSR: the published sizes, grids, and channels compared within sets of pixels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.attention import TransposedAttention
from jaxsr.attention.window import from_grid, to_grid
from jaxsr.networks import create
from jaxsr.networks.count import parameters


@pytest.mark.parametrize(("scale", "expected"), [(2, 784_604), (4, 805_376)])
def test_parameter_counts_of_the_published_code(scale, expected):
    assert parameters(create("omnisr", scale=scale)) == expected


def test_a_window_of_a_grid_holds_pixels_from_all_over_the_image():
    rows, columns = jnp.meshgrid(jnp.arange(6.0), jnp.arange(8.0), indexing="ij")
    x = jnp.stack([rows, columns], axis=-1)[None]
    seen = to_grid(x, 2)
    np.testing.assert_array_equal(seen[0, :2, :2, 0], [[0, 0], [3, 3]])
    np.testing.assert_array_equal(seen[0, :2, :2, 1], [[0, 4], [0, 4]])
    np.testing.assert_array_equal(from_grid(seen, 2), x)


@pytest.mark.parametrize("grid", [False, True])
def test_channels_are_compared_within_a_window_or_over_pixels_a_window_apart(grid, random_params):
    x = jax.random.uniform(jax.random.key(0), (1, 8, 8, 4))
    module = TransposedAttention(2, window=4, grid=grid)
    params = random_params(module, x)
    params["qkv_local"]["kernel"] = np.zeros((3, 3, 1, 12), np.float32)
    params["qkv_local"]["kernel"][1, 1] = 1
    apply = jax.jit(module.apply)
    y, other = (apply({"params": params}, a) for a in (x, x.at[0, 1, 2].set(3.0)))
    changed = np.any(np.asarray(y) != np.asarray(other), axis=-1)[0]
    expected = np.zeros((8, 8), bool)
    expected[(slice(1, None, 4), slice(2, None, 4)) if grid else (slice(4), slice(4))] = True
    np.testing.assert_array_equal(changed, expected)


@pytest.mark.slow
def test_every_parameter_receives_a_gradient(random_params):
    network = create("omnisr", scale=2, features=8, groups=1, heads=2, window=4)
    params = {"params": random_params(network)}
    x = jax.random.uniform(jax.random.key(1), (1, 17, 20, 3))
    grads = jax.jit(jax.grad(lambda p: jnp.mean(jnp.asarray(network.apply(p, x)) ** 2)))(params)
    for path, grad in jax.tree_util.tree_leaves_with_path(grads):
        assert np.isfinite(grad).all() and np.abs(grad).max() > 0, jax.tree_util.keystr(path)
