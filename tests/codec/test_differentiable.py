"""The codec as a differentiable function, and what a program made of it holds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.data

from jaxsr import codec

PHOTO = skimage.data.chelsea()[40:240, 80:330]
SQUARE = np.ascontiguousarray(skimage.data.chelsea()[20:276, 100:356])


def psnr(a, b):
    """In dB, of 8-bit images."""
    return 10 * np.log10(255**2 / np.mean((np.asarray(a, float) - np.asarray(b, float)) ** 2))


def assert_estimates(model, tolerance, qualities):
    """Of a whole canvas, so that networks see the same borders."""
    images = jnp.asarray(np.stack([SQUARE] * len(qualities)), jnp.float32) / 255
    estimate = jax.jit(lambda x, q: codec.rate_distortion(x, q, model=model))
    outputs, bpp = estimate(images, jnp.asarray(qualities, jnp.float32))
    assert outputs.shape == images.shape
    for output, estimated, quality in zip(outputs, bpp, qualities, strict=True):
        data = codec.encode(SQUARE, quality, model=model)
        decoded = codec.decode(data, model=model)
        assert psnr(255 * np.clip(output, 0, 1), decoded) > psnr(decoded, SQUARE) + 10
        assert float(estimated) == pytest.approx(8 * len(data) / SQUARE[..., 0].size, rel=tolerance)


@pytest.mark.slow
def test_rate_distortion_is_what_files_are(small):
    assert_estimates(small, 0.06, [30, 60])


@pytest.mark.slow
def test_rate_distortion_is_what_files_of_the_released_codec_are(released):
    assert_estimates(released, 0.04, [25, 75])


@pytest.mark.slow
def test_rate_distortion_has_gradients_of_pixels_and_quality(small):
    image = jnp.asarray(PHOTO[None, :100, :120], jnp.float32) / 255

    @jax.jit
    @jax.grad
    def gradient(inputs):
        x, quality = inputs
        output, bpp = codec.rate_distortion(x, quality, model=small)
        return jnp.mean((output - image) ** 2) + 0.01 * bpp.sum()

    pixels, quality = gradient((image, 40.0))
    assert pixels.shape == image.shape
    assert jnp.all(jnp.isfinite(pixels)) and (pixels != 0).mean() > 0.9
    assert jnp.isfinite(quality) and quality != 0


@pytest.mark.slow
def test_a_program_around_the_pure_function_holds_no_network(small):
    def function(params, x, rate):
        return codec.coded(small.network, params, x, rate, jax.random.key(0))

    image, rate = jnp.asarray(PHOTO[None, :100, :120], jnp.float32) / 255, jnp.full(1, 0.5)
    params = jax.device_put(small.trainable)
    constants = jax.make_jaxpr(function)(params, image, rate).consts
    kernels = {x.shape for x in jax.tree.leaves(params) if x.size > 1000}
    assert kernels.isdisjoint(x.shape for x in constants)

    output, bpp = jax.jit(function)(params, image, rate)
    expected, bits = codec.rate_distortion(image, 0.5 * 99 + 1, model=small)
    np.testing.assert_allclose(output, expected, atol=1e-5)
    np.testing.assert_allclose(bpp, bits, rtol=1e-5)
