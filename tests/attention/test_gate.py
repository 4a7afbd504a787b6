"""Gates against their formulas in NumPy, float64."""

import jax
import numpy as np

from jaxsr.attention import AttentionGate, gate


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_the_shape_of_the_logits_says_what_is_weighed():
    x = jax.random.normal(jax.random.key(0), (2, 3, 4, 5))
    for shape in ((2, 1, 1, 5), (2, 3, 4, 1), (2, 3, 4, 5)):
        logits = jax.random.normal(jax.random.key(1), shape)
        np.testing.assert_allclose(gate(x, logits), x * sigmoid(np.float64(logits)), atol=1e-6)


def test_an_attention_gate_weighs_places_of_the_skip_by_it_and_its_context():
    rng = np.random.default_rng(0)
    skip, context = (rng.standard_normal((1, 3, 4, c)).astype(np.float32) for c in (6, 5))
    module = AttentionGate()
    params = jax.jit(module.init)(jax.random.key(0), skip, context)
    params = jax.tree.map(lambda a: a + 0.1, params)  # biases start at zero

    def layer(name, x):
        weights = params["params"][name]
        return x @ np.float64(weights["kernel"][0, 0]) + np.float64(weights["bias"])

    inner = np.maximum(layer("skip", skip) + layer("context", context), 0)
    expected = skip * sigmoid(layer("logits", inner))
    got = jax.jit(module.apply)(params, skip, context)
    np.testing.assert_allclose(got, expected, atol=1e-5)
