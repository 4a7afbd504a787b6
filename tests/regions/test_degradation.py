"""What is known of how an image was degraded, and where its pixels are looked at for the rest."""

import numpy as np
import pytest

from jaxsr.image.pictures import boxes_mask
from jaxsr.networks import create_restorer
from jaxsr.regions import degradation
from jaxsr.regions.degradation import SIDE, UNKNOWN, Degraded

TOLD = create_restorer("window_restorer", told=True)


def test_what_is_given_comes_back_and_the_rest_is_to_be_found():
    strengths = degradation.given(Degraded(noise=12, jpeg=30), TOLD)
    np.testing.assert_array_equal(strengths, [12, np.nan, 70, np.nan])
    assert degradation.found(np.float32([12, 0, 70, 1])) == Degraded(12, 0, 30, 99)


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (Degraded(noise=-1), "noise -1: give a number from 0 to 255"),
        (Degraded(blur=np.nan), "blur nan: give a number from 0 to 10"),
        (Degraded(jpeg=0), "jpeg 0: give a number from 1 to 100"),
        (Degraded(codec=101), "codec 101: give a number from 1 to 100"),
    ],
    ids=str,
)
def test_numbers_out_of_range_are_refused(known, message):
    with pytest.raises(ValueError, match=message):
        degradation.given(known, TOLD)


def test_a_restorer_that_is_not_told_takes_nothing():
    plain = create_restorer("window_restorer")
    assert np.isnan(degradation.given(UNKNOWN, plain)).all()
    with pytest.raises(ValueError, match="not told"):
        degradation.given(Degraded(noise=0), plain)


def test_what_is_faint_is_nothing_and_what_is_too_much_is_the_limit():
    strengths = np.float32([[1, 0.1, 5, 5], [9000, 9000, 9000, 9000]])
    np.testing.assert_array_equal(degradation.trusted(strengths), [[0, 0, 0, 0], [255, 10, 99, 99]])


@pytest.mark.parametrize("scale", [1, 3])
def test_crops_lie_in_the_region_on_the_grid_of_a_jpeg(scale):
    height, width = 700, 900
    places = np.stack(np.mgrid[:height, :width], -1).astype(np.float32)
    box = (410, 150, 300, 129)
    mask = boxes_mask([tuple(scale * n for n in box)], scale * height, scale * width)
    crops = degradation.crops(places, mask, scale)
    assert len(crops) == 3 * 2 and {crop.shape for crop in crops} == {(SIDE, SIDE, 2)}
    starts = np.array([crop[0, 0] for crop in crops])
    assert not (starts % 8).any() and len({tuple(start) for start in starts.tolist()}) == 6
    middles = starts + SIDE / 2
    assert (middles > [150, 410]).all() and (middles < [279, 710]).all()


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 300, 1), (130, 128, 3)])
def test_small_images_are_mirrored_to_whole_crops(shape):
    image = np.random.default_rng(0).random(shape)
    crops = degradation.crops(image, np.ones(shape[:2], np.float32), 1)
    assert {crop.shape for crop in crops} == {(SIDE, SIDE, shape[2])}
    height, width = min(shape[0], SIDE), min(shape[1], SIDE)
    np.testing.assert_array_equal(crops[0][:height, :width], image[:height, :width])
