"""Resizing: the JAX and the host path are one function, and it is a resize."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxsr.image.resize import contributions, imresize, imresize_uint8, modcrop

# Smooth enough that nothing overshoots 0..255, so that only rounding separates the two paths.
rows, cols = np.mgrid[:21, :25]
SMOOTH = np.stack([60 + 5 * rows, 40 + 6 * cols, 200 - 3 * rows - 3 * cols], -1).astype(np.uint8)


@pytest.mark.parametrize(
    "how",
    [
        {"scale": Fraction(1, 3)},
        {"scale": 2},
        {"scale": 0.4, "border": "replicate"},
        {"scale": 0.5, "antialias": False},
        {"shape": (9, 40)},
    ],
    ids=str,
)
def test_floats_and_uint8_agree_to_the_two_roundings(how):
    exact = imresize(SMOOTH.astype(np.float32), **how)
    rounded = imresize_uint8(SMOOTH, **how)
    assert rounded.dtype == np.uint8 and rounded.shape == exact.shape
    assert np.abs(exact - rounded).max() < 1.7  # 0.5 + what the kernel makes of another 0.5


@pytest.mark.parametrize("border", ["symmetric", "replicate"])
@pytest.mark.parametrize("scale", [1 / 4, 0.7, 1, 3])
def test_every_output_position_has_weights_that_sum_to_one(scale, border):
    indices, weights = contributions(10, int(np.ceil(10 * scale)), scale, border)
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-14)
    assert indices.min() >= 0 and indices.max() < 10


def test_borders_mirror_or_repeat():
    mirrored, _ = contributions(4, 4, 1.0, "symmetric", True)
    image = np.arange(3, dtype=np.uint8)[:, None]
    assert mirrored.shape == (4, 1)  # at scale one only the pixel itself counts
    np.testing.assert_array_equal(contributions(3, 6, 2.0)[0][0], [1, 0, 0, 1])
    np.testing.assert_array_equal(contributions(3, 6, 2.0, "replicate")[0][0], [0, 0, 0, 1])
    np.testing.assert_array_equal(imresize_uint8(image, 1), image)


def test_a_plane_stays_a_plane_away_from_the_border():
    ramp = jnp.broadcast_to(jnp.arange(16.0)[:, None, None], (16, 16, 1))
    up = imresize(ramp, 2)[8:-8, 0, 0]
    np.testing.assert_allclose(up, np.arange(8, 24) / 2 - 0.25, atol=1e-5)


def test_batches_of_any_rank_are_resized_image_by_image():
    x = jax.random.uniform(jax.random.key(0), (2, 3, 6, 8, 1))
    y = imresize(x, 0.5)
    assert y.shape == (2, 3, 3, 4, 1)
    np.testing.assert_allclose(y[1, 2], imresize(x[1, 2], 0.5), atol=1e-6)


def test_halves_are_rounded_away_from_zero_after_each_pass():
    image = np.array([[0, 1], [0, 1]], np.uint8)  # each row averages to exactly one half
    np.testing.assert_array_equal(imresize_uint8(image, 0.5), [[1]])


def test_gray_images_may_leave_out_the_channel_and_the_input_is_not_changed():
    before = SMOOTH.copy()
    np.testing.assert_array_equal(
        imresize_uint8(SMOOTH[..., 0], 0.5), imresize_uint8(SMOOTH, 0.5)[..., 0]
    )
    np.testing.assert_array_equal(SMOOTH, before)


def test_it_is_linear_so_its_gradient_is_its_transpose():
    x = jax.random.uniform(jax.random.key(0), (5, 6, 1))
    check_grads(lambda x: imresize(x, 0.5), (x,), order=1, modes=("rev",), rtol=1e-2)


def test_half_precision_images_are_resized_in_float32():
    assert imresize(jnp.ones((4, 4, 1), jnp.bfloat16), 0.5).dtype == jnp.float32


def test_modcrop_keeps_the_top_left():
    assert modcrop(SMOOTH, 4).shape == (20, 24, 3)
    np.testing.assert_array_equal(modcrop(SMOOTH, 4), SMOOTH[:20, :24])


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({}, "either scale or shape"),
        ({"scale": 2, "shape": (4, 4)}, "either scale or shape"),
        ({"scale": 0}, "positive"),
        ({"scale": float("nan")}, "positive"),
        ({"shape": (0, 4)}, "positive"),
        ({"scale": 2, "border": "wrap"}, "symmetric, replicate"),
    ],
    ids=str,
)
def test_impossible_requests_are_refused(how, says):
    with pytest.raises(ValueError, match=says):
        imresize_uint8(SMOOTH, **how)
