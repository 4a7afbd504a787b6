"""Parts of a file: the tiles under a box, and those that are left of a damaged file."""

import dataclasses

import numpy as np
import pytest
import skimage.data

from jaxsr import codec
from jaxsr.codec import container, symbols
from jaxsr.errors import UserError
from jaxsr.image import files

PHOTO = skimage.data.astronaut()[:250, 60:430]  # of 16×24 latents
GRID = 2, 3


@pytest.fixture
def data(small, tiny_tiles):
    """A file of six tiles."""
    data = codec.encode(PHOTO, 50, model=small)
    assert codec.info(data).grid == GRID
    return data


def opened(counted, monkeypatch):
    """Note which tiles' symbols are read."""
    read = symbols.read

    def noted(*args):
        counted.append(args[-1])
        return read(*args)

    monkeypatch.setattr(symbols, "read", noted)


@pytest.mark.parametrize(
    "box", [(0, 0, 1, 1), (120, 100, 80, 60), (-9, 230, 5000, 5000), (0, 0, 370, 250)]
)
def test_a_box_is_the_crop_of_the_whole(data, small, box):
    x, y, width, height = box
    expected = codec.decode(data, model=small)[max(y, 0) : y + height, max(x, 0) : x + width]
    np.testing.assert_array_equal(codec.decode(data, box=box, model=small), expected)


def test_only_the_tiles_of_a_box_and_their_neighbours_are_read(small, tiny_tiles, monkeypatch):
    data = codec.encode(np.tile(PHOTO[:80], (1, 2, 1))[:, :620], 50, model=small)
    assert codec.info(data).grid == (1, 5)
    counted = []
    opened(counted, monkeypatch)
    codec.decode(data, box=(530, 10, 60, 40), model=small)
    assert sorted(counted) == [f"tile {i} of 5" for i in (3, 4, 5)]


def test_alpha_is_cropped_and_profiles_stay(small, tiny_tiles):
    alpha = (PHOTO[..., 0] > 99) * np.uint8(255)
    data = codec.encode(files.Picture(PHOTO, alpha, icc=b"profile"), model=small)
    picture = codec.decode_picture(data, box=(30, 40, 50, 20), model=small)
    np.testing.assert_array_equal(picture.alpha, alpha[40:60, 30:80])
    assert picture.pixels.shape == (20, 50, 3) and picture.icc == b"profile"


@pytest.mark.parametrize("box", [(33, 21, 60, 75), (0, 0, 1, 1), (368, 248, 1, 1)])
def test_a_box_of_a_file_at_half_its_size_is_the_crop_within_one(small, box):
    data = codec.encode(PHOTO[:249, :369], 50, mode="half", model=small)
    x, y, width, height = box
    expected = codec.decode(data, model=small)[y : y + height, x : x + width].astype(int)
    assert np.abs(codec.decode(data, box=box, model=small) - expected).max() <= 1


@pytest.mark.parametrize(
    "box, message",
    [
        ((370, 0, 5, 5), r"box 370,0,5,5 .* outside the image of 370×250 pixels"),
        ((0, 0, 0, 5), "is empty"),
        ((0, 0, 5), "four whole numbers"),
    ],
)
def test_a_box_that_cannot_be_is_refused(data, small, box, message):
    with pytest.raises(UserError, match=message):
        codec.decode(data, box=box, model=small)


def cut_after(data, count):
    """The file up to its tile number ``count``, and some of the next."""
    file = container.parse(data)
    length = sum(len(t.words) + 7 + (len(t.words) // 2 > 127) for t in file.tiles[count:])
    return data[: len(data) - 4 - length + 10]


def test_of_a_file_cut_short_the_tiles_that_are_there_are_decoded(data, small):
    expected = codec.decode(data, model=small)
    cut = cut_after(data, 4)
    with pytest.raises(UserError, match=r"cut off: .* ends within tile 5 of 6"):
        codec.decode(cut, model=small)
    picture, missing = codec.decode_partial(cut, model=small)
    assert missing == ((128, 128, 128, 122), (256, 128, 114, 122))
    gray = np.zeros(PHOTO.shape[:2], bool)
    gray[128:, 128:] = True
    assert np.all(picture.pixels[gray] == 128)
    far = np.ones_like(gray)
    far[64:, 64:] = False  # next to what is missing the transforms see nothing of it
    np.testing.assert_array_equal(picture.pixels[far], expected[far])
    assert np.abs(picture.pixels[~gray] - expected[~gray].astype(int)).mean() < 3


def test_a_damaged_tile_is_left_gray_and_a_whole_file_misses_nothing(data, small):
    picture, missing = codec.decode_partial(data, model=small)
    assert missing == ()
    np.testing.assert_array_equal(picture.pixels, codec.decode(data, model=small))
    file = container.parse(data)
    words = bytearray(file.tiles[1].words)
    words[20] ^= 1
    tile = dataclasses.replace(file.tiles[1], words=bytes(words))
    damaged = dataclasses.replace(file, tiles=(file.tiles[0], tile, *file.tiles[2:]))
    _, missing = codec.decode_partial(container.pack(damaged), model=small)
    assert missing == ((128, 0, 128, 128),)


def test_a_file_without_one_whole_tile_is_an_error(data, small):
    for length in (5, 12, 40):
        with pytest.raises(UserError, match="no tile of it is whole"):
            codec.decode_partial(data[:length], model=small)
    with pytest.raises(UserError, match="no tile that belongs into it is whole"):
        codec.decode_partial(cut_after(data, 4), box=(300, 200, 20, 20), model=small)
    with pytest.raises(UserError, match=r"not a \.jsr file"):
        codec.decode_partial(b"GIF89a", model=small)


def test_the_region_of_a_box_is_the_crop_of_the_whole(small):
    mask = np.zeros(PHOTO.shape[:2], bool)
    mask[40:120, 60:200] = True
    data = codec.encode(PHOTO, 20, roi=mask, model=small)
    whole, part = codec.region_of(data), codec.region_of(data, box=(50, 30, 40, 20))
    np.testing.assert_array_equal(part, whole[30:50, 50:90])
    assert part.any() and not part.all()
