"""The codec as a user calls it: images of all kinds, wanted sizes, regions, errors, gradients."""

import dataclasses
import re

import jax.numpy as jnp
import numpy as np
import pytest
import skimage.data

from jaxsr import codec, zoo
from jaxsr.codec import container, half, prepared
from jaxsr.image import files, metrics
from jaxsr.image.values import to_float

PHOTO = skimage.data.chelsea()[40:240, 80:330]
CAT = PHOTO[60:124, 20:120]


def psnr(a, b):
    """In dB, of 8-bit images or parts of them."""
    return 10 * np.log10(255**2 / np.mean((np.asarray(a, float) - np.asarray(b, float)) ** 2))


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 17), (15, 16), (17, 33), (64, 64), (100, 200)], ids=str
)
def test_images_of_any_size_come_back_like_themselves(small, size):
    image = PHOTO[: size[0], : size[1]]
    data = codec.encode(image, 90, model=small)
    header = codec.info(data)
    assert (header.height, header.width, header.quality) == (*size, 90)
    decoded = codec.decode(data, model=small)
    assert decoded.shape == image.shape and decoded.dtype == np.uint8
    assert psnr(decoded, image) > 24


@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
def test_gray_colour_and_alpha_come_back_alpha_without_loss(small, channels):
    image = np.dstack([CAT, CAT[::-1, :, 1]])
    image = {None: image[..., 1], 1: image[..., 1:2], 2: image[..., 2:]}.get(
        channels, image[..., :channels]
    )
    decoded = codec.decode(codec.encode(image, 90, model=small), model=small)
    assert decoded.shape == (image[..., 0] if channels == 1 else image).shape
    decoded = decoded.reshape(image.shape)
    with_alpha = channels in (2, 4)
    colours = slice(-1) if with_alpha else slice(None)
    assert psnr(decoded[..., colours], image[..., colours]) > 22
    if with_alpha:
        np.testing.assert_array_equal(decoded[..., -1], image[..., -1])


def test_floats_arrays_of_jax_pictures_and_files_are_taken_alike(small, tmp_path):
    expected = codec.encode(CAT, model=small)
    files.write(tmp_path / "cat.png", files.Picture(CAT))
    floats = CAT.astype(np.float32) / 255
    for image in (
        floats,
        floats.astype(np.float64),
        jnp.asarray(CAT),
        jnp.asarray(floats),
        files.Picture(CAT),
        tmp_path / "cat.png",
    ):
        assert codec.encode(image, model=small) == expected


def test_an_icc_profile_is_kept_and_exif_on_request_alone(small):
    picture = files.Picture(CAT, icc=b"profile", exif=b"Exif\0\0tags")
    for keep in (False, True):
        data = codec.encode(picture, keep_metadata=keep, model=small)
        decoded = codec.decode_picture(data, model=small)
        assert (decoded.icc, decoded.exif) == (picture.icc, picture.exif if keep else None)


def test_a_weights_file_serves_as_well_as_a_model(small, small_path):
    data = codec.encode(CAT, model=small_path)
    assert data == codec.encode(CAT, model=small)
    np.testing.assert_array_equal(
        codec.decode(data, model=small_path), codec.decode(data, model=small)
    )


def assert_monotone(model, image, qualities):
    every = [codec.encode(image, quality, model=model) for quality in qualities]
    sizes = [len(data) for data in every]
    quality = [psnr(codec.decode(data, model=model), image) for data in every]
    assert np.all(np.diff(sizes) > 0), sizes
    assert np.all(np.diff(quality) > 0), quality


def test_bytes_and_psnr_grow_with_the_quality(small):
    assert_monotone(small, PHOTO, [1, 20, 40, 60])


def test_bytes_and_psnr_of_the_released_codec_grow_over_all_qualities(released):
    assert_monotone(released, PHOTO, [1, 10, 25, 40, 50, 60, 75, 90, 100])


