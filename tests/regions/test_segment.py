"""Segmenting images of any size: on the host in three parts as inside JAX in one."""

import functools

import jax
import numpy as np
import pytest

from jaxsr.networks import create_segmenter
from jaxsr.regions import segment


@pytest.fixture(scope="module", params=[1, 3])
def network(request):
    return create_segmenter("attention_unet", classes=request.param, side=64, features=(8, 8, 8, 8))


@pytest.fixture(scope="module")
def params(network, random_params):
    return random_params(network, jax.ShapeDtypeStruct((1, 64, 64, 3), np.float32), gain=2.0)


@pytest.mark.parametrize("shape", [(97, 131), (40, 200)])
def test_the_host_and_the_pure_path_agree(network, params, shape):
    images = np.random.default_rng(0).random((2, *shape, 3), np.float32)
    images[:, 10:30] *= 0.3
    pure = jax.jit(functools.partial(segment.classify, network))(params, images)
    squares = segment.squares(list(images), network.side)
    p = np.asarray(segment.probabilities(network, params, squares))
    assert pure.shape == (2, *shape, network.classes)
    for row, expected in zip(p, pure, strict=True):
        np.testing.assert_allclose(segment.fitted(row, *shape), expected, atol=1e-4)
    assert np.ptp(pure) > 0.1


def test_what_stands_out_is_not_background(network, params):
    images = np.random.default_rng(0).random((1, 1, 5, 3), np.float32)
    p = segment.classify(network, params, images)
    mask = segment.saliency(network, params, images)
    assert mask.shape == (1, 1, 5)
    expected = p[..., 0] if network.classes == 1 else p[..., 1:].sum(-1)
    np.testing.assert_allclose(mask, expected, atol=1e-6)
    np.testing.assert_array_equal(mask, segment.salient(p))


def test_segmenting_vmaps(network, params):
    images = np.random.default_rng(0).random((2, 50, 64, 3), np.float32)
    run = functools.partial(segment.saliency, network, params)
    mapped = jax.jit(jax.vmap(lambda x: run(x[None])[0]))(images)
    np.testing.assert_allclose(mapped, jax.jit(run)(images), atol=1e-5)
