"""Colour: the reference points of BT.601 and a way back."""

import jax
import numpy as np
import pytest

from jaxsr.image.colour import rgb_to_y, rgb_to_ycbcr, ycbcr_to_rgb


@pytest.mark.parametrize(
    ("rgb", "ycbcr"),
    [
        ((0, 0, 0), (16, 128, 128)),
        ((1, 1, 1), (235, 128, 128)),
        ((1, 0, 0), (81.481, 90.203, 240)),
        ((0, 0, 1), (40.966, 240, 109.786)),
    ],
)
def test_primaries_map_to_the_studio_range(rgb, ycbcr):
    rgb = np.array(rgb, np.float32)
    np.testing.assert_allclose(rgb_to_ycbcr(rgb) * 255, ycbcr, atol=2e-5)
    np.testing.assert_allclose(rgb_to_y(rgb) * 255, ycbcr[:1], atol=2e-5)


def test_the_inverse_gives_the_colours_back():
    x = jax.random.uniform(jax.random.key(0), (2, 4, 5, 3))
    np.testing.assert_allclose(ycbcr_to_rgb(rgb_to_ycbcr(x)), x, atol=2e-6)
    assert rgb_to_y(x).shape == (2, 4, 5, 1)


def test_gray_images_are_refused():
    with pytest.raises(ValueError, match="3 channels last"):
        rgb_to_y(np.zeros((4, 4, 1), np.float32))
