"""Degradations in a program: each step against the host's, and all of them in distribution."""

import io

import jax
import jax.numpy as jnp
import numpy as np
import PIL.Image
import pytest
import scipy.stats

from jaxsr.data import degradations, degrading, draws, jpeg, resampling
from jaxsr.data.stages import Stage, default_config

CANVAS = (112, 96)  # of which the photo is 93 × 71 pixels


@pytest.fixture(scope="module")
def photo():
    cat = pytest.importorskip("skimage.data").cat()
    return cat[60:153, 140:211]


@pytest.fixture(scope="module")
def canvases(photo):
    """Three times the photo in the corner of noise."""
    pixels = np.random.default_rng(0).random((3, CANVAS[0], 3, CANVAS[1]), np.float32)
    pixels[:, :93, :, :71] = photo.swapaxes(1, 2) / 255
    height, width = jnp.full(3, 93), jnp.full(3, 71)
    return degrading.Canvases(jnp.asarray(pixels), height, width, full=False)


def inside(pixels, height=93, width=71):
    return np.asarray(pixels)[:, :height, :, :width].swapaxes(2, 3)


def seeds_of(count, seed=0):
    return draws.words(seed, 0, np.arange(count, dtype=np.int32), 2)


def words_of(count, seed=0):
    words = draws.more([jnp.asarray(x) for x in seeds_of(count, seed)], len(degrading.DRAWN))
    return dict(zip(degrading.DRAWN, words, strict=True))


def through_pillow(image, quality):
    file = io.BytesIO()
    PIL.Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(PIL.Image.open(file)).astype(float)


def test_a_jpeg_is_that_of_a_file_but_for_few_pixels(photo, canvases):
    qualities = np.array([10, 60, 95])
    levels = jnp.round(canvases.pixels * 255)
    coded = jax.jit(jpeg.through_jpeg)(levels, canvases.height, canvases.width, qualities)
    for quality, image in zip(qualities.tolist(), inside(coded), strict=True):
        expected = through_pillow(photo, quality)
        error = np.abs(image - expected)
        assert error.mean() < 0.5 < np.abs(expected - photo).mean()
        assert 10 * np.log10(255**2 / (error**2).mean()) > 46


@pytest.mark.parametrize("size", [(24, 19), (37, 120), (112, 93), (1, 1)], ids=str)
def test_a_resize_is_pillows(photo, canvases, size):
    kernels = tuple(degradations.KERNELS)
    out = [jnp.full(3, n) for n in size]
    resized = degrading._resized(canvases, out, (kernels, jnp.arange(3)), (120, 120))
    for kernel, image in zip(kernels, inside(resized.pixels, *size), strict=True):
        expected = degradations.resize(photo.astype(np.float32) / 255, size, kernel)
        np.testing.assert_allclose(image, expected, atol=3e-6)


def test_the_nearest_pixels_of_a_part_are_pillows(photo):
    matrices = (
        resampling.nearest(jnp.array([size]), 16, side, (jnp.array([start]), jnp.array([extent])))
        for size, side, start, extent in ((93, 93, 10.25, 60.5), (71, 80, 3.0, 68.0))
    )
    wide = np.pad(photo, [(0, 0), (0, 9), (0, 0)])[None].swapaxes(2, 3).astype(np.float32)
    (image,) = inside(resampling.apply(jnp.asarray(wide), *matrices))
    box = (3.0, 10.25, 71.0, 70.75)
    nearest = PIL.Image.Resampling.NEAREST
    expected = PIL.Image.fromarray(photo).resize((16, 16), nearest, box)
    np.testing.assert_array_equal(image, np.asarray(expected))


@pytest.mark.parametrize("full", [True, False])
def test_a_blur_is_the_hosts(photo, canvases, full):
    x = photo.astype(np.float32) / 255
    if full:
        canvases = degrading.filled(jnp.asarray(np.stack([x] * 3).swapaxes(2, 3)))
    widths = np.array([[1.0, 3.0, 2.0], [1.0, 0.5, 3.0], [0.0, 0.7, 2.0]], np.float32)
    blurred = degrading.gaussian_blur(canvases, *jnp.asarray(widths), margin=9)
    for arguments, image in zip(widths.T.tolist(), inside(blurred.pixels), strict=True):
        np.testing.assert_allclose(image, degradations.gaussian_blur(x, *arguments), atol=5e-4)


@pytest.mark.parametrize("mean", [0.0, 0.5, 9.9, 15.0, 1000.0])
def test_counts_of_photons_are_quantiles_of_poissons_distribution(mean):
    share = (np.arange(4000) + 0.5) / 4000
    counts = degrading.poisson(jnp.float32(share), jnp.full(4000, mean, jnp.float32))
    expected = scipy.stats.poisson.ppf(share, mean)
    assert (counts != expected).mean() < 0.005 and np.abs(counts - expected).max() <= 1


