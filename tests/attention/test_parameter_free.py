"""Parameter-free attention against its formulas in plain NumPy."""

import jax
import numpy as np
import pytest

from jaxsr.attention.parameter_free import ParameterFreeAttention


@pytest.mark.parametrize("residual", [False, True])
def test_attention_is_its_formula(residual):
    rng = np.random.default_rng(0)
    features, identity = rng.normal(scale=3, size=(2, 1, 4, 5, 6))
    gate = 1 / (1 + np.exp(-features))
    if residual:
        expected = identity + features * np.abs(2 * gate - 1)
    else:
        expected = (identity + features) * (gate - 0.5)
    f, x = (jax.numpy.asarray(a, jax.numpy.float32) for a in (features, identity))
    got = ParameterFreeAttention(residual).apply({}, f, x)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