def test_no_blocks_are_seen_in_photographs_coded_by_the_released_codec(released, shared):
    photos = [files.read(path).pixels for path in sorted((shared / "data/test/kodak").iterdir())]
    photos = [pixels for pixels in photos if pixels.shape[:2] == (512, 768)][::4]
    for quality in (1, 20, 40):
        data = [codec.encode(pixels, quality=quality, model=released) for pixels in photos]
        output = [codec.decode(one, model=released) for one in data]
        for period in (8, 16):
            seen = np.mean([metrics.blockiness(pixels, period) for pixels in output])
            assert seen < 1.02, (quality, period)


LIMITS = 2200, 2800, 4000


def assert_met(model, monkeypatch, image, limits):
    """Within 3 % and never over; and in how few tries."""
    tries = []
    at = prepared.Prepared.at
    monkeypatch.setattr(prepared.Prepared, "at", lambda *args: tries.append(args) or at(*args))
    for limit in limits:
        tries.clear()
        data = codec.encode(image, max_bytes=limit, model=model)
        assert limit * (1 - prepared.TOLERANCE) <= len(data) <= limit
        assert len(tries) <= 10
        assert codec.info(data).quality == 0
    pixels = image.shape[0] * image.shape[1]
    assert data == codec.encode(image, bpp=(limit + 0.5) * 8 / pixels, model=model)


def test_a_wanted_size_is_met_within_three_percent_and_never_exceeded(small, monkeypatch):
    assert_met(small, monkeypatch, PHOTO, LIMITS)


def test_the_released_codec_meets_wanted_sizes(released, monkeypatch):
    assert_met(released, monkeypatch, PHOTO, [2000, 5000, 10_000])


def score_of(option, data, image, model):
    measure = {"target_psnr": metrics.psnr, "target_msssim": metrics.ms_ssim}[option]
    decoded = codec.decode(data, model=model)
    return float(measure(to_float(image), to_float(decoded)))


def assert_reached(model, monkeypatch, image, option, target):
    """By a file of the lowest level that does, found in few tries."""
    tries = []
    at = prepared.Prepared.at
    monkeypatch.setattr(prepared.Prepared, "at", lambda *args: tries.append(args) or at(*args))
    data = codec.encode(image, **{option: target}, model=model)
    monkeypatch.undo()
    header = codec.info(data)
    assert header.quality == 0 and len(tries) <= 11
    assert score_of(option, data, image, model) >= target
    source = prepared.Original(files.Picture(np.atleast_3d(image)), None, 10.0, False)
    below = prepared.Prepared(model, source).at(header.level - 1)
    assert score_of(option, below, image, model) < target


TARGETS = [("target_psnr", 28.0), ("target_psnr", 29.0), ("target_msssim", 0.95)]


@pytest.mark.parametrize(("option", "target"), TARGETS)
def test_a_wanted_likeness_is_reached_by_the_smallest_file(small, monkeypatch, option, target):
    assert_reached(small, monkeypatch, PHOTO, option, target)
    assert_reached(small, monkeypatch, PHOTO[..., 1], option, target)


def test_the_released_codec_reaches_wanted_likenesses(released, monkeypatch):
    for option, target in (("target_psnr", 36.0), ("target_msssim", 0.98)):
        assert_reached(released, monkeypatch, PHOTO[:168, :176], option, target)


def test_auto_takes_the_smaller_of_the_files_that_are_as_alike_as_wanted(small):
    image, sizes = PHOTO[:64, :90], {}
    for target in (25.0, 28.0):
        for mode in codec.MODES:
            try:
                data = codec.encode(image, target_psnr=target, mode=mode, model=small)
            except ValueError as error:
                assert mode == "half" and re.search(r"has PSNR 28 dB; the best .* dB", str(error))
                continue
            sizes[mode] = len(data)
            assert score_of("target_psnr", data, image, small) >= target
        assert sizes.pop("auto") == min(sizes.values())
        sizes.clear()


def test_a_likeness_that_cannot_be_reached_says_one_that_can(small):
    with pytest.raises(ValueError, match="no file of this image has PSNR 70 dB") as error:
        codec.encode(CAT, target_psnr=70.0, model=small)
    (best,) = re.findall(r"has ([\d.]+) dB: ask for that or less", str(error.value))
    data = codec.encode(CAT, target_psnr=float(best), model=small)
    assert score_of("target_psnr", data, CAT, small) >= float(best)


