"""The layers every network shares, against their definitions."""

import functools

import jax
import numpy as np
import pytest
from skimage.transform import resize

from jaxsr.networks.layers import (
    padded_on_cpu,
    pixel_shuffle,
    upsample_bilinear,
    upsample_nearest,
)


@pytest.mark.parametrize("scale", [2, 3])
def test_pixel_shuffle_puts_channel_groups_where_torch_does(scale):
    x = np.arange(2 * 3 * 5 * 2 * scale**2, dtype=np.float32).reshape(2, 3, 5, 2 * scale**2)
    y = np.asarray(pixel_shuffle(jax.numpy.asarray(x), scale))
    for (b, i, j, c), value in np.ndenumerate(y):
        channel = c * scale**2 + (i % scale) * scale + j % scale
        assert value == x[b, i // scale, j // scale, channel]


def test_pixel_shuffle_names_a_wrong_channel_count():
    with pytest.raises(ValueError, match="multiple of 9"):
        pixel_shuffle(jax.numpy.zeros((1, 2, 2, 10)), 3)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_upsampling_equals_scikit_image(scale):
    x = np.random.default_rng(0).random((1, 4, 6, 3), np.float32)
    shape = (4 * scale, 6 * scale, 3)
    for ours, order in [(upsample_nearest, 0), (upsample_bilinear, 1)]:
        expected = resize(x[0], shape, order=order, mode="edge", anti_aliasing=False)
        np.testing.assert_allclose(ours(jax.numpy.asarray(x), scale)[0], expected, atol=1e-6)


@pytest.mark.parametrize("features", [52, 64, 180])
def test_channels_padded_for_the_cpu_change_no_number(features):
    x = jax.random.normal(jax.random.key(0), (1, 6, 7, 5))
    kernel = jax.random.normal(jax.random.key(1), (3, 3, 5, features))

    def loss(conv, x, kernel):
        y = conv(x, kernel, (1, 1), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return (y**2).sum(), y

    ours, plain = (
        jax.jit(jax.value_and_grad(functools.partial(loss, conv), (0, 1), has_aux=True))(x, kernel)
        for conv in (padded_on_cpu, jax.lax.conv_general_dilated)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), ours, plain)
