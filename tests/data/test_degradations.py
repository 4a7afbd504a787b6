"""Real-world degradations: decided by the generator, of the size asked for, and what they say."""

import numpy as np
import pytest

from jaxsr.data import degradations
from jaxsr.data.stages import Stage, default_config


def photo(height=96, width=80):
    cat = pytest.importorskip("skimage.data").cat()
    return cat[60 : 60 + height, 140 : 140 + width]


def degrade(seed, stages=1, **changes):
    config = default_config()
    config.stages = stages
    config.first.update(changes)
    low, _ = degradations.RealWorld(config)(photo(), (24, 20), np.random.default_rng(seed))
    return low


@pytest.mark.parametrize("stages", [1, 2])
def test_the_generator_alone_decides_and_the_size_is_what_was_asked_for(stages):
    lows = [degrade(seed, stages) for seed in (0, 0, *range(1, 12))]
    assert {(low.shape, low.dtype.name) for low in lows} == {((24, 20, 3), "uint8")}
    np.testing.assert_array_equal(lows[0], lows[1])
    assert len({low.tobytes() for low in lows}) == 12


def test_a_degraded_image_still_shows_its_original():
    expected = photo().astype(float).reshape(24, 4, 20, 4, 3).mean((1, 3))
    for seed in range(10):
        low = degrade(seed).astype(float)
        assert abs(low.mean() - expected.mean()) < 4
        assert np.corrcoef(low.ravel(), expected.ravel())[0, 1] > 0.8


def test_with_every_chance_at_zero_only_the_final_resize_is_left():
    low = degrade(0, blur=0.0, resize=0.0, noise=0.0, jpeg=0.0, kernels=("area",))
    expected = photo().astype(float).reshape(24, 4, 20, 4, 3).mean((1, 3))
    assert np.abs(low - expected).max() <= 0.51


def test_the_blur_is_a_gaussian_of_the_widths_asked_for():
    point = np.zeros((41, 41, 1), np.float32)
    point[20, 20] = 1
    y, x = np.mgrid[-20:21, -20:21]
    kernel = degradations.gaussian_blur(point, 3.0, 1.5, 0.5)[..., 0]
    along, athwart = np.cos(0.5) * x + np.sin(0.5) * y, np.cos(0.5) * y - np.sin(0.5) * x
    expected = np.exp(-((along / 3) ** 2 + (athwart / 1.5) ** 2) / 2) / (2 * np.pi * 3 * 1.5)
    np.testing.assert_allclose(kernel, expected, atol=1e-6)


def test_how_strong_everything_was_is_returned_too():
    config = default_config()
    chances = dict(blur=1.0, anisotropic=0.0, noise=1.0, poisson=0.0, jpeg=1.0)
    config.first.update(**chances, blur_sigma=(1.5, 1.5), noise_sigma=(7, 7), quality=(30, 30))
    real = degradations.RealWorld(config)
    _, strengths = real(photo(), (24, 20), np.random.default_rng(0))
    np.testing.assert_allclose(strengths, [7, 1.5, 70])


def test_the_blur_mirrors_the_border():
    flat = np.full((9, 12, 3), 0.7, np.float32)
    np.testing.assert_allclose(degradations.gaussian_blur(flat, 2.5, 1.0, 1.0), flat, atol=1e-6)


def test_noise_has_the_strength_asked_for():
    flat = np.full((200, 200, 3), 0.25, np.float32)
    rng = np.random.default_rng(0)
    gaussian = Stage(poisson=0.0, noise_sigma=(10, 10), gray=0.0)
    noisy, strength = degradations.random_noise(flat, gaussian, rng)
    noise = (noisy - flat) * 255
    assert strength == pytest.approx(10)
    assert noise.std() == pytest.approx(10, rel=0.02) and noise.mean() == pytest.approx(0, abs=0.1)
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.05

    shot = Stage(poisson=1.0, photons=(400, 400), gray=1.0)
    noisy, strength = degradations.random_noise(flat, shot, rng)
    noise = noisy - flat
    assert strength == pytest.approx(255 * np.sqrt(0.25 / 400))
    assert noise.std() == pytest.approx(np.sqrt(0.25 / 400), rel=0.02)
    np.testing.assert_array_equal(noise[..., 0], noise[..., 2])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"noise": 1.5}, "noise is 1.5; give a chance"),
        ({"blur_sigma": (3.0, 1.0)}, r"blur_sigma is \(3.0, 1.0\); give a range"),
        ({"resize_factor": (0.0, 1.0)}, "resize_factor is .*; give a range"),
        ({"quality": (30, 101)}, "quality is .*; give a range"),
        ({"kernels": ("lanczos",)}, "give some of area, bilinear"),
    ],
)
def test_options_that_make_no_sense_are_value_errors(changes, message):
    with pytest.raises(ValueError, match=message):
        degrade(0, **changes)


def test_there_are_one_or_two_stages():
    with pytest.raises(ValueError, match="stages are 3; give 1 or 2"):
        degrade(0, stages=3)
