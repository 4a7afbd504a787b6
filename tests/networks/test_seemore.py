"""SeemoRe: sizes, small images, and that each image chooses its own expert."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.networks import create
from jaxsr.networks.count import parameters


@pytest.mark.parametrize(("scale", "expected"), [(2, 220_000), (4, 232_000)])
def test_published_parameter_counts(scale, expected):
    assert parameters(create("seemore", scale=scale)) == pytest.approx(expected, abs=1000)


def test_images_of_a_batch_choose_apart_and_may_be_small(random_params):
    network = create("seemore", scale=2, features=8, blocks=1)
    params = {"params": random_params(network)}
    images = np.random.default_rng(0).random((3, 5, 9, 3), np.float32) * [[[[1]]], [[[0]]], [[[3]]]]
    images = jnp.asarray(images, jnp.float32)
    apply = jax.jit(network.apply)
    together = np.asarray(apply(params, images))
    assert together.shape == (3, 10, 18, 3)
    apart = [np.asarray(apply(params, image[None]))[0] for image in images]
    np.testing.assert_allclose(together, apart, atol=1e-5)
