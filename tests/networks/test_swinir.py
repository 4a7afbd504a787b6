"""SwinIR: the published sizes, any image, and gradients everywhere."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.errors import UserError
from jaxsr.networks import UPSCALERS, create
from jaxsr.networks.count import parameters

LARGE = {"features": 240, "groups": 9, "heads": 8, "residual": "3conv", "head": "nearest"}
SMALL = {"scale": 2, "features": 12, "groups": 1, "depth": 2, "heads": 2, "window": 4}


@pytest.mark.parametrize(
    ("name", "scale", "expected"),
    [
        # the official code's; its paper's 878K and 897K are these less 60·60·9 + 60
        ("swinir_light", 2, 877_692 + 32_460),
        ("swinir_light", 4, 897_168 + 32_460),
        ("swinir", 4, 11_900_199),
    ],
)
def test_published_parameter_counts(name, scale, expected):
    assert parameters(create(name, scale=scale)) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"scale": 1, "head": "image", "channels": 1}, 11_497_681),
        ({"scale": 1, "head": "image", "window": 7, "value_range": 255.0}, 11_492_067),
        ({"head": "nearest"}, 11_715_559),
        (LARGE, 28_013_059),
    ],
)
def test_parameter_counts_of_the_networks_for_real_photographs_and_restoring(options, expected):
    assert parameters(create("swinir", **options)) == expected


@pytest.mark.parametrize("size", [(1, 1), (3, 9)])
def test_any_size_works(size, random_params):
    network = create("swinir_light", **SMALL)
    params = {"params": random_params(network)}
    y = jax.jit(network.apply)(params, jnp.full((1, *size, 3), 0.5))
    assert y.shape == (1, 2 * size[0], 2 * size[1], 3)
    assert np.isfinite(y).all()


def test_every_parameter_of_the_classical_network_receives_a_gradient(random_params):
    network = create("swinir", **SMALL, head_features=4)
    params = {"params": random_params(network)}
    x = jax.random.uniform(jax.random.key(1), (1, 8, 8, 3))
    grads = jax.jit(jax.grad(lambda p: jnp.square(network.apply(p, x)).mean()))(params)
    for path, grad in jax.tree_util.tree_leaves_with_path(grads):
        assert np.isfinite(grad).all() and np.abs(grad).max() > 0, jax.tree_util.keystr(path)


def test_bfloat16_computes_nearly_the_same_and_returns_float32(random_params):
    x = jax.random.uniform(jax.random.key(1), (1, 8, 8, 3))
    params = {"params": random_params(create("swinir_light", **SMALL))}
    exact, rounded = (
        jax.jit(create("swinir_light", **SMALL, dtype=dtype).apply)(params, x)
        for dtype in (None, jnp.bfloat16)
    )
    assert rounded.dtype == jnp.float32
    np.testing.assert_allclose(rounded, exact, atol=0.02 * np.abs(exact).max())


def test_a_scale_without_a_head_is_refused():
    network = UPSCALERS["swinir"](**SMALL | {"scale": 5})
    with pytest.raises(ValueError, match="scale 5"):
        jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((1, 4, 4, 3)))


def test_a_head_that_adds_to_the_image_cannot_enlarge_it():
    with pytest.raises(UserError, match="scale=1"):
        create("swinir", scale=2, head="image")
    with pytest.raises(UserError, match="unknown head 'shuffle'"):
        create("swinir", head="shuffle")


def test_a_network_that_restores_returns_the_image_where_its_head_is_zero(random_params):
    network = create("swinir", **SMALL | {"scale": 1, "head": "image", "channels": 1})
    params = random_params(network, jnp.zeros((1, 4, 4, 1)))
    params["fuse"] = jax.tree.map(jnp.zeros_like, params["fuse"])
    x = jax.random.uniform(jax.random.key(1), (1, 5, 7, 1))
    np.testing.assert_allclose(jax.jit(network.apply)({"params": params}, x), x, atol=1e-6)
