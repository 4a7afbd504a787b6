"""Pixel attention against the formula in NumPy, float64."""

import jax
import numpy as np

from jaxsr.attention.pixel import PixelAttention


def test_every_value_is_weighed_by_the_channels_at_its_place():
    x = np.random.default_rng(0).standard_normal((1, 3, 4, 5)).astype(np.float32)
    module = PixelAttention()
    params = jax.tree.map(lambda a: a + 0.1, jax.jit(module.init)(jax.random.key(0), x))
    kernel, bias = (np.float64(params["params"]["conv"][k]) for k in ("kernel", "bias"))
    expected = np.empty(x.shape)
    for place in np.ndindex(x.shape[:3]):
        logits = [sum(x[place][i] * kernel[0, 0, i, o] for i in range(5)) for o in range(5)]
        expected[place] = x[place] / (1 + np.exp(-(np.array(logits) + bias)))
    np.testing.assert_allclose(jax.jit(module.apply)(params, x), expected, atol=1e-5)
