"""The codec of the released weights: before any training it is a block transform."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.data

from jaxsr.image.metrics import blockiness, psnr
from jaxsr.networks import create_compressor
from jaxsr.networks.layers import pixel_shuffle, pixel_unshuffle
from jaxsr.networks.patch_hyperprior import Basis, PatchAnalysis, PatchSynthesis

QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


def test_patches_undo_the_pixel_shuffle():
    x = jnp.arange(2 * 4 * 6 * 3.0).reshape(2, 4, 6, 3)
    np.testing.assert_array_equal(pixel_shuffle(pixel_unshuffle(x, 2), 2), x)
    assert pixel_unshuffle(x, 2).shape == (2, 2, 3, 12)


def test_both_steps_of_the_basis_are_orthonormal_and_coarse_waves_are_kept():
    first, second, *_ = Basis(128, 448).steps
    np.testing.assert_allclose(first @ first.T, np.eye(128), atol=1e-12)
    np.testing.assert_allclose(second @ second.T, np.eye(448), atol=1e-12)
    # the first latent is the mean of 16×16 pixels: of the first feature, all four neighbours
    np.testing.assert_allclose(np.abs(second[0, :4]), 0.5)
    np.testing.assert_allclose(np.abs(first[0]), 1 / np.sqrt(192))


@pytest.fixture(scope="module")
def untrained():
    """The full transforms with narrow blocks, which do nothing yet: part → its jitted function."""
    narrow = {"width": 8, "attention": 8, "analysis_blocks": 1, "synthesis_blocks": 1}
    network = create_compressor("patch_hyperprior", **narrow)
    inputs = {
        "analysis": [jnp.zeros((1, 128, 128, 3))],
        "synthesis": [jnp.zeros((1, 8, 8, 448)), jnp.zeros((1, 8, 8, 1))],
        "rates": [jnp.zeros(1)],
    }
    parts = {}
    for name, args in inputs.items():
        module = getattr(network, name)
        method = "log_gain" if name == "rates" else None
        init = functools.partial(module.init, method=method)
        params = jax.jit(init, compiler_options=QUICK)(jax.random.key(0), *args)
        parts[name] = jax.jit(functools.partial(module.apply, params, method=method))
    return parts


def test_it_begins_as_a_transform_whose_quality_rises_with_the_rate(untrained):
    y, x = np.mgrid[:128, :128] / 128
    waves = [np.sin(3 * x + 2 * y), np.cos(5 * x * y), np.sin(4 * y - x)]
    image = jnp.float32(0.5 + 0.3 * np.stack(waves, axis=-1))
    gain = jnp.exp(untrained["rates"](jnp.linspace(0, 1, 5)))[:, None, None]
    symbols = jnp.round(untrained["analysis"](image[None]) * gain)
    outputs = untrained["synthesis"](symbols / gain, jnp.zeros((5, 8, 8, 1)))
    quality = [float(psnr(output, image)) for output in outputs]
    assert (np.diff(quality) > 0).all()
    assert quality[0] > 25 and quality[-1] > 40
    coded = (symbols != 0).mean((1, 2, 3))
    assert (np.diff(coded) > 0).all() and coded[0] < 0.05


def test_the_level_is_of_no_effect_at_first(untrained):
    y = jnp.float32(np.random.default_rng(0).normal(size=(5, 8, 8, 448)))
    without, with_level = (untrained["synthesis"](y, jnp.full((5, 8, 8, 1), n)) for n in (0.0, 1.0))
    np.testing.assert_array_equal(without, with_level)


@pytest.mark.parametrize("overlaps", [False, True])
def test_of_few_lapped_functions_no_borders_are_seen(overlaps):
    basis = Basis(features=64, latents=256)
    options = {"blocks": 0, "width": 8, "attention": 8, "layers": 0, "overlaps": overlaps}
    analysis, synthesis = PatchAnalysis(basis, **options), PatchSynthesis(basis, **options)
    x = jnp.float32(skimage.data.astronaut()[None, :256, :256] / 255)

    @functools.partial(jax.jit, compiler_options=QUICK)
    def approximated(x):
        key = jax.random.key(0)
        y = analysis.init_with_output(key, x)[0]
        level = jnp.zeros((*y.shape[:3], 1))
        few = y * (np.arange(basis.latents) < 12)  # those that are large in photographs
        return [synthesis.init_with_output(key, z, level)[0][0] for z in (y, few)]

    whole, coarse = approximated(x)
    assert psnr(whole, x[0]) > 30
    seen = [float(blockiness(coarse, period)) for period in (8, 16)]
    if overlaps:
        assert max(seen) < 1.02
    else:
        assert min(seen) > 1.3
