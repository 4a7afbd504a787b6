"""EDSR: the published sizes, its definition, and how far it sees."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.networks import create
from jaxsr.networks.count import parameters
from jaxsr.networks.edsr import EDSRBody


@pytest.mark.parametrize(
    ("name", "scale", "expected"),
    [
        # the authors' code: 24 more, its two fixed layers that centre the image
        ("edsr_baseline", 2, 1_369_859),
        ("edsr_baseline", 3, 1_554_499),
        ("edsr_baseline", 4, 1_517_571),
        ("edsr", 2, 40_729_603),
        ("edsr", 4, 43_089_923),
    ],
)
def test_published_parameter_counts(name, scale, expected):
    assert parameters(create(name, scale=scale)) == expected


def test_a_residual_of_zero_scale_leaves_only_the_outer_skip(random_params):
    x = jax.random.normal(jax.random.key(0), (1, 4, 5, 3))
    one, two = EDSRBody(3, 1, 0.0), EDSRBody(3, 2, 0.0)
    params = {"params": random_params(two, x)}
    fewer = {"params": {k: v for k, v in params["params"].items() if k != "block_1"}}
    np.testing.assert_array_equal(jax.jit(one.apply)(fewer, x), jax.jit(two.apply)(params, x))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_no_pixel_is_seen_beyond_the_receptive_field(scale, random_params):
    network = create("edsr_baseline", scale=scale, features=4, blocks=1)
    assert network.receptive_field == 6
    n = 2 * network.receptive_field + 3
    centre = n // 2
    x = jax.random.uniform(jax.random.key(1), (1, n, n, 3))
    x = jnp.concatenate([x, x.at[:, centre, centre].add(1.0)])
    y = jax.jit(network.apply)({"params": random_params(network, x)}, x)
    changed = np.argwhere(np.abs(y[0] - y[1]).max(-1) > 0) // scale
    reach = np.abs(changed - centre).max()
    assert 4 < reach <= network.receptive_field
