"""HAT: the published size, any image, and gradients everywhere."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.networks import create
from jaxsr.networks.count import parameters

SMALL = {
    "scale": 2,
    "features": 12,
    "groups": 1,
    "depth": 2,
    "heads": 2,
    "window": 4,
    "squeeze": 1,
    "head_features": 4,
}


@pytest.fixture(scope="module")
def hat(random_params):
    network = create("hat", **SMALL)
    return network, {"params": random_params(network)}


@pytest.mark.parametrize(
    ("name", "expected"), [("hat", 20_772_507), ("hat_s", 9_621_183), ("hat_l", 40_846_575)]
)
def test_published_parameter_counts(name, expected):
    assert parameters(create(name, scale=4)) == expected


@pytest.mark.parametrize("size", [(1, 1), (7, 5)])
def test_any_size_works(hat, size):
    network, params = hat
    y = jax.jit(network.apply)(params, jnp.full((1, *size, 3), 0.5))
    assert y.shape == (1, 2 * size[0], 2 * size[1], 3)
    assert np.isfinite(y).all()


def test_every_parameter_receives_a_gradient(hat):
    network, params = hat
    x = jax.random.uniform(jax.random.key(1), (1, 8, 8, 3))
    grads = jax.jit(jax.grad(lambda p: jnp.square(network.apply(p, x)).mean()))(params)
    for path, grad in jax.tree_util.tree_leaves_with_path(grads):
        assert np.isfinite(grad).all() and np.abs(grad).max() > 0, jax.tree_util.keystr(path)
