"""Upscaling arrays, pictures and files: tiles change nothing, every kind comes back as it was."""

import jax
import numpy as np
import pytest

from jaxsr import networks, pipeline
from jaxsr.image import files
from jaxsr.image.resize import imresize
from jaxsr.image.values import from_float, to_float
from jaxsr.tiling import runner, upscaling
from jaxsr.zoo import weights


@pytest.fixture(scope="module")
def upscale(random_params):
    """SPAN with few features, for inputs in [0, 1] so that random weights keep it in range."""
    network = networks.create("span", scale=2, features=4, folded=True).clone(value_range=1.0)
    return pipeline.Upscale(network, random_params(network))


def noise(*shape, dtype=np.uint8, seed=0):
    high = 1 if dtype == np.float32 else np.iinfo(dtype).max
    return (np.random.default_rng(seed).random(shape) * high).astype(dtype)


def reference(upscale, image):
    return np.asarray(jax.jit(upscale.apply)(upscale.params, image[None])[0])


def test_tiles_of_any_side_give_the_whole_image(upscale):
    image = noise(97, 80, 3)
    expected = from_float(reference(upscale, to_float(image)), np.uint8)
    assert np.unique(expected).size > 20
    for tile in ("auto", 0, 66):
        np.testing.assert_array_equal(upscale(image, tile).image, expected)


def test_several_images_at_a_time_are_each_as_if_alone(upscale):
    images = [noise(*size, 3, dtype=np.float32) for size in ((97, 80), (30, 90), (70, 70), (1, 1))]
    together = upscale.upscale_many(images, tile=66)
    for image, result in zip(images, together, strict=True):
        np.testing.assert_allclose(result.image, reference(upscale, image), atol=2e-6)


def test_one_device_gives_what_four_do(upscale):
    assert jax.local_device_count() == 4
    alone = pipeline.Upscale(upscale.network, upscale.params, jax.local_devices()[:1])
    image = noise(97, 80, 3)
    np.testing.assert_array_equal(alone(image, 66).image, upscale(image, 66).image)


def test_too_little_memory_means_smaller_tiles_and_the_same_result(upscale, monkeypatch, caplog):
    image = noise(97, 150, 3)
    expected = upscale(image).image
    monkeypatch.setattr(runner, "free_memory", lambda device: 80**2 * 300)
    limited = pipeline.Upscale(upscale.network, upscale.params, jax.local_devices()[:1])
    np.testing.assert_array_equal(limited(image, 0).image, expected)
    assert "150-pixel tiles exceed the memory, trying 75" in caplog.text


def test_no_memory_at_all_is_an_error_in_one_line(upscale, monkeypatch):
    monkeypatch.setattr(runner, "free_memory", lambda device: 1000)
    limited = pipeline.Upscale(upscale.network, upscale.params)
    with pytest.raises(ValueError, match="not enough memory for tiles of even 58 pixels"):
        limited(noise(97, 80, 3))


def test_blended_tiles_of_a_network_that_looks_everywhere_are_close_to_the_whole(random_params):
    network = networks.create("swinir_light", scale=2, features=8, groups=1, depth=2, heads=2)
    upscale = pipeline.Upscale(network, random_params(network, gain=0.5))
    assert upscale.network.receptive_field is None
    image = noise(101, 83, 3)
    whole, blended = upscale(image).image, upscale(image, 88).image
    assert whole.shape == blended.shape == (202, 166, 3)
    assert np.abs(whole.astype(int) - blended).max() <= 1


def test_a_network_that_sees_very_far_is_run_on_tiles_that_hardly_show_it(random_params):
    network = networks.create("rrdb", scale=2, features=8, growth=4, blocks=6)
    params = random_params(network, gain=0.5)
    upscale = pipeline.Upscale(network, params)
    assert network.receptive_field > upscale.tiled.reach == 72
    image = noise(200, 180, 3)
    whole, tiled = upscale(image, 0).image, upscale(image, 168).image
    assert np.abs(whole.astype(int) - tiled).max() <= 1


