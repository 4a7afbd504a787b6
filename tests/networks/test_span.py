"""SPAN: the two forms are one function."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxsr.networks import create
from jaxsr.networks.span import RepConv, fold


def branches_one_by_one(params, x):
    """Conv3XC as the paper's code runs it: pad, 1×1, valid 3×3, 1×1, and the skip."""

    def conv(x, name, padding):
        y = jax.lax.conv_general_dilated(
            x, params[f"{name}_kernel"], (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return y + params[f"{name}_bias"]

    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    y = conv(conv(conv(padded, "expand", "VALID"), "middle", "VALID"), "reduce", "VALID")
    return y + conv(x, "skip", "VALID")


def test_the_training_form_equals_its_branches_up_to_the_border(random_params):
    x = jax.random.normal(jax.random.key(1), (2, 5, 7, 3))
    conv = RepConv(4)
    params = random_params(conv, x)
    got, expected = (
        jax.jit(conv.apply)({"params": params}, x),
        jax.jit(branches_one_by_one)(params, x),
    )
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_folding_does_not_change_the_network(random_params):
    x = jax.random.uniform(jax.random.key(1), (1, 8, 6, 3))
    train, folded = (
        create("span", scale=2, features=8),
        create("span", scale=2, features=8, folded=True),
    )
    params = random_params(train, x)
    expected = jax.jit(train.apply)({"params": params}, x)
    assert expected.shape == (1, 16, 12, 3)
    np.testing.assert_allclose(
        jax.jit(folded.apply)({"params": fold(params)}, x), expected, rtol=1e-4, atol=1e-4
    )


def test_an_untrained_compact_network_nearly_repeats_pixels():
    x = jax.random.uniform(jax.random.key(1), (1, 8, 6, 3))
    network = create("span_compact", scale=2, features=8, blocks=2)
    y, _ = jax.jit(network.init_with_output)(jax.random.key(0), x)
    assert np.abs(y - jnp.repeat(jnp.repeat(x, 2, 1), 2, 2)).mean() < 0.2