def test_likeness_is_that_of_the_visible_colours(small):
    hidden = np.dstack([PHOTO, np.full(PHOTO.shape[:2], 255, np.uint8)])
    hidden[50:150, 50:150] = 0  # black under full transparency
    data = codec.encode(hidden, target_psnr=28.0, model=small)
    decoded = codec.decode(data, model=small)
    seen = hidden[..., 3] > 0
    assert psnr(decoded[seen, :3], hidden[seen, :3]) > 27
    assert len(data) < 2 * len(codec.encode(PHOTO, target_psnr=28.0, model=small))


def test_more_than_the_best_quality_takes_is_never_wasted(small):
    best = codec.encode(CAT, 100, model=small)
    data = codec.encode(CAT, max_bytes=10**9, model=small)
    assert len(data) == len(best)
    assert codec.encode(CAT, bpp=1e300, model=small) == data


def assert_region_pays(model, limit, gain):
    """With equal bytes the region is better, and what surrounds it worse."""
    mask = np.zeros(PHOTO.shape[:2], bool)
    mask[48:144, 64:160] = True
    found = []
    for roi in (None, mask):
        data = codec.encode(PHOTO, max_bytes=limit, roi=roi, roi_gain=gain, model=model)
        assert len(data) <= limit
        decoded = codec.decode(data, model=model)
        found.append((psnr(decoded[mask], PHOTO[mask]), psnr(decoded[~mask], PHOTO[~mask])))
    (inside, outside), (finer, coarser) = found
    assert finer > inside + 0.1 and coarser < outside - 0.1, found


def test_bits_move_to_the_region(small):
    assert_region_pays(small, 2800, 6.0)


def test_the_released_codecs_bits_move_to_the_region(released):
    assert_region_pays(released, 4000, 6.0)


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (CAT.astype(np.uint16), {}, "16 bits"),
        (files.Picture(CAT.astype(np.uint16)), {}, "16 bits"),
        (CAT.astype(int), {}, "uint8, .*int64"),
        (CAT > 9, {}, "uint8, .*bool"),
        (CAT[0, 0], {}, r"\(height, width\)"),
        (CAT[:0], {}, r"got \(0, 100, 3\)"),
        (np.dstack([CAT, CAT]), {}, "1 to 4 channels"),
        (CAT.astype(np.float32), {}, r"in \[0, 1\], got .* to 2"),
        (np.full((4, 4), np.nan, np.float32), {}, r"in \[0, 1\]"),
        ("nothere.png", {}, "nothere.png"),
        (CAT, {"quality": 0}, "quality is a whole number of 1 to 100, got 0"),
        (CAT, {"quality": 101}, "quality is a whole number of 1 to 100"),
        (CAT, {"bpp": 1.0, "max_bytes": 9}, "not both"),
        (CAT, {"bpp": 0.0}, "bpp is more than 0"),
        (CAT, {"bpp": float("nan")}, "bpp is more than 0"),
        (CAT, {"max_bytes": 0}, "max_bytes is 1 or more"),
        (CAT, {"quality": 50, "bpp": 1.0}, "give quality or bpp, not both"),
        (CAT, {"max_bytes": 99, "target_psnr": 30.0}, "max_bytes or target_psnr, not both"),
        (CAT, {"bpp": 1.0, "target_psnr": 30.0, "target_msssim": 0.9}, "only one of them"),
        (CAT, {"target_psnr": 0.0}, "target_psnr is a number of more than 0, got 0.0"),
        (CAT, {"target_psnr": float("nan")}, "target_psnr is a number of more than 0, got nan"),
        (CAT, {"target_psnr": float("inf")}, "target_psnr is a number of more than 0, got inf"),
        (PHOTO, {"target_msssim": 1.0}, "more than 0 and less than 1, got 1.0"),
        (CAT, {"target_msssim": 0.9}, "at least 161 pixels a side, this one has 100×64"),
        (CAT, {"max_bytes": 40}, r"the smallest file of this image is \d+ bytes, not 40"),
        (
            CAT,
            {"max_bytes": 40, "mode": "auto"},
            r"is (\d+) bytes, not 40; ask for \1 bytes or more$",
        ),
        (CAT, {"mode": "quarter"}, "full, half or auto, got 'quarter'"),
        (CAT, {"mode": "half", "upscaler": "nope"}, "unknown upscaler 'nope'"),
        (CAT, {"roi": np.ones((9, 9), bool)}, "mask is 9×9, the image 100×64"),
        (CAT, {"roi": np.ones((*CAT.shape[:2], 4), bool)}, "of 4 channels"),
        (CAT, {"roi": np.ones(CAT.shape[:2], bool), "roi_gain": 99.0}, "dB"),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, str | dict) else "",
)
def test_what_cannot_be_is_one_clear_error(small, image, options, message):
    with pytest.raises(ValueError, match=message) as error:
        codec.encode(image, model=small, **options)
    assert "\n" not in str(error.value)


