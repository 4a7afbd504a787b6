"""RRDB: the published sizes, pixel unshuffle, ESRGAN+'s skips, and how far it sees."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.networks import create
from jaxsr.networks.count import parameters
from jaxsr.networks.rrdb import DenseBlock

TINY = {"features": 4, "growth": 2, "blocks": 1}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 16_697_987),
        ({"scale": 2, "unshuffle": 2}, 16_703_171),  # RealESRGAN_x2plus
        ({"blocks": 6}, 4_467_779),  # RealESRGAN_x4plus_anime_6B
        ({"plus": True}, 16_697_987 + 23 * 3 * 64 * 32),
    ],
    ids=str,
)
def test_published_parameter_counts(options, expected):
    assert parameters(create("rrdb", **options)) == expected


@pytest.mark.parametrize(("scale", "unshuffle", "size"), [(2, 2, (5, 3)), (1, 4, (1, 9))])
def test_any_size_works_where_squares_of_pixels_are_channels(scale, unshuffle, size, random_params):
    network = create("rrdb", scale=scale, unshuffle=unshuffle, **TINY)
    params = {"params": random_params(network)}
    y = jax.jit(network.apply)(params, jnp.full((1, *size, 3), 0.5))
    assert y.shape == (1, scale * size[0], scale * size[1], 3)
    assert np.isfinite(y).all()


def test_the_plus_is_two_skips_within_a_dense_block(random_params):
    x = jax.random.normal(jax.random.key(0), (1, 4, 5, 3))
    block = DenseBlock(2, plus=True)
    params = random_params(block, x)
    without = DenseBlock(2).apply({"params": {k: v for k, v in params.items() if k != "skip"}}, x)
    params["skip"]["kernel"] *= 0
    # its second skip alone remains: f₂ is added to f₄, of which the last convolution sees more
    extra = params["conv_4"]["kernel"][:, :, 9:]
    second = jax.nn.leaky_relu(
        conv(
            jnp.concatenate([x, first := jax.nn.leaky_relu(conv(x, params["conv_0"]), 0.2)], -1),
            params["conv_1"],
        ),
        0.2,
    )
    assert first.shape == second.shape == (1, 4, 5, 2)
    expected = without + 0.2 * conv(second, {"kernel": extra, "bias": jnp.zeros(3)})
    np.testing.assert_allclose(block.apply({"params": params}, x), expected, atol=1e-5)


def conv(x, params):
    y = jax.lax.conv_general_dilated(
        x, params["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return y + params["bias"]


def test_every_parameter_receives_a_gradient(random_params):
    network = create("rrdb", scale=2, plus=True, **TINY)
    params = {"params": random_params(network)}
    x = jax.random.uniform(jax.random.key(1), (1, 6, 7, 3))
    grads = jax.jit(jax.grad(lambda p: jnp.square(network.apply(p, x)).mean()))(params)
    for path, grad in jax.tree_util.tree_leaves_with_path(grads):
        assert np.isfinite(grad).all() and np.abs(grad).max() > 0, jax.tree_util.keystr(path)


@pytest.mark.parametrize(
    ("scale", "unshuffle", "least"), [(4, 1, 18), (8, 1, 18), (3, 1, 17), (1, 1, 18), (2, 2, 34)]
)
def test_no_pixel_is_seen_beyond_the_receptive_field(scale, unshuffle, least, random_params):
    network = create("rrdb", scale=scale, unshuffle=unshuffle, **TINY)
    field = network.receptive_field
    assert field == 19 * unshuffle
    n = 2 * (field + unshuffle)
    x = jax.random.uniform(jax.random.key(1), (1, n, n, 3))
    x = jnp.concatenate([x, x.at[:, n // 2, n // 2].add(100.0)])
    y = jax.jit(network.apply)({"params": random_params(network, x, gain=3.0)}, x)
    changed = np.argwhere(np.abs(y[0] - y[1]).max(-1) > 0) // scale
    assert least <= np.abs(changed - n // 2).max() <= field


def test_a_scale_without_stages_is_refused():
    with pytest.raises(ValueError, match="scale 16"):
        jax.eval_shape(
            create("rrdb", scale=4, unshuffle=4, **TINY).init,
            jax.random.key(0),
            jnp.zeros((1, 4, 4, 3)),
        )
