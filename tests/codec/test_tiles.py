"""Tiles: no border to be seen, no bytes lost, and each with symbols of its own."""

import numpy as np
import pytest
import skimage.data

from jaxsr import codec
from jaxsr.codec import container, tiles

PHOTO = skimage.data.astronaut()[20:220, 60:310]  # of 13×16 latents


SIZES = (1, 1), (1024, 1024), (1025, 30), (1536, 1535), (2048, 3000), (2570, 16 * 161), (9999, 70)


@pytest.mark.parametrize("height, width", SIZES)
def test_tiles_cover_the_image_once(height, width):
    count = np.zeros((-(-height // 16), -(-width // 16)), int)
    for place in tiles.places(height, width):
        own = place.own
        count[own.top : own.top + own.height, own.left : own.left + own.width] += 1
    assert np.all(count == 1)
    header = container.Header(width, height, 3, 0, bytes(4), 0)
    assert header.tiles == len(tiles.places(height, width))


@pytest.mark.parametrize("height, width", SIZES)
def test_the_transforms_see_a_margin_wherever_a_tile_has_a_neighbour(height, width):
    rows, columns = -(-height // 16), -(-width // 16)
    where = tiles.places(height, width)
    assert len({place.seen[2:] for place in where}) == 1  # one shape to compile
    for own, canvas, seen in where:
        assert canvas[:2] == own[:2] and min(np.subtract(canvas[2:], own[2:])) >= 0
        assert all(n % 8 == 0 for n in (*canvas, *seen))  # windows lie as in the whole image
        for axis, size in enumerate((rows, columns)):
            start, end = own[axis], own[axis] + own[axis + 2]
            assert seen[axis] <= max(0, start - tiles.MARGIN)
            assert seen[axis] + seen[axis + 2] >= min(size, end + tiles.MARGIN)


def test_no_tile_is_a_strip_and_margins_cost_less_than_half_a_side():
    for pixels in range(1, 20_000, 13):
        where = tiles.places(1, pixels)
        widths = [place.own.width for place in where]
        assert min(widths) >= min(41, -(-pixels // 16)) and max(widths) <= 96
        seen = sum(place.seen.width for place in where)
        assert seen <= 1.45 * max(pixels / 16, 64)


def test_a_window_repeats_the_edges_of_what_it_is_cut_from():
    x = np.arange(5 * 7).reshape(5, 7)
    window = tiles.Window(0, 2, 8, 8)
    expected = np.pad(x, ((0, 3), (0, 3)), mode="edge")[:, 2:]
    np.testing.assert_array_equal(tiles.cut(x, window), expected)
    pixels = np.repeat(np.repeat(x, 2, 0), 2, 1)
    wide = np.repeat(np.repeat(expected, 2, 0), 2, 1)
    np.testing.assert_array_equal(tiles.cut(pixels, window, 2), wide)


WHOLE = tiles.Window(0, 0, 16, 16)  # one canvas of all latents


def test_tiles_are_analysed_as_if_they_were_one(small, tiny_tiles):
    analysed = tiles.Analysed(small, PHOTO, None)
    assert len(analysed.places) == 4
    expected = np.asarray(small.analyse(tiles.cut(PHOTO, WHOLE, tiles.DOWN)))
    for place, y in zip(analysed.places, analysed.latents, strict=True):
        top, left, height, width = place.own
        part = expected[top : top + height, left : left + width]
        np.testing.assert_allclose(np.asarray(y)[:height, :width], part, atol=1e-4)


def test_tiles_are_synthesised_as_if_they_were_one(small, tiny_tiles):
    """So the borders between them cannot be seen: every pixel is the same."""
    analysed = tiles.Analysed(small, PHOTO, None)
    latents = np.empty((13, 16, small.latents), np.float32)
    for place, y in zip(analysed.places, analysed.latents, strict=True):
        top, left, height, width = place.own
        latents[top : top + height, left : left + width] = np.asarray(y)[:height, :width]
    steps = np.random.default_rng(0).integers(-9, 10, latents.shape[:2]).astype(np.int32)
    header = container.Header(PHOTO.shape[1], PHOTO.shape[0], 3, 0, small.hash, 500)
    whole = (0, 0, *PHOTO.shape[1::-1])
    image = tiles.assembled([small], header, latents, steps, analysed.places, whole)
    y, local = (tiles.cut(x, WHOLE) for x in (latents, steps))
    expected = np.asarray(small.synthesise(y, small.rate(500), local))
    difference = image.astype(int) - expected[: image.shape[0], : image.shape[1]]
    assert np.abs(difference).max() <= 1
    assert (difference != 0).mean() < 1e-3  # rounding at a tie


@pytest.mark.slow
def test_an_image_of_several_tiles_is_as_good_and_little_larger(small, monkeypatch):
    one = codec.encode(PHOTO, 50, model=small)
    expected = codec.decode(one, model=small)
    monkeypatch.setattr(container, "TILE", 128)
    several = codec.encode(PHOTO, 50, model=small)
    assert [len(container.parse(several).tiles), codec.info(several).grid] == [4, (2, 2)]
    decoded = codec.decode(several, model=small)
    # lanes, check, length: 9 to 13 bytes a tile
    assert len(several) < 1.02 * len(one) + 4 * 13
    error = [np.mean((x.astype(float) - PHOTO) ** 2) for x in (decoded, expected)]
    assert error[0] == pytest.approx(error[1], rel=0.05)


def test_a_region_reaches_into_all_tiles(small, tiny_tiles):
    mask = np.zeros(PHOTO.shape[:2], bool)
    mask[100:180, 100:230] = True
    errors = []
    for roi in (None, mask):
        data = codec.encode(PHOTO, 20, roi=roi, roi_gain=9.0, model=small)
        difference = codec.decode(data, model=small).astype(float) - PHOTO
        errors.append(np.mean(difference[mask] ** 2))
    assert errors[1] < 0.9 * errors[0]