def test_a_wrong_model_is_a_clear_error(small, tmp_path):
    data = codec.encode(CAT, model=small)
    other = dataclasses.replace(small, gains=small.gains + 1)
    with pytest.raises(ValueError, match=f"with another model .*{small.hash.hex()}.*given"):
        codec.decode(data, model=other)
    with pytest.raises(ValueError, match="a model that is not here"):
        codec.decode(data)
    with pytest.raises(ValueError, match="unknown codec 'nope'; released: "):
        codec.encode(CAT, model="nope")
    with pytest.raises(ValueError, match="no such weights file"):
        codec.decode(data, model=tmp_path / "nope.safetensors")


def test_wrong_weights_under_a_right_hash_are_noticed_by_the_symbols(small):
    """As a machine would be that computed other integers."""
    data = codec.encode(CAT, model=small)
    other = dataclasses.replace(small, offsets=small.offsets + 256)
    file = container.parse(data)
    header = dataclasses.replace(file.header, model_hash=other.hash)
    with pytest.raises(ValueError, match="tile 1 of 1 does not decode to what was coded"):
        codec.decode(container.pack(dataclasses.replace(file, header=header)), model=other)


# ---- half the size ----


@pytest.mark.parametrize("size", [(1, 1), (63, 90)], ids=str)
def test_pictures_kept_at_half_their_size_come_back_whole(small, size):
    image = np.dstack([PHOTO, PHOTO[..., 0]])[: size[0], : size[1]]
    mask = np.ones(size, bool)
    data = codec.encode(image, 90, mode="half", roi=mask, model=small)
    header = codec.info(data)
    assert (header.height, header.width, header.scale) == (*size, 2)
    assert header.upscaler == half.load_enlarger().hash
    assert len(data) < len(codec.encode(image, 90, model=small)) or size == (1, 1)
    decoded = codec.decode(data, model=small)
    assert decoded.shape == image.shape and decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded[..., 3], image[..., 3])
    assert psnr(decoded[..., :3], image[..., :3]) > 24
    assert (codec.region_of(data) == mask).all()


def test_a_gray_picture_at_half_its_size_is_the_upscaler_of_the_half(small):
    gray = PHOTO[:64, :90, 1]
    data = codec.encode(gray, 80, mode="half", model=small)
    reduced = half.reduced(gray[..., None])
    as_coded = codec.decode(codec.encode(reduced, 80, model=small), model=small)[..., None]
    expected = half.load_enlarger()(as_coded, *gray.shape)[..., 0]
    np.testing.assert_array_equal(codec.decode(data, model=small), expected)


def test_auto_keeps_whichever_is_nearer_to_the_original(small):
    image, found = PHOTO[:64, :90], {}
    for limit in (900, 10**6):
        for mode in codec.MODES:
            data = codec.encode(image, max_bytes=limit, mode=mode, model=small)
            found[mode] = psnr(codec.decode(data, model=small), image), codec.info(data).scale
        assert found["auto"] == max(found["full"], found["half"])
    assert found["auto"][1] == 1  # with bytes enough


def test_half_the_size_reaches_sizes_that_the_whole_does_not(small):
    image = PHOTO[:64, :90]
    smallest = len(codec.encode(image, 1, model=small))
    with pytest.raises(ValueError, match="at half its size it can be smaller: mode half, or auto"):
        codec.encode(image, max_bytes=smallest - 1, model=small)
    data = codec.encode(image, max_bytes=smallest - 1, mode="auto", model=small)
    assert len(data) < smallest and codec.info(data).scale == 2


