"""Segmenting images of any size: on the host as inside JAX."""

import jax
import numpy as np
import pytest

from jaxsr.networks import create_segmenter
from jaxsr.regions import segment
from jaxsr.regions.segmenting import SquareSegmenter


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
    segmenter = SquareSegmenter(network, params)
    for mask, expected in zip(segmenter.masks(list(images)), salient, strict=True):
        np.testing.assert_allclose(mask, expected, atol=1e-4)
    for image, p in zip(images, np.asarray(pure), strict=True):
        labels = p.argmax(-1) if network.classes > 1 else p[..., 0] > 0.5
        agree = np.abs(np.sort(p)[..., -1] - 0.5) > 1e-3
        np.testing.assert_array_equal(segmenter.labels(image)[agree], labels[agree])


def test_what_stands_out_is_all_but_the_background():
    np.testing.assert_array_equal(segment.salient(np.float32([[0.25]])), [0.25])
    np.testing.assert_array_equal(segment.salient(np.float32([[0.25, 0.5, 0.25]])), [0.75])


@pytest.mark.parametrize("shape", [(1, 1), (200, 3)])
def test_images_of_any_size_become_squares_and_masks_of_their_size(network, params, shape):
    image = np.full((*shape, 3), 0.5, np.float32)
    segmenter = SquareSegmenter(network, params)
    (square,) = segmenter._square(image)
    np.testing.assert_allclose(square, 0.5, atol=1e-6)
    mask = segmenter(image)
    assert mask.shape == shape and np.ptp(mask) < 1
