"""DAT: the published sizes, any image, windows that shift where the paper's do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.attention.rectangle import shifts
from jaxsr.networks import create
from jaxsr.networks.count import parameters

SMALL = {"scale": 2, "features": 16, "groups": 1, "depth": 2, "heads": 2, "window": (2, 4)}


@pytest.mark.parametrize(
    ("name", "published", "norms"),
    # a batch norm has two numbers a channel, which are part of other layers here
    [
        ("dat", 14.80, 36 * 2 * (180 + 22 + 11)),
        ("dat_s", 11.21, 36 * 2 * (180 + 22 + 11)),
        ("dat_2", 11.21, 36 * 2 * (180 + 22 + 11)),
        ("dat_light", 0.573, 18 * 2 * (60 + 7 + 3)),
    ],
)
def test_published_parameter_counts(name, published, norms):
    assert (parameters(create(name)) + norms) / 1e6 == pytest.approx(published, rel=6e-4)


def test_two_of_four_layers_attend_in_rectangles_and_every_second_of_these_is_shifted():
    assert [shifts((8, 32), 0, i) for i in (0, 2, 4, 6)] == [(0, 0), (4, 16), (0, 0), (4, 16)]
    assert [shifts((8, 32), 1, i) for i in (0, 2, 4, 6)] == [(4, 16), (0, 0), (4, 16), (0, 0)]


@pytest.fixture(scope="module")
def small(random_params):
    network = create("dat", **SMALL, head_features=4)
    return network, {"params": random_params(network)}


@pytest.mark.parametrize("size", [(1, 1), (3, 7)])
def test_any_size_works(small, size):
    network, params = small
    y = jax.jit(network.apply)(params, jnp.full((1, *size, 3), 0.5))
    assert y.shape == (1, 2 * size[0], 2 * size[1], 3)
    assert np.isfinite(y).all()


def test_every_parameter_receives_a_gradient(random_params):
    network = create("dat", **SMALL | {"features": 32}, head_features=4)
    params = {"params": random_params(network)}
    x = jax.random.uniform(jax.random.key(1), (1, 6, 6, 3))
    grads = jax.jit(jax.grad(lambda p: jnp.square(network.apply(p, x)).mean()))(params)
    for path, grad in jax.tree_util.tree_leaves_with_path(grads):
        name = jax.tree_util.keystr(path)
        assert np.isfinite(grad).all(), name
        # a position's bias of one feature may be behind a ReLU that is shut everywhere
        assert np.abs(grad).max() > 0 or "position" in name, name


def test_bfloat16_computes_nearly_the_same(small):
    network, params = small
    x = jax.random.uniform(jax.random.key(1), (1, 8, 8, 3))
    rounded = create("dat", **SMALL, head_features=4, dtype=jnp.bfloat16)
    exact, y = (jax.jit(n.apply)(params, x) for n in (network, rounded))
    assert y.dtype == jnp.float32
    np.testing.assert_allclose(y, exact, atol=0.03 * np.abs(exact).max())
