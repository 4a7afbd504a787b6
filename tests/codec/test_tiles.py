"""Tiles: no border to be seen, no bytes lost, and each with symbols of its own."""

import numpy as np
import pytest
import skimage.data

from jaxsr import codec
from jaxsr.codec import container, tiles

PHOTO = skimage.data.astronaut()[20:220, 60:310]  # of 13×16 latents


def test_tiles_cover_the_image_once():
    for height, width in ((1, 1), (1024, 1024), (1025, 30), (2048, 3000)):
        count = np.zeros((-(-height // 16), -(-width // 16)), int)
        for place in tiles.places(height, width):
            rows = slice(place.top, place.top + place.height)
            count[rows, place.left : place.left + place.width] += 1
        assert np.all(count == 1)
        header = container.Header(width, height, 3, 0, bytes(4), 0)
        assert header.tiles == len(tiles.places(height, width))


def test_a_canvas_repeats_the_edges_of_what_it_is_cut_from():
    x = np.arange(5 * 7).reshape(5, 7)
    place = tiles.Place(0, 4, 5, 3, (6, 4), 2)
    expected = np.pad(x, ((2, 3), (0, 3)), mode="edge")[:, 2:]
    np.testing.assert_array_equal(tiles.cut(x, place, 1, 2), expected)
    pixels = np.repeat(np.repeat(x, 2, 0), 2, 1)
    wide = np.repeat(np.repeat(expected, 2, 0), 2, 1)
    np.testing.assert_array_equal(tiles.cut(pixels, place, 2, 2), wide)


def whole(latents):
    """One tile of all latents, with the margin that several have."""
    sides = latents.shape[:2]
    return tiles.Place(0, 0, *sides, tuple(-(-side // 8) * 8 for side in sides), tiles.MARGIN)


def test_tiles_are_analysed_as_if_they_were_one(small, tiny_tiles):
    analysed = tiles.Analysed(small, PHOTO, None)
    assert len(analysed.places) == 4
    plane = np.empty((13, 16, 1))
    expected = small.analyse(tiles.cut(PHOTO, whole(plane), tiles.DOWN, tiles.MARGIN))
    expected = np.asarray(expected)[tiles.MARGIN :, tiles.MARGIN :]
    for place, y in zip(analysed.places, analysed.latents, strict=True):
        rows, columns = slice(place.height), slice(place.width)
        part = expected[place.top :, place.left :][rows, columns]
        np.testing.assert_allclose(np.asarray(y)[rows, columns], part, atol=1e-4)


def test_tiles_are_synthesised_as_if_they_were_one(small, tiny_tiles):
    """So the borders between them cannot be seen: every pixel is the same."""
    analysed = tiles.Analysed(small, PHOTO, None)
    latents = np.empty((13, 16, small.latents), np.float32)
    for place, y in zip(analysed.places, analysed.latents, strict=True):
        rows = slice(place.top, place.top + place.height)
        columns = slice(place.left, place.left + place.width)
        latents[rows, columns] = np.asarray(y)[: place.height, : place.width]
    steps = np.random.default_rng(0).integers(-9, 10, latents.shape[:2]).astype(np.int32)
    header = container.Header(PHOTO.shape[1], PHOTO.shape[0], 3, 0, small.hash, 500)
    image = tiles.assembled([small], header, latents, steps, analysed.places)
    y, local = (tiles.cut(x, whole(latents), 1, tiles.MARGIN) for x in (latents, steps))
    inner = tiles.MARGIN * tiles.DOWN
    expected = np.asarray(small.synthesise(y, small.rate(500), local))[inner:, inner:]
    difference = image.astype(int) - expected[: image.shape[0], : image.shape[1]]
    assert np.abs(difference).max() <= 1
    assert (difference != 0).mean() < 1e-3  # rounding at a tie


def test_an_image_of_several_tiles_is_as_good_and_little_larger(small, monkeypatch):
    one = codec.encode(PHOTO, 50, model=small)
    expected = codec.decode(one, model=small)
    monkeypatch.setattr(tiles, "SIDE", 8)
    monkeypatch.setattr(container, "TILE", 8 * tiles.DOWN)
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
