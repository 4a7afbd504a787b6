"""Segmenting images of any size: on the host in three parts as inside JAX in one."""

import functools

import jax
import numpy as np
import pytest

from jaxsr.networks import create_segmenter
from jaxsr.regions import segment


@pytest.fixture(scope="module", params=[1, 3])
def network(request):
    return create_segmenter(
        "attention_unet", classes=request.param, side=32, features=(8, 8), layers=0
    )


@pytest.fixture(scope="module")
def params(network, random_params):
    return random_params(network, jax.ShapeDtypeStruct((1, 32, 32, 3), np.float32))


def test_the_host_and_the_pure_path_agree(network, params):
    images = np.random.default_rng(0).random((2, 27, 75, 3), np.float32)
    images[0, 10:20] *= 0.3

    def one(image):
        p = segment.classify(network, params, image[None])
        return p[0], segment.saliency(network, params, image[None])[0]

    pure, salient = jax.jit(jax.vmap(one))(images)
    assert pure.shape == (2, 27, 75, network.classes) and np.ptp(pure) > 0.1
    squares = segment.squares(list(images), network.side)
    p = jax.jit(functools.partial(segment.probabilities, network))(params, squares)
    for i, row in enumerate(np.asarray(p)):
        fitted = segment.fitted(row, 27, 75)
        np.testing.assert_allclose(fitted, pure[i], atol=1e-4)
        np.testing.assert_allclose(segment.salient(fitted), salient[i], atol=1e-4)


def test_what_stands_out_is_all_but_the_background():
    np.testing.assert_array_equal(segment.salient(np.float32([[0.25]])), [0.25])
    np.testing.assert_array_equal(segment.salient(np.float32([[0.25, 0.5, 0.25]])), [0.75])


@pytest.mark.parametrize("shape", [(1, 1), (200, 3)])
def test_images_of_any_size_become_squares_and_masks_of_their_size(shape):
    image = np.full((*shape, 3), 0.5, np.float32)
    (square,) = segment.squares([image], 32)
    np.testing.assert_allclose(square, 0.5, atol=1e-6)
    np.testing.assert_allclose(segment.fitted(square, *shape), image, atol=1e-6)
