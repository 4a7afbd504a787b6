"""RCAN: the published size, any image, and attention that looks at all of it."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxsr.networks import create
from jaxsr.networks.count import parameters

SMALL = {"features": 8, "groups": 1, "blocks": 1, "reduction": 4}


def test_published_parameter_count():
    # the authors' code: 24 more, its two fixed layers that centre the image
    assert parameters(create("rcan", scale=4)) == 15_592_379 - 24


def test_a_change_in_one_corner_reaches_the_other_through_the_channels():
    network = create("rcan", scale=3, **SMALL)
    assert network.receptive_field is None
    x = jax.random.uniform(jax.random.key(1), (1, 16, 17, 3))
    x = jnp.concatenate([x, x.at[:, 0, 0].add(1.0)])
    rng = np.random.default_rng(0)
    params = jax.tree.map(
        lambda a: rng.normal(0, 0.3, a.shape).astype(np.float32),
        jax.eval_shape(network.init, jax.random.key(0), x),
    )
    y = jax.jit(network.apply)(params, x)
    assert y.shape == (2, 48, 51, 3)
    assert np.abs(y[0, -1, -1] - y[1, -1, -1]).max() > 0
