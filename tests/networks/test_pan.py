"""PAN: the published sizes, how far it sees, and bfloat16."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.networks import create
from jaxsr.networks.count import parameters

SMALL = {"features": 6, "head_features": 4, "blocks": 1}


@pytest.mark.parametrize(("scale", "expected"), [(2, 261_403), (3, 261_403), (4, 272_419)])
def test_published_parameter_counts(scale, expected):
    assert parameters(create("pan", scale=scale)) == expected


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_no_pixel_is_seen_beyond_the_receptive_field(scale, random_params):
    network = create("pan", scale=scale, **SMALL)
    n = 2 * network.receptive_field + 3
    centre = n // 2
    x = jax.random.uniform(jax.random.key(1), (1, n, n, 3))
    x = jnp.concatenate([x, x.at[:, centre, centre].add(1.0)])
    y = jax.jit(network.apply)({"params": random_params(network)}, x)
    changed = np.argwhere(np.abs(y[0] - y[1]).max(-1) > 0) // scale
    reach = np.abs(changed - centre).max()
    assert network.receptive_field - 1 <= reach <= network.receptive_field


def test_with_a_silent_last_convolution_the_bilinear_image_remains(random_params):
    network = create("pan", scale=2, **SMALL)
    params = {"params": random_params(network)}
    params["params"]["fuse"]["conv_last"] = jax.tree.map(
        np.zeros_like, params["params"]["fuse"]["conv_last"]
    )
    x = jax.random.uniform(jax.random.key(1), (1, 5, 1, 3))
    expected = jax.image.resize(x, (1, 10, 2, 3), "linear", antialias=False)
    np.testing.assert_allclose(jax.jit(network.apply)(params, x), expected, atol=1e-6)


def test_bfloat16_computes_nearly_the_same_and_returns_float32(random_params):
    x = jax.random.uniform(jax.random.key(1), (1, 6, 7, 3))
    params = {"params": random_params(create("pan", **SMALL))}
    exact, rounded = (
        jax.jit(create("pan", **SMALL, dtype=dtype).apply)(params, x)
        for dtype in (None, jnp.bfloat16)
    )
    assert rounded.dtype == jnp.float32
    np.testing.assert_allclose(rounded, exact, atol=0.02 * np.abs(exact).max())


def test_an_impossible_scale_is_refused(random_params):
    with pytest.raises(ValueError, match="scale 5"):
        random_params(create("pan", scale=5, **SMALL))
