"""Channel attention against the formula in NumPy, float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.attention.channel import ChannelAttention, contrast_descriptor


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("contrast", [False, True])
def test_each_channel_is_weighed_by_the_perceptron_of_its_statistics(contrast):
    x = np.random.default_rng(0).standard_normal((2, 5, 4, 6)).astype(np.float32)
    module = ChannelAttention(reduction=2, contrast=contrast)
    params = jax.jit(module.init)(jax.random.key(0), x)
    params = jax.tree.map(lambda a: a + 0.1, params)  # biases start at zero

    expected = np.empty(x.shape)
    down, up = params["params"]["down"], params["params"]["up"]
    for n, image in enumerate(x.astype(np.float64)):
        statistic = np.array([image[..., c].mean() for c in range(6)])
        if contrast:
            statistic += [image[..., c].std() for c in range(6)]
        inner = np.maximum(statistic @ down["kernel"] + down["bias"], 0)
        expected[n] = image * sigmoid(inner @ up["kernel"] + up["bias"])
    np.testing.assert_allclose(jax.jit(module.apply)(params, x), expected, atol=1e-5)


def test_a_constant_channel_has_no_contrast_and_a_finite_gradient():
    x = jnp.full((1, 3, 3, 1), 2.0)
    value, gradient = jax.value_and_grad(lambda x: contrast_descriptor(x).sum())(x)
    assert value == 2
    np.testing.assert_allclose(gradient, 1 / 9, rtol=1e-6)


def test_too_strong_a_reduction_is_refused():
    with pytest.raises(ValueError, match="at least that many channels, got 8"):
        ChannelAttention(reduction=16).init(jax.random.key(0), jnp.ones((1, 2, 2, 8)))
