"""Rate and distortion: of codecs that are, against Pillow and scikit-image; and of made-up ones."""

import io as files
import math
import time

import numpy as np
import pytest
import skimage.data
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from jaxsr.evaluation.codecs import classical
from jaxsr.evaluation.codecs.protocol import Codec, check_qualities, evaluate, measure

PHOTO = skimage.data.astronaut()[:176, 100:292]
GRAY = skimage.data.camera()[100:148, 100:164]
SMALL = PHOTO[:48, :64]


def plain(offset=0, name="plain", **options):
    """A codec that stores pixels as they are, but for ``offset``."""

    def encode(pixels, quality):
        return bytes([*pixels.shape, quality]) + (pixels + np.uint8(offset)).tobytes()

    def decode(data):
        return np.frombuffer(data[4:], np.uint8).reshape(*data[:3])

    return Codec(name, encode, decode, **options)


def test_jpeg_has_the_bytes_and_psnr_of_pillow_and_scikit_image():
    (curve,) = evaluate([(classical.create("jpeg"), (30, 80))], [("photo", PHOTO)])
    assert curve.name == "JPEG" and "optimize" in curve.about
    for point in curve.points:
        file = files.BytesIO()
        Image.fromarray(PHOTO).save(file, "JPEG", quality=point.quality, optimize=True)
        measured = point.images["photo"]
        assert measured.bytes == len(file.getvalue())
        assert measured.bpp == 8 * len(file.getvalue()) / (176 * 192)
        psnr = peak_signal_noise_ratio(PHOTO, np.asarray(Image.open(file)))
        assert measured.psnr == pytest.approx(psnr, abs=1e-3)
        assert 0.9 < measured.ms_ssim < 1
        assert measured.encode_seconds > 0 and measured.decode_seconds > 0


@pytest.mark.parametrize("key", classical.CODECS)
def test_more_quality_is_more_bytes_and_more_decibels_in_rgb_and_in_gray(key):
    try:
        codec = classical.create(key)
    except ValueError as error:
        pytest.skip(str(error))
    for image in (SMALL, GRAY):
        (curve,) = evaluate([(codec, (10, 50, 90))], [("image", image)])
        assert sorted(set(curve.bpp)) == curve.bpp
        assert sorted(set(curve.psnr)) == curve.psnr
        assert curve.psnr[0] > 20 and curve.psnr[-1] > 35
    assert "image" in curve.points[0].images


def test_a_codec_that_is_not_there_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="unknown codec 'gif'; there are: jpeg, webp, avif"):
        classical.create("gif")
    monkeypatch.setattr(classical.features, "check", lambda _: False)
    with pytest.raises(ValueError, match="avif cannot be measured: neither Pillow"):
        classical.create("avif")


def test_means_are_over_images_of_their_bpps_and_decibels():
    images = [("small", SMALL), ("wide", PHOTO[:48])]
    one, two = evaluate([(plain(1), (1,)), (plain(4, "four"), (1, 2))], images)
    assert (one.name, two.name, len(two.points)) == ("plain", "four", 2)
    (point,) = one.points
    bpps = [8 * (4 + 3 * 48 * width) / (48 * width) for width in (64, 192)]
    assert [measured.bpp for measured in point.images.values()] == bpps
    assert one.bpp == [pytest.approx(np.mean(bpps))]
    assert point.mean.bytes == 4 + 3 * 48 * 128
    psnrs = [measured.psnr for measured in point.images.values()]
    assert one.psnr == [pytest.approx(np.mean(psnrs))]


def test_an_exact_copy_is_infinite_decibels_and_a_small_image_has_no_ms_ssim():
    (curve,) = evaluate([(plain(), (1,))], [("small", SMALL)])
    measured = curve.points[0].images["small"]
    assert math.isinf(measured.psnr) and math.isnan(measured.ms_ssim)


def test_gray_is_coded_as_gray_and_compared_as_rgb():
    seen = []

    def encode(pixels, quality):
        seen.append(pixels.shape)
        return pixels.tobytes()

    def as_gray(data):
        return np.frombuffer(data, np.uint8).reshape(GRAY.shape) ^ 1

    def as_rgb(data):
        return as_gray(data)[..., None].repeat(3, -1)

    a, b = evaluate(
        [(Codec("a", encode, as_gray), (1,)), (Codec("b", encode, as_rgb), (1,))], [("gray", GRAY)]
    )
    assert seen == [(48, 64, 1)] * 2
    assert a.psnr == b.psnr == [pytest.approx(10 * math.log10(255**2), abs=1e-3)]


def test_compiling_is_not_timed():
    calls = []

    def slow_at_first(value):
        def call(*_):
            calls.append(value)
            time.sleep(0.2 if calls.count(value) == 1 else 0)
            return value

        return call

    slow_image = slow_at_first("image")
    codec = Codec("c", slow_at_first(b"x"), lambda _: slow_image() and SMALL, compiles=True)
    measured, _ = measure(codec, SMALL, 1)
    assert calls == [b"x", b"x", "image", "image"]
    assert measured.encode_seconds < 0.1 and measured.decode_seconds < 0.1


def test_a_folder_is_read_within_a_limit_and_every_reconstruction_given(tmp_path):
    for name in ("b", "a", "c"):
        Image.fromarray(SMALL).save(tmp_path / f"{name}.png")
    seen = []
    codecs = [(plain(1), (3, 5))]
    (curve,) = evaluate(codecs, tmp_path, limit=2, picture=lambda *what: seen.append(what))
    assert [what[:3] for what in seen] == [(n, "plain", q) for n in ("a", "b") for q in (3, 5)]
    np.testing.assert_array_equal(seen[0][3], SMALL + np.uint8(1))
    assert list(curve.points[1].images) == ["a", "b"]


def test_what_cannot_be_measured_is_said_in_one_line():
    with pytest.raises(ValueError, match="quality 101: plain takes whole numbers from 1 to 100"):
        evaluate([(plain(), (50, 101))], [("small", SMALL)])
    with pytest.raises(ValueError, match="no qualities to measure plain at"):
        check_qualities(plain(), ())
    with pytest.raises(ValueError, match="no images"):
        evaluate([(plain(), (1,))], [])
    half = Codec("half", lambda pixels, _: b"", lambda _: SMALL[::2])
    with pytest.raises(ValueError, match=r"half: decoding gave uint8 of \(24, 64, 3\)"):
        measure(half, SMALL, 1)


def test_jpeg_of_kodak_is_published_jpeg_but_for_its_huffman_tables(shared):
    def with_standard_tables(image):
        file = files.BytesIO()
        image.save(file, "JPEG", quality=5)
        return len(file.getvalue())

    jpeg = classical.create("jpeg")
    paths = sorted((shared / "data" / "test" / "kodak").glob("*.png"))
    images = [Image.open(path).convert("RGB") for path in paths]
    pixels = 768 * 512
    published = [8 * with_standard_tables(image) / pixels for image in images]
    ours = [8 * len(jpeg.encode(np.asarray(image), 5)) / pixels for image in images]
    # the first point of the published curve of JPEG, and of ours, in bits per pixel
    assert np.mean(published) == pytest.approx(0.22115, rel=1e-3)
    assert np.mean(ours) == pytest.approx(0.14080, rel=1e-2)
