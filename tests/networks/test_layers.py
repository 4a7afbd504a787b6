"""The layers every network shares, against their definitions."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from skimage.transform import resize

from jaxsr.networks.layers import (
    dct,
    lapped,
    overlap,
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


def test_overlaps_are_undone_by_the_transposed_matrix():
    matrix = overlap(16)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(16), atol=1e-12)
    x = jnp.float32(np.random.default_rng(0).random((2, 64, 48, 3)))
    np.testing.assert_allclose(lapped(lapped(x, matrix), matrix.T), x, atol=1e-6)
    np.testing.assert_array_equal(lapped(x, matrix)[:, :8, :8], x[:, :8, :8])
    small = x[:, :16, :16]
    np.testing.assert_array_equal(lapped(small, matrix), small)


def test_a_lapped_transform_gathers_more_of_a_row_than_its_dct_alone():
    # Malvar and Staelin: of a first-order process with correlation 0.95, in blocks of 8, the DCT
    # gains 8.83 dB and the lapped transform 9.2
    covariance = scipy.linalg.toeplitz(0.95 ** np.arange(64))
    blocks = np.kron(np.eye(8), dct(8))
    mixing = np.eye(64)
    for start in range(4, 60, 8):
        mixing[start : start + 8, start : start + 8] = overlap(8)

    def gain(transform):
        variances = np.diag(transform @ covariance @ transform.T)[24:40]
        return -10 * np.log10(variances).mean()

    assert gain(blocks) == pytest.approx(8.83, abs=0.01)
    assert gain(blocks @ mixing) == pytest.approx(9.2, abs=0.06)