def test_noise_has_the_strength_asked_for():
    flat = degrading.filled(jnp.full((4, 64, 3, 64), 0.25))
    gaussian = Stage(poisson=0.0, noise_sigma=(10, 10), gray=0.0)
    noisy, strength = degrading.random_noise(flat, gaussian, words_of(4))
    np.testing.assert_allclose(strength, 10, rtol=1e-5)
    noise = np.asarray(noisy.pixels - 0.25) * 255
    assert noise.std() == pytest.approx(10, rel=0.02) and noise.mean() == pytest.approx(0, abs=0.2)
    between = np.corrcoef(np.concatenate([x.reshape(1, -1) for x in noise.swapaxes(1, 2)[:2]]))
    channels = np.corrcoef(noise[:, :, 0].ravel(), noise[:, :, 1].ravel())
    assert abs(between[0, 1]) < 0.05 and abs(channels[0, 1]) < 0.05

    shot = Stage(poisson=1.0, photons=(400, 400), gray=1.0)
    noisy, strength = degrading.random_noise(flat, shot, words_of(4))
    np.testing.assert_allclose(strength, 255 * np.sqrt(0.25 / 400), rtol=1e-5)
    noise = np.asarray(noisy.pixels - 0.25)
    assert noise.std() == pytest.approx(np.sqrt(0.25 / 400), rel=0.03)
    np.testing.assert_array_equal(noise[:, :, 0], noise[:, :, 2])


def test_chances_of_none_and_all_are_kept(photo):
    config = default_config()
    config.first.update(blur=0.0, resize=0.0, noise=0.0, jpeg=0.0, kernels=("area",))
    nothing = degradations.RealWorld(config)
    high = jnp.asarray(np.stack([photo[:92, :68]] * 2))
    words = [jnp.asarray(word) for word in seeds_of(2)]
    mean = photo[:92, :68].astype(float).reshape(23, 4, 17, 4, 3).mean((1, 3))
    low, strengths = nothing.batch(high, (23, 17), words)
    assert np.abs(low - mean).max() <= 0.51 and not strengths.any()
    np.testing.assert_array_equal(nothing.batch(high, (92, 68), words)[0], high)


def test_strengths_are_drawn_as_the_hosts(photo):
    """Every kind is there as often and, where it is, as strong."""
    config, count = default_config(), 256
    chances = dict(blur=0.5, noise=0.5, jpeg=0.5, resize=0.0, gray=0.5)
    config.first.update(**chances, noise_sigma=(10, 30), photons=(100, 1000))
    real = degradations.RealWorld(config)
    high, seeds = np.stack([photo[:16, :16]] * count), seeds_of(count)
    _, host = real.batch(high, (16, 16), seeds)
    words = [jnp.asarray(word) for word in seeds]
    _, there = jax.jit(lambda x, words: real.batch(x, (16, 16), words))(jnp.asarray(high), words)
    for ours, theirs in zip(host.T, np.asarray(there).T, strict=True):
        assert abs((ours > 0).mean() - 0.5) < 0.1 and abs((theirs > 0).mean() - 0.5) < 0.1
        assert scipy.stats.ks_2samp(ours[ours > 0], theirs[theirs > 0]).pvalue > 0.01


@pytest.mark.slow
def test_degraded_images_are_as_like_their_originals_as_the_hosts(photo):
    """PSNR of many draws: the same mean within 3 standard errors, and as different."""
    config, count = default_config(), 192
    config.stages = 2
    real = degradations.RealWorld(config)
    high, seeds = np.stack([photo[:64, :64]] * count), seeds_of(count)
    degrade = jax.jit(lambda x, words: real.batch(x, (16, 16), words))
    words = [jnp.asarray(word) for word in seeds]
    there = np.asarray(degrade(jnp.asarray(high), words)[0])
    host, _ = real.batch(high, (16, 16), seeds)
    assert there.dtype == np.uint8 and there.shape == host.shape
    mean = photo[:64, :64].astype(float).reshape(16, 4, 16, 4, 3).mean((1, 3))
    errors = [((x - mean) ** 2).mean((1, 2, 3)) for x in (host, there)]
    ours, theirs = (10 * np.log10(255**2 / error) for error in errors)
    assert abs(ours.mean() - theirs.mean()) < 3 * np.hypot(ours.std(), theirs.std()) / count**0.5
    assert 0.8 < ours.std() / theirs.std() < 1.25
    assert abs(there.mean() - host.mean()) < 1

    # and each image is degraded alike wherever it is in a batch: where roundings differ, one of a
    # JPEG's coefficients may fall to the other side, and change its block by a few levels
    assert len({x.tobytes() for x in there}) == count
    turned, _ = degrade(jnp.asarray(high), [word[::-1] for word in words])
    apart = np.abs(turned[::-1].astype(int) - there)
    assert (apart > 1).mean() < 0.005 and apart.max() < 60
