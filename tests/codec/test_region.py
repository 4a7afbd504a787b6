"""Region maps: what a mask means, and how few bytes it takes."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxsr.codec import region
from jaxsr.entropy import tables

MAPS = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(
    lambda shape: hnp.arrays(np.int8, shape, elements=st.sampled_from([0, 0, 0, 6, 6, 3, -63, 63]))
)


def disc(height, width):
    """A disc in the middle, half as wide as the image is high."""
    y, x = np.ogrid[:height, :width]
    return (y - height / 2) ** 2 + (x - width / 2) ** 2 < (height / 3) ** 2


def test_one_step_is_one_step_of_the_scale_table():
    assert np.log(10) / 20 * region.STEP_DB == pytest.approx(tables.STEP)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.float32, np.float64])
def test_masks_of_all_types_say_the_same(kind):
    mask = disc(64, 90)
    given_mask = mask.astype(kind) * kind(255) if kind is np.uint8 else mask.astype(kind)
    expected = region.region_map(mask, 6.0)
    np.testing.assert_array_equal(region.region_map(given_mask, 6.0), expected)
    assert expected.shape == region.map_shape(64, 90) == (4, 6)
    assert expected.dtype == np.int8


def test_gain_is_rounded_to_steps_and_halved_where_half_a_block_is_covered():
    mask = np.zeros((32, 40), bool)
    mask[:, :24] = True
    assert region.region_map(mask, 6.0).tolist() == [[6, 3, 0]] * 2
    assert region.region_map(mask, -12.0).tolist() == [[-11, -6, 0]] * 2


def test_a_picture_coded_at_half_its_size_has_blocks_of_twice_the_size():
    mask = np.zeros((33, 64), bool)
    mask[:, :32] = True
    assert region.region_map(mask, 6.0, 2).tolist() == [[6, 0], [6, 0]]


@pytest.mark.parametrize(("gain", "scale"), [(6.0, 1), (4.0, 1), (11.7, 2)])
def test_a_maps_mask_is_the_one_it_was_made_of_as_far_as_blocks_tell(gain, scale):
    mask = disc(150, 203)
    again = region.mask_of(region.region_map(mask, gain, scale), *mask.shape, scale)
    assert again.shape == mask.shape and again.dtype == np.float32
    assert again.min() == 0 and again.max() == 1
    both, either = (mask & (again > 0.5)).sum(), (mask | (again > 0.5)).sum()
    assert both / either > (0.85 if scale == 1 else 0.75)


def test_masks_of_maps_are_full_where_all_is_finer_and_empty_where_nothing_is():
    assert (region.mask_of(np.full((2, 3), 6, np.int8), 20, 40) == 1).all()
    for steps in (0, -6):
        assert not region.mask_of(np.full((2, 3), steps, np.int8), 20, 40).any()
    one = np.zeros((3, 3), np.int8)
    one[1, 1] = 5
    block = np.zeros((48, 48), bool)
    block[16:32, 16:32] = True
    outline = (region.mask_of(one, 48, 48) > 0.5) ^ block
    assert outline.sum() < 100


def test_blocks_cut_off_by_the_border_count_what_they_have():
    assert region.region_map(np.ones((17, 1), np.uint8) * 255, 6.0).tolist() == [[6], [6]]


@pytest.mark.parametrize(
    ("mask", "gain", "message"),
    [
        (np.ones((4, 4), bool), 68.0, "-67 to 67 dB"),
        (np.ones((4, 4), bool), float("nan"), "-67 to 67 dB"),
        (np.full((4, 4), 1.5), 6.0, r"values in \[0, 1\]"),
        (np.full((4, 4), np.nan), 6.0, r"values in \[0, 1\]"),
        (np.ones((0, 4), bool), 6.0, "no pixels"),
    ],
)
def test_masks_and_gains_that_cannot_be_are_refused(mask, gain, message):
    with pytest.raises(ValueError, match=message):
        region.region_map(mask, gain)


@given(MAPS)
@settings(max_examples=200, deadline=None)
def test_any_map_comes_back(values):
    coded = region.encode_map(values)
    np.testing.assert_array_equal(region.decode_map(coded, values.shape), values)


def test_noise_comes_back_and_what_is_beyond_is_refused():
    noise = np.random.default_rng(0).integers(-63, 64, (40, 50)).astype(np.int8)
    coded = region.encode_map(noise)
    np.testing.assert_array_equal(region.decode_map(coded, noise.shape), noise)
    with pytest.raises(ValueError, match="63"):
        region.encode_map(np.full((1, 1), 64, np.int8))
    with pytest.raises(ValueError, match="63"):
        region.encode_map(np.full((1, 1), -128, np.int8))


def test_a_disc_on_a_photo_takes_some_forty_bytes_and_nothing_takes_none():
    assert len(region.encode_map(region.region_map(disc(512, 768), 6.0))) < 45
    assert len(region.encode_map(np.full((32, 48), 6, np.int8))) < 6
    assert region.encode_map(np.zeros((32, 48), np.int8)) == b""


def test_masks_of_photos_take_well_below_a_hundred_bytes(shared):
    from PIL import Image

    paths = sorted((shared / "data/roi/ecssd/masks").glob("*.png"))[::20]
    sizes = []
    for path in paths:
        mask = np.asarray(Image.open(path).convert("L").resize((768, 512)))
        sizes.append(len(region.encode_map(region.region_map(mask, 6.0))))
    assert np.mean(sizes) < 55 and max(sizes) < 110


@given(st.binary(max_size=40), st.tuples(st.integers(1, 9), st.integers(1, 9)))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_map_in_range_or_refused(data, shape):
    try:
        values = region.decode_map(data, shape)
    except ValueError as error:
        assert "damaged" in str(error)
    else:
        assert values.shape == shape and np.abs(values).max() <= region.LARGEST
