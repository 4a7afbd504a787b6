"""DRCT: the published sizes, any image, and gradients everywhere."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.networks import create
from jaxsr.networks.count import parameters

SMALL = {"scale": 2, "features": 12, "groups": 1, "heads": 4, "window": 4, "growth": 2}


@pytest.mark.parametrize(("name", "published"), [("drct", 14.14), ("drct_l", 27.58)])
def test_published_parameter_counts(name, published):
    assert round(parameters(create(name)) / 1e6, 2) == published


@pytest.fixture(scope="module")
def small(random_params):
    network = create("drct", **SMALL, head_features=4)
    return network, {"params": random_params(network)}


@pytest.mark.parametrize("size", [(1, 1), (3, 7)])
def test_any_size_works(small, size):
    network, params = small
    y = jax.jit(network.apply)(params, jnp.full((1, *size, 3), 0.5))
    assert y.shape == (1, 2 * size[0], 2 * size[1], 3)
    assert np.isfinite(y).all()


@pytest.mark.slow
def test_every_parameter_receives_a_gradient(small):
    network, params = small
    x = jax.random.uniform(jax.random.key(1), (1, 8, 8, 3))
    grads = jax.jit(jax.grad(lambda p: jnp.square(network.apply(p, x)).mean()))(params)
    for path, grad in jax.tree_util.tree_leaves_with_path(grads):
        assert np.isfinite(grad).all() and np.abs(grad).max() > 0, jax.tree_util.keystr(path)


def test_layers_have_as_many_heads_as_divide_their_channels():
    network = create("drct", **SMALL)
    x = jax.ShapeDtypeStruct((1, 4, 4, 3), np.float32)
    params = jax.eval_shape(network.init, jax.random.key(0), x)["params"]
    group = params["enhance"]["group_0"]
    tables = [group[f"layer_{i}"]["attention"]["position"].shape[1] for i in range(5)]
    assert tables == [4, 2, 4, 2, 4]  # of 12, 14, 16, 18 and 20 channels
