"""Losses against their formulas."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.training import losses


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    return rng.random((2, 6, 5, 3), np.float32), rng.random((2, 6, 5, 3), np.float32)


def test_losses_are_their_formulas(pair):
    a, b = pair
    d = a.astype(np.float64) - b
    spectrum = np.fft.rfft2(d, axes=(1, 2)) / np.sqrt(6 * 5)
    expected = {
        "l1": np.abs(d).mean(),
        "charbonnier": np.sqrt(d**2 + 1e-6).mean(),
        "fft": np.abs(spectrum.real).mean() + np.abs(spectrum.imag).mean(),
    }
    for name, value in expected.items():
        loss = losses.LOSSES[name](jnp.asarray(a), jnp.asarray(b))
        np.testing.assert_allclose(loss, value, rtol=1e-5)
    both = losses.weighted({"l1": 2.0, "fft": 0.5, "charbonnier": 0.0})
    total, parts = both(jnp.asarray(a), jnp.asarray(b))
    np.testing.assert_allclose(total, 2 * expected["l1"] + 0.5 * expected["fft"], rtol=1e-5)
    assert parts.keys() == {"l1", "fft"}
    np.testing.assert_allclose(parts["fft"], expected["fft"], rtol=1e-5)


def test_an_unknown_loss_and_no_loss_are_refused():
    with pytest.raises(ValueError, match="l1, charbonnier, fft"):
        losses.weighted({"l2": 1.0})
    with pytest.raises(ValueError, match=r"config\.loss"):
        losses.weighted({"l1": 0.0})