def test_tiles_of_a_large_photo_have_results_that_fit_into_memory():
    photo = np.zeros((3024, 4032, 3), np.uint8)
    for name, scale in (("rrdb", 4), ("span_compact", 4), ("span_compact", 2)):
        tiled = upscaling.TiledUpscaler(networks.create(name, scale=scale), {})
        for side in tiled._sides([photo], "auto"):
            assert 256 <= side <= 1344 // scale  # 64 features: 2 · 0.5 GB


def test_a_small_photo_becomes_one_strip_a_device():
    model, two = networks.create("span_compact"), jax.local_devices()[:2]
    tiled = upscaling.TiledUpscaler(model, {}, two)
    for height, width in ((256, 384), (384, 256)):
        photo = np.zeros((height, width, 3), np.uint8)
        strip = sorted((256, (384 + 2 * tiled.reach) // 2))
        assert sorted(tiled._sides([photo], "auto")) == strip
        assert len(tiled._plan(photo, tiled._sides([photo], "auto"))) == 2


def test_every_kind_of_array_comes_back_in_its_own_kind(upscale):
    for shape, dtype in (
        ((20, 30), np.uint8),
        ((20, 30, 1), np.uint16),
        ((20, 30, 2), np.float32),
        ((20, 30, 3), np.uint16),
        ((20, 30, 4), np.uint8),
        ((2, 20, 30, 3), np.float32),
    ):
        result = upscale(noise(*shape, dtype=dtype)).image
        rows = 1 if len(shape) == 4 else 0
        bigger = [n * 2 if axis in (rows, rows + 1) else n for axis, n in enumerate(shape)]
        assert list(result.shape) == bigger
        assert result.dtype == dtype


def test_gray_is_upscaled_as_rgb_and_sixteen_bits_keep_their_depth(upscale):
    gray = noise(20, 30, dtype=np.uint16)
    rgb = reference(upscale, to_float(np.repeat(gray[..., None], 3, axis=-1)))
    expected = rgb.mean(axis=-1) * 65535
    assert np.abs(upscale(gray).image.astype(float) - expected).max() <= 0.51


def test_alpha_is_upscaled_and_what_it_hides_does_not_show(upscale):
    image = np.zeros((24, 24, 4), np.uint8)  # black where transparent
    image[:, 12:] = 200, 120, 40, 255
    opaque = np.broadcast_to(np.uint8([200, 120, 40]), (24, 24, 3))
    result = upscale(image).image
    np.testing.assert_array_equal(result[..., :3], upscale(opaque).image)
    alpha = np.clip(imresize(to_float(image)[..., 3:], 2), 0, 1)
    np.testing.assert_array_equal(result[..., 3:], from_float(alpha, np.uint8))


def test_a_file_becomes_a_picture_that_keeps_its_profile(upscale, tmp_path):
    from PIL import ImageCms

    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    files.write(tmp_path / "in.png", files.Picture(noise(9, 7, 3), icc=icc))
    result = upscale(tmp_path / "in.png").image
    assert isinstance(result, files.Picture)
    assert result.pixels.shape == (18, 14, 3)
    assert result.icc == icc


def test_what_is_no_image_is_refused_with_what_is(upscale):
    for array, message in (
        (np.zeros((3, 3, 5), np.uint8), "1 to 4 channels"),
        (np.zeros((0, 3, 3), np.uint8), "1 to 4 channels"),
        (np.zeros((3, 3, 3), np.int64), "uint8, uint16 or float"),
        (np.full((3, 3, 3), 255.0), "got 255 to 255; divide"),
        (np.full((3, 3, 3), np.nan), "holds NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            upscale(array)
    with pytest.raises(ValueError, match="at least 58"):
        upscale(noise(97, 80, 3), tile=20)


def test_loaded_weights_upscale_by_their_scale_and_others_are_refused(random_params, tmp_path):
    options = {"scale": 2, "features": 4}
    params = random_params(networks.create("span", **options))
    weights.write(tmp_path / "two.safetensors", weights.Weights("span", options, params))
    upscale = pipeline.load_upscaler(tmp_path / "two.safetensors")
    assert upscale.scale == 2
    assert upscale(noise(5, 6, 3)).image.shape == (10, 12, 3)

    options["features"] = 8
    weights.write(tmp_path / "wrong.safetensors", weights.Weights("span", options, params))
    with pytest.raises(ValueError, match="do not fit the network they name"):
        pipeline.load_upscaler(tmp_path / "wrong.safetensors")
