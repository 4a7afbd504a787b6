"""Likelihoods that sum to one, rounding that gradients pass, and tables between their rows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from jaxsr.entropy.tables import SCALES
from jaxsr.networks.density import (
    FactorizedDensity,
    between_anchors,
    bounded,
    gaussian_bits,
    noisy,
    rounded,
    scale_of,
)


def test_scales_run_from_the_least_to_the_largest_by_equal_factors():
    scales = np.asarray(scale_of(jnp.arange(64, dtype=jnp.float32)))
    np.testing.assert_allclose(scales, SCALES, rtol=1e-5)
    np.testing.assert_allclose(scales[[0, -1]], [0.11, 256], rtol=1e-5)
    np.testing.assert_allclose(scales[1:] / scales[:-1], (256 / 0.11) ** (1 / 63), rtol=1e-4)


@pytest.mark.parametrize("scale", [0.11, 0.5, 3.0, 256.0])
def test_gaussian_bits_are_those_of_the_normal_distribution(scale):
    x = np.arange(-1500, 1501, dtype=np.float32)
    bits = np.asarray(gaussian_bits(jnp.asarray(x), jnp.full_like(x, scale)))
    tail = np.abs(x)  # where the cumulative has its digits
    mass = norm.cdf((0.5 - tail) / scale) - norm.cdf((-0.5 - tail) / scale)
    np.testing.assert_allclose(2.0**-bits, np.maximum(mass, 1e-9), rtol=2e-3, atol=1e-8)
    assert np.sum(2.0 ** -bits[bits < 29]) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("anchors", [1, 4])
def test_the_factorized_density_rises_and_its_masses_sum_to_one(random_params, anchors):
    z = jnp.broadcast_to(jnp.arange(-300.0, 301)[:, None], (3, 1, 601, 5))
    rate = jnp.array([0.0, 0.4, 1.0])
    density = FactorizedDensity(5, anchors)
    params = random_params(density, z, rate)
    bits = jax.jit(density.apply)({"params": params}, z, rate)
    np.testing.assert_allclose(np.sum(2.0 ** -np.asarray(bits), 2), 1, atol=1e-3)
    logits = density.apply({"params": params}, z, rate, method="logits")
    assert (np.diff(np.asarray(logits), axis=2) > 0).all()
    same = np.allclose(bits[0], bits[2])
    assert same == (anchors == 1)  # only anchors know of the rate


def test_at_first_about_half_the_mass_lies_within_the_spread():
    density = FactorizedDensity(4)
    z, rate = jnp.broadcast_to(jnp.arange(-99.0, 100)[:, None], (1, 1, 199, 4)), jnp.zeros(1)
    params = density.init(jax.random.key(0), z, rate)
    mass = 2.0 ** -np.asarray(density.apply(params, z, rate))
    within = mass[:, :, 89:110].sum(2)  # ±10
    assert within.min() > 0.4 and within.max() < 0.55


def test_anchors_are_met_exactly_and_linear_between():
    table = jnp.array([[0.0, 5.0], [1.0, 3.0], [4.0, 4.0]])
    rates = jnp.array([0.0, 0.25, 0.5, 0.75, 1.0, -1.0, 2.0])
    expected = [[0, 5], [0.5, 4], [1, 3], [2.5, 3.5], [4, 4], [0, 5], [4, 4]]
    np.testing.assert_allclose(between_anchors(table, rates), expected)
    np.testing.assert_allclose(between_anchors(table[:1], rates), [[0, 5]] * 7)


def test_rounding_passes_gradients_and_bounds_pass_those_that_lead_back():
    x = jnp.array([-2.0, -0.4, 0.6, 3.0])
    np.testing.assert_array_equal(rounded(x), [-2, 0, 1, 3])
    np.testing.assert_array_equal(jax.grad(lambda x: rounded(x).sum())(x), 1)
    np.testing.assert_array_equal(bounded(x, -1.0, 1.0), jnp.clip(x, -1, 1))
    # a descent step lowers x where the gradient is positive
    np.testing.assert_array_equal(jax.grad(lambda x: bounded(x, -1.0, 1.0).sum())(x), [0, 1, 1, 1])
    np.testing.assert_array_equal(
        jax.grad(lambda x: -bounded(x, -1.0, 1.0).sum())(x), [-1, -1, -1, 0]
    )


def test_noise_is_uniform_in_half_a_step_around():
    noise = np.asarray(noisy(jnp.full(10_000, 3.0), jax.random.key(0))) - 3
    assert -0.5 <= noise.min() < -0.49 and 0.49 < noise.max() <= 0.5
    assert noise.var() == pytest.approx(1 / 12, rel=0.05)
