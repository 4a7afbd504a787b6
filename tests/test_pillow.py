"""``import jaxsr.pillow``: Pillow and imageio read and write ``.jsr`` files."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

import jaxsr.pillow
from jaxsr import codec
from jaxsr.errors import UserError
from jaxsr.image import files

REPO = Path(__file__).resolve().parent.parent
CAT = skimage.data.chelsea()[100:148, 100:164]
RGBA = Image.fromarray(np.dstack([CAT, CAT[::-1, :, 1]]))
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def save(tiny_codec):
    """``save(image, …)``: the bytes of its file, by the small codec."""

    def bytes_of(image, **options):
        out = io.BytesIO()
        image.save(out, "JSR", model=tiny_codec, **options)
        return out.getvalue()

    return bytes_of


def opened(data):
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_images_are_saved_and_opened_as_the_codec_does(save, tiny_codec, mode):
    image = RGBA.convert(mode)
    data = save(image, quality=70)
    assert data == codec.encode(np.asarray(image), 70, model=tiny_codec)
    back = opened(data)
    assert (back.format, back.mode, back.size) == ("JSR", mode, (64, 48))
    assert back.info == {"quality": 70} and back.get_format_mimetype() == "image/x-jsr"
    back.load(model=tiny_codec)
    np.testing.assert_array_equal(np.asarray(back), codec.decode(data, model=tiny_codec))


def test_every_way_to_say_how_it_is_coded_reaches_the_codec(save, tiny_codec):
    image, box = Image.fromarray(CAT), [(8, 8, 24, 24)]
    for options in (
        {"bpp": 4.0},
        {"max_bytes": 1500, "roi": box, "roi_gain": 6.0},
        {"quality": 20, "mode": "half", "upscaler": "span-compact"},
        {"roi": "auto", "segmenter": lambda colour: np.ones(colour.shape[:2], np.float32)},
    ):
        assert save(image, **options) == codec.encode(CAT, model=tiny_codec, **options)
    assert save(image, optimize=True, dpi=(72, 72)) == codec.encode(CAT, model=tiny_codec)


def test_files_are_saved_and_opened_by_their_names(tmp_path):
    path = tmp_path / "cat.jsr"
    Image.fromarray(CAT).save(path, quality=80)
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image), codec.decode(path.read_bytes()))
        assert image.fp is None


def test_nothing_is_decoded_before_pixels_are_needed(save, monkeypatch):
    data = save(Image.fromarray(CAT))
    monkeypatch.setattr(codec, "decode", lambda *args, **options: pytest.fail("decoded"))
    image = opened(data)
    assert image.size == (64, 48) and image.mode == "RGB"
    image.verify()


def test_the_profile_is_kept_and_exif_if_it_is_given(save, tiny_codec):
    image, exif = Image.fromarray(CAT), Image.Exif()
    exif[ExifTags.Base.Make] = "A camera"
    image.info = {"icc_profile": PROFILE, "exif": exif.tobytes()}
    plain = opened(save(image))
    assert plain.info["icc_profile"] == PROFILE and "exif" not in plain.info
    for given in (exif, exif.tobytes()):
        assert opened(save(image, exif=given)).getexif() == exif
    assert "icc_profile" not in opened(save(image, icc_profile=None)).info
    assert "exif" not in opened(save(image, exif=b"no such thing")).info
    data = save(image, exif=exif)
    assert codec.decode_picture(data, model=tiny_codec).icc == PROFILE


def test_pixels_are_turned_as_exif_says_for_the_format_holds_upright_ones(save, tiny_codec):
    image, exif = Image.fromarray(CAT), Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make] = "A camera"
    data = save(image, exif=exif)
    turned = np.rot90(CAT, -1)
    assert opened(data).size == (48, 64)
    assert opened(data).getexif()[ExifTags.Base.Orientation] == 1
    picture = files.Picture(np.ascontiguousarray(turned))
    np.testing.assert_array_equal(
        codec.decode(data, model=tiny_codec),
        codec.decode(codec.encode(picture, model=tiny_codec), model=tiny_codec),
    )


def palette(transparency=None):
    image = Image.fromarray(CAT).quantize(16)
    if transparency is not None:
        image.info["transparency"] = transparency
    return image


def with_transparent_colour(mode, colour):
    image = Image.fromarray(CAT).convert(mode)
    image.info["transparency"] = colour
    return image


@pytest.mark.parametrize(
    ("image", "mode"),
    [
        (Image.fromarray(CAT[..., 0] > 128), "L"),
        (palette(), "RGB"),
        (palette(3), "RGBA"),
        (palette(bytes(range(16))), "RGBA"),
        (palette(3).convert("PA"), "RGBA"),
        (Image.fromarray(CAT).convert("RGBX"), "RGB"),
        (with_transparent_colour("L", 99), "LA"),
        (with_transparent_colour("RGB", tuple(map(int, CAT[9, 9]))), "RGBA"),
    ],
    ids=["1", "P", "P, one", "P, each", "PA", "RGBX", "L, one", "RGB, one"],
)
def test_modes_that_convert_without_loss_are_converted(save, tiny_codec, image, mode):
    data = save(image, quality=60)
    assert opened(data).mode == mode
    assert data == codec.encode(np.asarray(image.convert(mode)), 60, model=tiny_codec)


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB", "HSV", "I", "F", "I;16", "RGBa", "La"])
def test_other_modes_are_one_clear_error_and_leave_no_file(tmp_path, mode):
    image = Image.new(mode, (8, 8))
    with pytest.raises(OSError, match=f"cannot write mode {mode} as JSR; convert it to L, LA, RGB"):
        image.save(tmp_path / "a.jsr")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quality": 0}, "1 to 100, got 0"),
        ({"bpp": 1.0, "max_bytes": 9}, "not both"),
        ({"mode": "quarter"}, "full, half or auto"),
        ({"roi": "nothere.png"}, "no such file"),
    ],
    ids=str,
)
def test_options_that_cannot_be_are_the_codecs_error(save, options, message):
    with pytest.raises(UserError, match=message):
        save(Image.fromarray(CAT), **options)


def test_an_image_without_pixels_is_an_error(save):
    with pytest.raises(ValueError, match="1 or 3"):
        save(Image.new("RGB", (0, 5)))


def test_a_truncated_file_is_told_when_it_is_loaded_and_one_without_header_at_once(
    save, tiny_codec
):
    data = save(RGBA, icc_profile=PROFILE)
    seen = set()
    for size in range(0, len(data), 7):
        try:
            image = opened(data[:size])
        except UnidentifiedImageError:
            seen.add("unidentified")
            continue
        seen.add("opened")
        assert image.size == (64, 48)
        with pytest.raises(OSError, match="damaged or cut off"):
            image.load(model=tiny_codec)
        with pytest.raises(OSError, match="damaged or cut off"):
            np.asarray(image)
        with pytest.raises(OSError, match="damaged or cut off"):
            image.verify()
    assert seen == {"unidentified", "opened"}


def test_a_damaged_file_is_an_oserror_wherever_it_is_damaged(save, tiny_codec):
    data = save(RGBA, icc_profile=PROFILE)
    for at in range(0, len(data), 5):
        broken = bytearray(data)
        broken[at] ^= 0x41
        with pytest.raises(OSError) as error:
            opened(bytes(broken)).load(model=tiny_codec)
        assert "\n" not in str(error.value)


def test_a_file_of_another_version_says_so(save):
    data = bytearray(save(Image.fromarray(CAT)))
    data[4] = 99
    with pytest.raises(UnidentifiedImageError, match="version 99"):
        opened(bytes(data))


def test_a_file_of_another_model_is_opened_and_says_when_loaded_what_it_lacks(save, tiny_codec):
    image = opened(save(Image.fromarray(CAT)))
    with pytest.raises(OSError, match="a model that is not here"):
        image.load()
    image.load(model=tiny_codec)
    assert image.getpixel((0, 0))


def test_other_formats_open_as_before(tmp_path):
    for suffix in ("png", "webp", "tiff", "bmp"):
        Image.fromarray(CAT).save(tmp_path / f"a.{suffix}", lossless=True)
        with Image.open(tmp_path / f"a.{suffix}") as image:
            assert image.format.lower() == suffix
            np.testing.assert_array_equal(np.asarray(image), CAT)


def test_importing_it_and_opening_other_files_imports_no_jax(tmp_path):
    Image.fromarray(CAT).save(tmp_path / "a.png")
    program = """
