"""RLFN: the published sizes and the smallest image it takes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.networks import create
from jaxsr.networks.count import parameters


@pytest.mark.parametrize(("scale", "expected"), [(2, 526_856), (4, 543_740)])
def test_published_parameter_counts(scale, expected):
    assert parameters(create("rlfn", scale=scale)) == expected


def test_fifteen_pixels_are_enough_and_every_parameter_receives_a_gradient():
    network = create("rlfn", scale=2, features=6, blocks=2, attention_features=4)
    x = jax.random.uniform(jax.random.key(1), (1, 15, 16, 3))
    rng = np.random.default_rng(0)
    params = jax.tree.map(
        lambda a: rng.normal(0, 0.1, a.shape).astype(np.float32),
        jax.eval_shape(network.init, jax.random.key(0), x),
    )
    grads = jax.jit(jax.grad(lambda p: jnp.square(network.apply(p, x)).mean()))(params)
    for path, grad in jax.tree_util.tree_leaves_with_path(grads):
        assert np.isfinite(grad).all() and np.abs(grad).max() > 0, jax.tree_util.keystr(path)


def test_a_smaller_image_is_refused_with_the_reason():
    network = create("rlfn", features=6, blocks=1)
    with pytest.raises(ValueError, match="at least 15×15 pixels, got 14×20"):
        jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((1, 20, 14, 3)))
