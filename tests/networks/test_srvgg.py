"""SRVGGNetCompact: the published sizes, its activations, and results at another scale."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.networks import create
from jaxsr.networks.count import parameters
from jaxsr.networks.layers import ChannelPrelu, resize_cubic

TINY = {"features": 4, "convolutions": 2}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 621_424),  # realesr-animevideov3
        ({"convolutions": 32}, 1_213_296),  # realesr-general-x4v3
        ({"scale": 2, "shuffle": 4}, 621_424),
        ({"activation": "relu"}, 621_424 - 17 * 64),
    ],
    ids=str,
)
def test_published_parameter_counts(options, expected):
    assert parameters(create("srvgg_compact", **options)) == expected


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "size"), [(2, (5, 3)), (3, (1, 1))])
def test_a_network_of_scale_4_serves_others_by_resizing(scale, size, random_params):
    four = create("srvgg_compact", scale=4, **TINY)
    other = create("srvgg_compact", scale=scale, shuffle=4, **TINY)
    params = {"params": random_params(four)}
    x = jax.random.uniform(jax.random.key(1), (1, *size, 3))
    y = jax.jit(other.apply)(params, x)
    assert y.shape == (1, scale * size[0], scale * size[1], 3)
    large = jax.jit(four.apply)(params, x)
    up, down = (1, 2) if scale == 2 else (3, 4)
    np.testing.assert_allclose(y, resize_cubic(large, up, down), atol=1e-5)


def test_cubic_resizing_keeps_planes_and_halves_by_keys_weights():
    ramp = np.broadcast_to(np.arange(16, dtype=np.float32)[:, None, None], (16, 8, 1))
    half = resize_cubic(jnp.asarray(ramp), 1, 2)
    np.testing.assert_allclose(
        half[1:-1, :, 0], np.full((6, 4), 1) * np.arange(2.5, 14, 2)[:, None]
    )
    pulse = resize_cubic(jnp.zeros((8, 8, 1)).at[4].set(1.0), 1, 2)
    np.testing.assert_allclose(pulse[:, 0, 0], [0, -0.09375, 0.59375, 0])
    with pytest.raises(ValueError, match="no multiples of 4"):
        resize_cubic(jnp.zeros((8, 6, 1)), 3, 4)


def test_each_channel_has_its_slope():
    x = jnp.asarray([[-2.0, -2.0, 3.0]])
    y = ChannelPrelu().apply({"params": {"slope": jnp.asarray([0.5, 0.1, 7.0])}}, x)
    np.testing.assert_allclose(y, [[-1.0, -0.2, 3.0]])


def test_an_unknown_activation_is_told_what_there_is():
    with pytest.raises(ValueError, match="'gelu'; there are: prelu, relu, leaky_relu"):
        create("srvgg_compact", activation="gelu")


@pytest.mark.parametrize(("scale", "shuffle"), [(4, None), (3, 4), (2, 4)])
def test_no_pixel_is_seen_beyond_the_receptive_field(scale, shuffle, random_params):
    network = create("srvgg_compact", scale=scale, shuffle=shuffle, **TINY)
    field = network.receptive_field
    assert field == (4 if shuffle is None else 5)
    n = 2 * (field + 1)
    x = jax.random.uniform(jax.random.key(1), (1, n, n, 3))
    x = jnp.concatenate([x, x.at[:, n // 2, n // 2].add(100.0)])
    y = jax.jit(network.apply)({"params": random_params(network, x, gain=3.0)}, x)
    changed = np.argwhere(np.abs(y[0] - y[1]).max(-1) > 0) // scale
    assert np.abs(changed - n // 2).max() == field


@pytest.mark.slow
def test_an_untrained_network_nearly_repeats_pixels():
    x = jax.random.uniform(jax.random.key(1), (1, 8, 6, 3))
    network = create("srvgg_compact", scale=2, **TINY)
    y, _ = jax.jit(network.init_with_output)(jax.random.key(0), x)
    assert np.abs(y - jnp.repeat(jnp.repeat(x, 2, 1), 2, 2)).mean() < 0.2
