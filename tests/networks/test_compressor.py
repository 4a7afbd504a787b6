"""The frame of all codecs: rates, regions, σ indexes, the two passes of the means, gradients."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.entropy.tables import STEP
from jaxsr.networks import COMPRESSORS, create_compressor
from jaxsr.networks.compressor import (
    ANCHORS,
    LAMBDA_MAX,
    LAMBDA_MIN,
    RateControl,
    checkerboard,
    lambda_of,
    rate_of,
)

HYPER = {"features": 6, "hidden": 2}
TINY = {
    "patch_hyperprior": {
        **{"features": 12, "latents": 16, "hyper": 4, "width": 4, "attention": 4, "context": 4},
        **{"analysis_blocks": 1, "synthesis_blocks": 1},
    },
    "bmshj2018_factorized": {"features": 6, "latents": 8},
    "bmshj2018_hyperprior": {**HYPER, "latents": 8},
    "mbt2018_mean": {**HYPER, "latents": 8},
    "cheng2020_attention": HYPER,
}
# compiles in half the time, for what runs once
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
# together these rates lie beside all anchors
RATES = np.array([0.05, 0.3, 0.5, 0.7, 0.95], np.float32)


def inputs(count=5, side=128):
    rng = np.random.default_rng(1)
    image = rng.uniform(size=(count, side, side, 3)).astype(np.float32)
    region = rng.integers(-8, 9, (count, side // 16, side // 16)).astype(np.float32)
    return *map(jnp.asarray, (image, RATES[:count], region)), jax.random.key(3)


def test_lambda_runs_from_the_least_to_the_largest_and_back():
    np.testing.assert_allclose(
        lambda_of(jnp.array([0.0, 0.5, 1.0])),
        [LAMBDA_MIN, (LAMBDA_MIN * LAMBDA_MAX) ** 0.5, LAMBDA_MAX],
        rtol=1e-5,
    )
    assert lambda_of(rate_of(0.013)) == pytest.approx(0.013)
    with pytest.raises(ValueError, match=r"λ is 3\.0; rates are made for"):
        rate_of(3.0)


def test_positions_decoded_first_are_a_checkerboard():
    np.testing.assert_array_equal(checkerboard(2, 3), [[1, 0, 1], [0, 1, 0]])


def test_gains_are_interpolated_as_logarithms_and_begin_as_asked():
    def log_step(rate):
        return np.array([-2 * rate, 1 - rate], np.float32)

    rates = RateControl(log_step, np.zeros(2, np.float32))
    params = rates.init(jax.random.key(0), jnp.zeros(1), method="log_gain")
    middle = 2.5 / (ANCHORS - 1)
    found = rates.apply(params, jnp.array([0.0, middle, 1.0]), method="log_gain")
    np.testing.assert_allclose(found, [[0, -1], [2 * middle, middle - 1], [2, 0]], atol=1e-6)
    # σ of a latent of spread 1 is its gain
    offset = rates.apply(params, jnp.array([middle]), method="offset")
    np.testing.assert_allclose(0.11 * np.exp(STEP * offset), np.exp(found[1:2]), rtol=1e-5)


@pytest.fixture(scope="module")
def cheng(random_params):
    network = create_compressor("cheng2020_attention", **TINY["cheng2020_attention"])
    params = random_params(network, *inputs(1, 64))
    return network, jax.tree.map(jnp.asarray, params)


def test_an_index_is_whole_and_a_region_moves_it_by_its_steps(cheng):
    network, params = cheng
    z = jnp.float32(np.random.default_rng(0).integers(-9, 10, (1, 2, 3, 6)))
    rate, region = jnp.array([0.4]), jnp.zeros((1, 8, 12))

    @jax.jit
    def index(region):
        return network.apply({"params": params}, z, rate, region, method="index")

    plain, moved = index(region), index(region + 3)
    assert plain.min() >= 0 and plain.max() <= 63
    np.testing.assert_array_equal(plain, np.round(plain))
    free = (plain > 0) & (plain < 60)
    assert free.any()
    np.testing.assert_array_equal(moved[free], plain[free] + 3)


def test_a_region_is_a_gain_of_as_many_steps(cheng):
    network, params = cheng
    rate, region = jnp.array([0.4]), jnp.zeros((1, 2, 2)).at[0, 1, 0].set(-5.0)
    gain = network.apply({"params": params}, rate, region, method="log_gain")
    np.testing.assert_allclose(gain[0, 1, 0] - gain[0, 0, 0], -5 * STEP, rtol=1e-5)
    np.testing.assert_array_equal(gain[0, 1, 1], gain[0, 0, 0])


def test_a_mean_depends_on_the_decoded_anchors_around_it_and_on_nothing_else(cheng):
    """So the decoder, who has all residuals and nothing else, finds the encoder's means."""
    network, params = cheng
    rng = np.random.default_rng(0)
    z = jnp.float32(rng.integers(-9, 10, (1, 2, 2, 6)))
    log_gain = jnp.full((1, 8, 8, 6), 0.3)
    y = jnp.float32(rng.normal(0, 4, (1, 8, 8, 6)))

    @jax.jit
    def encoder(y):
        mean = network.apply(
            {"params": params}, z, log_gain, lambda mean: jnp.round(y - mean), method="mean"
        )
        return mean, jnp.round(y - mean)

    @jax.jit
    def decoder(residual):
        return network.apply({"params": params}, z, log_gain, lambda _: residual, method="mean")

    mean, residual = encoder(y)
    np.testing.assert_array_equal(decoder(residual), mean)

    def changed(row, column):
        other = residual.at[0, row, column].add(7)
        return np.argwhere((decoder(other) != mean).any(-1)[0])

    assert not len(changed(3, 4))  # decoded last: nobody's context
    around = changed(3, 3)
    assert len(around) == 12  # of the 5×5, those of the other colour
    assert (around.sum(1) % 2 == 1).all() and np.abs(around - 3).max() == 2


@pytest.mark.parametrize("name", COMPRESSORS)
def test_every_parameter_receives_a_gradient(random_params, name):
    network = create_compressor(name, **TINY[name])
    args = inputs(side=128 if name == "patch_hyperprior" else 64)
    params = random_params(network, *args)

    @functools.partial(jax.jit, compiler_options=QUICK)
    def gradient(params):
        def loss(params):
            coded = network.apply({"params": params}, *args)
            assert coded.output.shape == args[0].shape
            return jnp.square(coded.output).sum() + coded.latent_bits.sum() + coded.hyper_bits.sum()

        return jax.grad(loss)(params)

    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient(params)):
        assert np.isfinite(leaf).all() and np.abs(leaf).max() > 0, jax.tree_util.keystr(path)


def test_a_codec_or_option_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match="unknown network 'jpeg'; there are: bmshj2018_fact"):
        create_compressor("jpeg")
    with pytest.raises(ValueError, match=r"network 'mbt2018_mean': .*'channels'"):
        create_compressor("mbt2018_mean", channels=3)
