"""The one door: whatever says an image or a region becomes the same arrays, by the same rules."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.image import files
from jaxsr.image.pictures import (
    as_picture,
    boxes_mask,
    checked_mask,
    given_mask,
    joined,
    opened,
    read_mask,
    split,
)

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (4, 6, 3), np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_path_a_picture_and_an_array_are_the_same_image(tmp_path, channels):
    pixels = PIXELS[..., :channels]
    alpha = np.full((4, 6), 200, np.uint8)
    picture = files.Picture(pixels, alpha)
    files.write(tmp_path / "image.png", picture)
    array = np.dstack([pixels, alpha])
    for image in (tmp_path / "image.png", str(tmp_path / "image.png"), picture, array):
        colour, transparency = split(opened(image))
        np.testing.assert_array_equal(colour, pixels)
        np.testing.assert_array_equal(transparency, alpha)
        as_one = as_picture(image)
        np.testing.assert_array_equal(as_one.pixels, pixels)
        np.testing.assert_array_equal(as_one.alpha, alpha)
        back = joined(colour, transparency, opened(image))
        assert isinstance(back, files.Picture) != isinstance(image, np.ndarray)
    np.testing.assert_array_equal(joined(*split(array), array), array)


def test_floats_become_eight_bits_and_overshoot_is_clipped():
    image = np.array([[-0.1, 0.5, 1.1]])
    np.testing.assert_array_equal(as_picture(image).pixels[..., 0], [[0, 128, 255]])
    np.testing.assert_array_equal(as_picture(PIXELS.astype(np.uint16)).pixels, PIXELS)


def test_a_region_is_a_mask_boxes_a_word_or_a_file(tmp_path):
    expected = np.zeros((4, 6), np.float32)
    expected[1:3, 2:6] = 1
    files.write(tmp_path / "mask.png", files.Picture(np.uint8(255) * (expected[..., None] > 0)))
    for roi in (expected, expected > 0, [(2, 1, 4, 2)], tmp_path / "mask.png"):
        np.testing.assert_array_equal(given_mask(roi, 4, 6), expected)
    np.testing.assert_array_equal(given_mask(str(tmp_path / "mask.png"), 4, 6), expected)
    np.testing.assert_array_equal(given_mask("all", 4, 6), np.ones((4, 6)))
    with pytest.raises(ValueError, match="face: no such file; a region is 'auto', 'all', boxes"):
        given_mask("face", 4, 6)
    with pytest.raises(ValueError, match="the mask is 6×4, the image 7×4"):
        given_mask(tmp_path / "mask.png", 4, 7)


def test_of_a_mask_in_colours_the_mean_counts_and_what_is_transparent_is_black(tmp_path):
    pixels = np.uint8([[[255, 255, 255], [255, 0, 0], [255, 255, 255]]])
    files.write(tmp_path / "mask.png", files.Picture(pixels, np.uint8([[255, 255, 0]])))
    np.testing.assert_allclose(read_mask(tmp_path / "mask.png"), [[1, 1 / 3, 0]], atol=1e-6)


def test_boxes_are_ones_in_their_pixels():
    mask = boxes_mask([(1, 2, 3, 1), (0, 0, 1, 1)], 4, 6)
    expected = np.zeros((4, 6), np.float32)
    expected[2, 1:4] = expected[0, 0] = 1
    np.testing.assert_array_equal(mask, expected)


def test_what_of_a_box_lies_beyond_the_image_is_cut_off():
    np.testing.assert_array_equal(boxes_mask([(-2, -1, 100, 2)], 3, 4).sum(1), [4, 0, 0])


@pytest.mark.parametrize(
    ("rectangles", "says"),
    [
        ([], "no boxes"),
        ([(0, 0, 3)], "four whole numbers"),
        ([(0, 0, 0, 3)], "empty"),
        ([(0, 0, 2, 2), (6, 0, 1, 1)], "outside the image of 6×4"),
        ([(0, -5, 2, 5)], "outside"),
    ],
)
def test_boxes_without_pixels_are_refused(rectangles, says):
    with pytest.raises(ValueError, match=says):
        boxes_mask(rectangles, 4, 6)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16, np.float32, np.float64])
def test_a_mask_of_any_type_becomes_zeros_and_ones(dtype):
    white = {np.uint8: 255, np.uint16: 65535}.get(dtype, 1)
    mask = (np.eye(3) * white).astype(dtype)
    for form in (mask, mask[..., None], jnp.asarray(mask)):
        result = checked_mask(form, 3, 3)
        assert result.dtype == np.float32
        np.testing.assert_array_equal(result, np.eye(3))


@pytest.mark.parametrize(
    ("mask", "says"),
    [
        (np.zeros((3, 4), bool), "the mask is 4×3, the image 3×4 pixels"),
        (np.zeros((4, 3, 3), np.uint8), "3×4 of 3 channels"),
        (np.zeros(12, np.uint8), "an array of"),
        (np.zeros((4, 3), np.int64), "got int64"),
        (np.full((4, 3), 255.0), "got 255 to 255"),
        (np.full((4, 3), np.nan), "got nan to nan"),
    ],
)
def test_masks_of_another_size_or_kind_are_refused(mask, says):
    with pytest.raises(ValueError, match=says):
        checked_mask(mask, 4, 3)
