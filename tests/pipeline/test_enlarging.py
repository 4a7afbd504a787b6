"""Images brought to any size by an upscaler and an exact resize."""

import numpy as np
import pytest
import skimage.data

from jaxsr import pipeline, zoo
from jaxsr.image.resize import imresize

CAT = skimage.data.chelsea()[100:121, 100:133]


@pytest.fixture(scope="module")
def two():
    return pipeline.load_upscaler(scale=2)


@pytest.mark.parametrize(
    ("wanted", "shape"),
    [
        ({"scale": 1.5}, (32, 50)),
        ({"size": (50, None)}, (32, 50)),
        ({"size": (None, 42)}, (42, 66)),
        ({"size": (40, 41)}, (41, 40)),
        ({"scale": 0.5}, (10, 16)),
    ],
)
def test_images_become_exactly_the_size_that_is_wanted(wanted, shape, two):
    larger = pipeline.Enlarge(**wanted)(CAT).image
    assert larger.shape == (*shape, 3) and larger.dtype == np.uint8
    float_cat = CAT / np.float32(255)
    expected = imresize(np.asarray(two(float_cat).image), shape=shape)
    np.testing.assert_allclose(larger / 255, np.clip(expected, 0, 1), atol=0.6 / 255)


def test_at_a_scale_of_the_network_nothing_is_resized(two):
    np.testing.assert_array_equal(pipeline.Enlarge(scale=2)(CAT).image, two(CAT).image)


def test_strength_goes_from_bicubic_to_the_network(two):
    x = CAT / np.float32(255)
    plain, network = np.asarray(imresize(x, 2)).clip(0, 1), two(x).image
    np.testing.assert_allclose(pipeline.Enlarge(scale=2, strength=0)(x).image, plain, atol=1e-6)
    half = pipeline.Enlarge(scale=2, strength=0.5)(x).image
    np.testing.assert_allclose(half, (network + np.asarray(imresize(x, 2))) / 2, atol=2e-2)


def test_the_ensemble_does_not_depend_on_how_an_image_is_turned():
    enlarge = pipeline.Enlarge(scale=2, self_ensemble=True)
    x = CAT / np.float32(255)
    turned = np.rot90(enlarge(np.ascontiguousarray(np.rot90(x))).image, -1)
    np.testing.assert_allclose(enlarge(x).image, turned, atol=1e-5)


def test_alpha_is_enlarged_with_the_rest():
    x = np.concatenate([CAT, CAT[..., :1]], axis=-1)
    larger = pipeline.Enlarge(scale=1.5)(x).image
    assert larger.shape == (32, 50, 4)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"scale": 5}, "enlarges ×4, and ×5 is wanted"),
        ({"scale": 0}, "scale 0: give a number above 0"),
        ({"scale": 2, "size": (10, 10)}, "either a scale or a size"),
        ({"size": (None, None)}, "give a width or a height"),
        ({"strength": 1.5}, "strength 1.5: give a number from 0"),
    ],
)
def test_what_cannot_be_is_said(wanted, message):
    with pytest.raises(ValueError, match=message):
        pipeline.Enlarge(**wanted)(CAT)


def test_a_file_is_taken_at_its_own_scale(tmp_path):
    file = zoo.find_weights(zoo.UPSCALER, "span-compact", 4)
    assert pipeline.Enlarge(file, scale=3)(CAT).image.shape == (63, 99, 3)