def test_auto_takes_no_more_bytes_than_the_quality_takes_at_full_size(small):
    full = codec.encode(CAT, 30, model=small)
    data = codec.encode(CAT, 30, mode="auto", model=small)
    assert data == full or (len(data) <= len(full) and codec.info(data).scale == 2)


def test_errors_within_a_finer_region_count_more(small):
    mask = np.zeros(CAT.shape[:2], bool)
    mask[:32] = True
    inside, outside = CAT.copy(), CAT.copy()
    inside[:32] ^= 8
    outside[32:] ^= 8
    source = prepared.Original(files.Picture(CAT), mask, 10.0, False)
    ratio = source.error(inside) / source.error(outside)
    assert ratio == pytest.approx(10 ** (9 * 1.069 / 10), rel=0.05)  # 10 dB are 9 steps


def test_another_upscaler_than_the_files_own_is_a_clear_error(small, tmp_path):
    data = codec.encode(CAT, mode="half", model=small)
    weights = zoo.read_weights(zoo.find_weights(zoo.UPSCALER, half.DEFAULT, 2), zoo.UPSCALER)
    weights.params["enhance"]["block_0"]["conv_0"]["bias"][0] += 0.5
    path = tmp_path / "other.safetensors"
    zoo.weights.write(path, weights)
    with pytest.raises(ValueError, match=r"with another upscaler .*201f6149.*than the one given"):
        codec.decode(data, model=small, upscaler=path)
    other = codec.encode(CAT, mode="half", model=small, upscaler=path)
    with pytest.raises(
        ValueError, match=r"an upscaler that is not here .*its weights file as the u"
    ):
        codec.decode(other, model=small)
    with pytest.raises(ValueError, match="takes an upscaler ×2"):
        codec.encode(
            CAT,
            mode="half",
            model=small,
            upscaler=zoo.find_weights(zoo.UPSCALER, half.DEFAULT, 4),
        )


# ---- the region in a file ----


def test_a_region_too_fine_for_the_bytes_wanted_is_made_less_fine(small):
    mask = np.ones(CAT.shape[:2], bool)
    limit = len(codec.encode(CAT, 1, roi=mask, roi_gain=6.0, model=small)) + 10
    data = codec.encode(CAT, max_bytes=limit, roi=mask, roi_gain=24.0, model=small)
    assert len(data) <= limit
    assert np.unique(container.parse(data).region).tolist() in ([6], [11])


def test_the_region_of_a_file_is_the_one_it_was_made_with(small):
    mask = np.zeros(PHOTO.shape[:2], bool)
    mask[48:144, 64:160] = True
    for mode in ("full", "half"):
        region = codec.region_of(codec.encode(PHOTO, 20, roi=mask, mode=mode, model=small))
        assert ((region > 0.5) != mask).mean() < 0.02 and region.shape == mask.shape
    assert codec.region_of(codec.encode(CAT, model=small)) is None


def test_a_region_is_said_to_the_codec_as_to_the_pipeline(small, tmp_path):
    mask = np.zeros(CAT.shape[:2], np.uint8)
    mask[10:50, 20:90] = 255
    files.write(tmp_path / "mask.png", files.Picture(mask[..., None]))
    files.write(tmp_path / "cat.png", files.Picture(CAT))
    expected = codec.encode(CAT, 20, roi=mask > 0, model=small)
    assert expected != codec.encode(CAT, 20, model=small)
    for roi in (mask, mask[..., None], [(20, 10, 70, 40)], tmp_path / "mask.png"):
        assert codec.encode(tmp_path / "cat.png", 20, roi=roi, model=small) == expected

    def doubtful(colour):
        return mask / np.float32(255) * np.float32(0.6)

    assert codec.encode(CAT, 20, roi="auto", segmenter=doubtful, model=small) == expected
    assert codec.encode(CAT, 20, roi=doubtful, model=small) == expected
    with pytest.raises(ValueError, match="'auto', 'all', boxes, a mask or its file"):
        codec.encode(CAT, 20, roi="face", model=small)
