"""Metrics: equal to the programs the literature's figures come from."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage.metrics import structural_similarity

from jaxsr.image.metrics import blockiness, ms_ssim, psnr, shave, ssim


def waves(height, width):
    """Two like images: textures of every frequency, and the first brightened and disturbed."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    a = (
        np.stack([np.sin(x * y / 700), np.sin(x / 3 + y / 11), np.cos(y / 2 - x / 17)], -1) / 2
        + 0.5
    )
    b = a**1.2 * 0.9 + 0.05 + 0.05 * np.sin(x * 1.7 + y * 2.3)[..., None]
    return np.clip(a, 0, 1), np.clip(b, 0, 1)


def reference_ssim(a, b, max_value):
    return structural_similarity(
        a.astype(np.float64),
        b.astype(np.float64),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=max_value,
        channel_axis=2 if a.ndim == 3 else None,
    )


def single(*images):
    return [np.float32(image) for image in images]


def test_psnr_is_the_ratio_in_decibels():
    a, b = waves(40, 50)
    expected = 10 * np.log10(1 / np.mean((a - b) ** 2))
    np.testing.assert_allclose(psnr(*single(a, b)), expected, rtol=1e-6)
    np.testing.assert_allclose(psnr(*single(a * 255, b * 255), 255), expected, rtol=1e-6)


def test_identical_images_have_infinite_psnr_and_ssim_one():
    (a,) = single(waves(12, 14)[0])
    assert psnr(a, a) == np.inf
    assert ssim(a, a) == 1


@pytest.mark.parametrize("max_value", [1.0, 255.0])
def test_ssim_equals_scikit_image(max_value):
    a, b = (image * max_value for image in waves(40, 50))
    score = ssim(*single(a, b), max_value)
    np.testing.assert_allclose(score, reference_ssim(a, b, max_value), atol=1e-6)
    gray = ssim(*single(a[..., 0], b[..., 0]), max_value)
    np.testing.assert_allclose(gray, reference_ssim(a[..., 0], b[..., 0], max_value), atol=1e-6)


def test_ssim_keeps_its_digits_on_bright_flat_images():
    """Where E[x²] − E[x]² in float32 would already be off in the fourth decimal."""
    a, b = (0.99 + 0.003 * image for image in waves(40, 50))
    a, b = single(a, b)
    np.testing.assert_allclose(ssim(a, b), reference_ssim(a, b, 1.0), atol=2e-6)


@pytest.mark.parametrize(
    ("shape", "expected"),  # pytorch-msssim 1.0.0, float64, data_range=1
    [((161, 163), 0.989739563382054), ((192, 256), 0.9911359519413661)],
)
def test_ms_ssim_equals_pytorch_msssim_at_even_and_odd_sizes(shape, expected):
    np.testing.assert_allclose(ms_ssim(*single(*waves(*shape))), expected, atol=1e-6)


def test_ssim_has_a_gradient_so_it_can_be_a_loss():
    a, b = single(*waves(12, 12))
    slope = jax.grad(lambda x: ssim(x, a))(jnp.asarray(b))
    step = b + 1e-3 * slope / jnp.abs(slope).max()
    assert ssim(step, a) > ssim(b, a)


def test_batches_are_scored_by_vmap():
    a, b = (np.stack([image, image[::-1, :, ::-1]]) for image in single(*waves(12, 12)))
    np.testing.assert_allclose(jax.vmap(ssim)(a, b)[1], ssim(a[1], b[1]), rtol=1e-6)


def test_shave_cuts_every_side():
    image = np.arange(35).reshape(5, 7)
    np.testing.assert_array_equal(shave(image, 2), image[2:3, 2:5])
    assert shave(image, 0) is not None and shave(image, 0).shape == image.shape


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: psnr(np.zeros((4, 4)), np.zeros((4, 5))), "differ in shape"),
        (lambda: psnr(*[np.zeros((4, 4), np.uint8)] * 2), "compare floats"),
        (lambda: ssim(*[np.zeros((10, 40))] * 2), "at least 11"),
        (lambda: ms_ssim(*[np.zeros((160, 400))] * 2), "at least 161"),
        (lambda: shave(np.zeros((4, 9)), 2), "cannot cut 2"),
    ],
)
def test_what_cannot_be_scored_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_blockiness_is_the_step_across_lines_over_that_elsewhere():
    blocks = np.kron(np.random.default_rng(0).random((8, 8, 3)), np.ones((8, 8, 1)))
    ramp = np.arange(64)[:, None, None] * np.ones((1, 64, 3)) + np.arange(64)[None, :, None]
    assert float(blockiness(ramp, 8)) == pytest.approx(1)
    # along rows, a line's step is `1 + 2` in place of 1; along columns nothing is there
    stepped = ramp + 2 * (np.arange(64) // 8)[:, None, None]
    assert float(blockiness(stepped, 8)) == pytest.approx((3 + 1) / 2)
    assert float(blockiness(stepped + 1e-6 * blocks, 16)) == pytest.approx(
        2 / (1 + 4 / 60), rel=1e-3
    )