import sys, jaxsr.pillow
from PIL import Image
with Image.open("a.png") as image:
    image.load()
image.save("b.webp")
print("jax" in sys.modules, ".jsr" in Image.registered_extensions())
"""
    environment = os.environ | {"PYTHONPATH": str(REPO)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout == "False True\n", done.stderr


def test_imageio_reads_and_writes_through_it(tmp_path):
    imageio = pytest.importorskip("imageio.v3")
    path = tmp_path / "cat.jsr"
    imageio.imwrite(path, CAT, quality=80)
    assert path.read_bytes() == codec.encode(CAT, 80)
    np.testing.assert_array_equal(imageio.imread(path), codec.decode(path.read_bytes()))
    assert imageio.improps(path).shape == CAT.shape
    options = {"plugin": "pillow", "extension": ".jsr", "max_bytes": 1500}
    data = imageio.imwrite("<bytes>", CAT, **options)
    assert len(data) <= 1500
    np.testing.assert_array_equal(imageio.imread(data), codec.decode(data))


def test_the_mark_of_the_format_is_the_codecs():
    assert codec.container.MAGIC == jaxsr.pillow.MAGIC


def test_the_tiles_that_are_left_are_shown_where_pillow_is_to_load_truncated_images(
    save, tiny_codec, monkeypatch
):
    monkeypatch.setattr("jaxsr.codec.container.TILE", 128)
    data = save(Image.fromarray(np.tile(CAT, (1, 4, 1))[:, :250]))
    image = opened(data[:-20])
    monkeypatch.setattr("PIL.ImageFile.LOAD_TRUNCATED_IMAGES", True)
    image.load(model=tiny_codec)
    pixels = np.asarray(image)
    assert np.all(pixels[:, 128:] == 128) and pixels[:, :128].std() > 10
