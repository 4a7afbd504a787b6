"""Files: what is written is what is read, and what cannot be is said plainly."""

import io
import struct
import sys
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, ImageOps

from jaxsr.errors import UserError
from jaxsr.image import encoding, jpegxl
from jaxsr.image.files import MAX_PIXELS, Picture, count_frames, decode, read, turn_upright, write
from jaxsr.image.folders import find_images, is_image_file
from jaxsr.image.formats import FORMATS, SUFFIXES, format_of_content
from jaxsr.image.pictures import bleed
from jaxsr.image.values import from_float, to_float

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LOSSLESS = (".png", ".tif")


def pixels(height, width, channels, dtype=np.uint8):
    """Smooth, so that lossy formats come close, and using the whole range."""
    y, x = np.mgrid[:height, :width] / max(height + width - 2, 1)
    image = np.stack([y + x, 1 - y, x][:channels], -1)
    return np.round(image.clip(0, 1) * np.iinfo(dtype).max).astype(dtype)


def picture(height=5, width=7, channels=3, dtype=np.uint8, alpha=False, **metadata):
    mask = pixels(height, width, 3, dtype)[..., 2] if alpha else None
    return Picture(pixels(height, width, channels, dtype), mask, **metadata)


def exif(orientation=1, **more):
    tags = Image.Exif()
    tags[0x010F] = "A camera"
    tags[0x0112] = orientation
    tags[0x8769] = {0x829A: 0.25}  # exposure time, in the EXIF folder within
    return tags.tobytes()


def assert_same(a, b):
    assert a.pixels.dtype == b.pixels.dtype
    np.testing.assert_array_equal(a.pixels, b.pixels)
    assert (a.alpha is None) == (b.alpha is None)
    if a.alpha is not None:
        np.testing.assert_array_equal(a.alpha, b.alpha)


@pytest.mark.parametrize("size", [(5, 7), (1, 1)])
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", LOSSLESS)
def test_lossless_formats_give_everything_back(tmp_path, suffix, dtype, channels, alpha, size):
    original = picture(*size, channels, dtype, alpha, icc=ICC, exif=exif())
    write(tmp_path / f"a{suffix}", original)
    back = read(tmp_path / f"a{suffix}")
    assert_same(back, original)
    assert back.icc == ICC
    tags = Image.Exif()
    tags.load(back.exif)
    assert tags[0x010F] == "A camera" and tags.get_ifd(0x8769)[0x829A] == 0.25


@pytest.mark.parametrize(
    ("suffix", "alpha"),
    [(".jpg", False), (".webp", False), (".webp", True), (".avif", False), (".avif", True)],
)
@pytest.mark.parametrize("size", [(16, 24), (1, 1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_lossy_formats_come_close(tmp_path, suffix, alpha, channels, size):
    original = picture(*size, channels, alpha=alpha, icc=ICC, exif=exif())
    write(tmp_path / f"a{suffix}", original)
    back = read(tmp_path / f"a{suffix}")
    assert np.abs(back.pixels.astype(int) - original.pixels).max() < 16
    assert back.pixels.shape[2] == (channels if suffix == ".jpg" else 3)
    assert (back.alpha is not None) == alpha
    assert back.icc == ICC and b"A camera" in back.exif


def test_webp_at_quality_100_is_lossless_even_under_transparency(tmp_path):
    original = picture(alpha=True)
    write(tmp_path / "a.webp", original, quality=100)
    assert_same(read(tmp_path / "a.webp"), original)


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".avif", ".jxl"])
def test_quality_decides_the_size(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    sizes = []
    for quality in (1, 50, 100):
        write(tmp_path / f"a{suffix}", Picture(noise), quality)
        sizes.append((tmp_path / f"a{suffix}").stat().st_size)
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_jpeg_xl_at_quality_100_is_lossless_and_keeps_exif(tmp_path, dtype, channels, alpha):
    original = picture(16, 24, channels, dtype, alpha, icc=ICC, exif=exif())
    write(tmp_path / "a.jxl", original, quality=100)
    back = read(tmp_path / "a.jxl")
    assert_same(back, original)
    assert b"A camera" in back.exif
    write(tmp_path / "a.jxl", original)
    white = np.iinfo(dtype).max
    close = np.abs(read(tmp_path / "a.jxl").pixels / white - original.pixels / white).mean()
    assert 0 < close < 1 / 64


def test_jpeg_xl_does_not_take_colours_that_its_readers_would_take_for_others(tmp_path):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    with pytest.raises(ValueError, match=r"sRGB alone.*PNG, JPEG, WEBP, TIFF and AVIF can hold it"):
        write(tmp_path / "a.jxl", picture(icc=lab))
    assert not list(tmp_path.iterdir())


def test_exif_of_jpeg_xl_does_not_turn_it_again():
    data = imagecodecs.jpegxl_encode(pixels(5, 7, 3), lossless=True, usecontainer=True)
    back = decode(data + jpegxl.exif_box(exif(orientation=6)), "a.jxl")
    np.testing.assert_array_equal(back.pixels, pixels(5, 7, 3))
    assert b"A camera" in back.exif


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_others_read_our_16_bit_files(tmp_path, suffix):
    original = picture(dtype=np.uint16, alpha=True, icc=ICC, exif=exif())
    path = tmp_path / f"a{suffix}"
    write(path, original)
    if suffix == ".tif":
        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            samples = page.asarray()
            assert page.iccprofile == ICC and page.extrasamples == (2,)
    else:
        samples = imagecodecs.imread(path)
        with Image.open(path) as image:
            assert image.info["icc_profile"] == ICC
    np.testing.assert_array_equal(samples, np.dstack([original.pixels, original.alpha]))


def test_others_read_our_8_bit_tiff(tmp_path):
    original = picture(icc=ICC, exif=exif())
    write(tmp_path / "a.tif", original)
    image = Image.open(tmp_path / "a.tif")
    np.testing.assert_array_equal(np.asarray(image), original.pixels)
    assert image.info["icc_profile"] == ICC


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_are_turned_as_exif_says_and_exif_says_so_no_more(tmp_path, orientation):
    path = tmp_path / "a.png"
    Image.fromarray(pixels(5, 7, 3)).save(path, exif=exif(orientation))
    back = read(path)
    np.testing.assert_array_equal(back.pixels, ImageOps.exif_transpose(Image.open(path)))
    tags = Image.Exif()
    tags.load(back.exif)
    assert tags[0x0112] == 1 and tags[0x010F] == "A camera"


def test_tiffs_and_alpha_are_turned_too(tmp_path):
    upright = picture(dtype=np.uint16, alpha=True)
    samples = np.rot90(np.dstack([upright.pixels, upright.alpha]))  # undone by orientation 6
    extra = [(274, "H", 1, 6, True)]
    tifffile.imwrite(
        tmp_path / "a.tif", samples, photometric="rgb", extrasamples=[2], extratags=extra
    )
    assert_same(read(tmp_path / "a.tif"), upright)


def test_damaged_exif_does_not_cost_the_image(tmp_path):
    Image.fromarray(pixels(5, 7, 3)).save(tmp_path / "a.png", exif=b"Exif\0\0II*\0\xff\xff")
    assert read(tmp_path / "a.png").pixels.shape == (5, 7, 3)
    assert turn_upright(pixels(5, 7, 3), 99).shape == (5, 7, 3)


def converted(mode, **options):
    image = Image.fromarray(pixels(6, 6, 3)).convert(mode, **options)
    return image, image.convert("RGBA" if "A" in mode else "RGB")


@pytest.mark.parametrize(
    ("mode", "suffix", "channels", "alpha"),
    [
        ("P", ".png", 3, False),
        ("1", ".png", 1, False),
        ("LA", ".png", 1, True),
        ("RGBA", ".png", 3, True),
        ("RGBA", ".tif", 3, True),
        ("1", ".tif", 1, False),
        ("P", ".tif", 3, False),
        ("CMYK", ".jpg", 3, False),
        ("CMYK", ".tif", 3, False),
        ("YCbCr", ".jpg", 3, False),
    ],
)
def test_every_kind_of_pixel_becomes_gray_or_rgb(tmp_path, mode, suffix, channels, alpha):
    image, expected = converted(mode)
    image.save(tmp_path / f"a{suffix}")
    back = read(tmp_path / f"a{suffix}")
    assert back.pixels.shape == (6, 6, channels) and (back.alpha is not None) == alpha
    expected = np.asarray(expected)
    tolerance = 0 if suffix != ".jpg" else 36  # chroma at half size and quality 75
    assert np.abs(back.pixels.astype(int) - expected[..., :channels]).max() <= tolerance


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_transparent_colour_becomes_alpha(tmp_path, mode):
    image = Image.fromarray(pixels(6, 6, 3)).convert(mode)
    image.save(tmp_path / "a.png", transparency=image.getpixel((2, 3)))
    back = read(tmp_path / "a.png")
    assert back.alpha[3, 2] == 0 and back.alpha.max() == 255


def test_a_transparent_colour_of_16_bits_becomes_alpha(tmp_path):
    write(tmp_path / "a.png", picture(dtype=np.uint16))
    data = (tmp_path / "a.png").read_bytes()
    key = png_chunk(b"tRNS", pixels(5, 7, 3, np.uint16)[2, 3].astype(">u2").tobytes())
    (tmp_path / "a.png").write_bytes(data[:33] + key + data[33:])
    back = read(tmp_path / "a.png")
    assert back.alpha[2, 3] == 0 and (back.alpha == 0).sum() == 1


@pytest.mark.parametrize(
    "options",
    [
        {"photometric": "rgb", "planarconfig": "separate"},
        {"photometric": "rgb", "compression": "lzw", "predictor": True},
        {"photometric": "rgb", "tile": (16, 16), "byteorder": ">"},
        {"photometric": "rgb", "bigtiff": True},
    ],
    ids=str,
)
def test_16_bit_tiffs_of_other_layouts_are_read(tmp_path, options):
    original = pixels(5, 7, 3, np.uint16)
    samples = np.moveaxis(original, -1, 0) if "planarconfig" in options else original
    tifffile.imwrite(tmp_path / "a.tif", samples, **options)
    np.testing.assert_array_equal(read(tmp_path / "a.tif").pixels, original)


def test_inverted_and_premultiplied_tiffs_are_read(tmp_path):
    gray = pixels(5, 7, 1, np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", 65535 - gray[..., 0], photometric="miniswhite")
    np.testing.assert_array_equal(read(tmp_path / "a.tif").pixels, gray)
    half = np.dstack([pixels(5, 7, 3, np.uint16) // 2, np.full((5, 7), 32768, np.uint16)])
    tifffile.imwrite(tmp_path / "a.tif", half, photometric="rgb", extrasamples=["assocalpha"])
    np.testing.assert_allclose(read(tmp_path / "a.tif").pixels, pixels(5, 7, 3, np.uint16), atol=2)


def test_of_several_pages_the_first_is_read(tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    for name in ("a.tif", "a.webp", "a.png"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
        np.testing.assert_array_equal(read(tmp_path / name).pixels[0, 0], [255, 0, 0])


def test_pages_and_frames_are_counted(tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue", "green")]
    for name in ("a.tif", "a.webp", "a.png", "a.gif", "a.avif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        assert count_frames((tmp_path / name).read_bytes()) == 3
        frames[0].save(tmp_path / name)
        assert count_frames((tmp_path / name).read_bytes()) == 1
    several = np.stack([pixels(5, 7, 3)] * 3)
    assert count_frames(imagecodecs.jpegxl_encode(several, lossless=True)) == 3
    assert count_frames(imagecodecs.jpegxl_encode(several[0])) == 1
    assert count_frames(b"hello") == 1


def test_smaller_copies_in_a_tiff_are_no_pages():
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as tiff:
        tiff.write(pixels(8, 8, 3))
        tiff.write(pixels(4, 4, 3), subfiletype=1)
    assert count_frames(file.getvalue()) == 1


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
@pytest.mark.parametrize("suffix", [".bmp", ".gif", ".jp2", ".avif"])
def test_formats_that_are_only_read_give_what_pillow_gives(tmp_path, suffix, mode):
    if (suffix, mode) in ((".gif", "RGBA"), (".jp2", "P")):
        pytest.skip("Pillow writes no such file")
    Image.fromarray(pixels(16, 24, 3)).convert(mode).save(tmp_path / f"a{suffix}")
    back = read(tmp_path / f"a{suffix}")
    with Image.open(tmp_path / f"a{suffix}") as image:
        expected = np.asarray(image.convert("RGBA"))
    assert back.pixels.shape[:2] == (16, 24)
    np.testing.assert_array_equal(
        np.broadcast_to(back.pixels, (16, 24, 3)).astype(int), expected[..., :3]
    )
    if back.alpha is not None:
        np.testing.assert_array_equal(back.alpha, expected[..., 3])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("alpha", [False, True])
def test_jpeg_xl_and_jpeg_2000_are_read_with_all_their_bits(tmp_path, dtype, channels, alpha):
    original = picture(9, 13, channels, dtype, alpha)
    samples = original.pixels if not alpha else np.dstack([original.pixels, original.alpha])
    for name, data in {
        "a.jxl": imagecodecs.jpegxl_encode(samples, lossless=True),
        "a.jp2": imagecodecs.jpeg2k_encode(samples, level=0, codecformat="jp2"),
    }.items():
        if name == "a.jp2" and alpha and channels == 1:
            continue  # written as two components that nothing says are gray and alpha
        (tmp_path / name).write_bytes(data)
        assert_same(read(tmp_path / name), original)


def test_twelve_bits_of_jpeg_2000_are_stretched_to_sixteen(tmp_path):
    samples = pixels(9, 13, 3, np.uint16) >> 4
    data = imagecodecs.jpeg2k_encode(samples, level=0, bitspersample=12)
    (tmp_path / "a.jp2").write_bytes(data)
    back = read(tmp_path / "a.jp2").pixels
    assert back.max() == 65535
    np.testing.assert_allclose(back / 65535, samples / 4095, atol=1e-5)


def test_jpeg_xl_of_any_size_is_known_before_it_is_decoded():
    for height, width in ((8, 8), (7, 300), (256, 256), (40, 30), (1, 9000)):
        for lossless in (False, True):
            data = imagecodecs.jpegxl_encode(pixels(height, width, 3), lossless=lossless)
            assert jpegxl.header(data) == (width, height, False)


def test_heic_is_read_where_its_plugin_is_installed(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    Image.fromarray(pixels(64, 64, 3)).save(tmp_path / "a.heic", quality=95)
    back = read(tmp_path / "a.heic").pixels
    assert np.abs(back.astype(int) - pixels(64, 64, 3)).max() < 16


def test_heic_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(64))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UserError, match=r"reading HEIC needs pillow_heif.*jaxsr\[heic\]"):
        read(tmp_path / "a.heic")


def test_every_format_is_found_in_folders_and_known_by_its_content(tmp_path):
    for kind in FORMATS:
        (tmp_path / f"a{kind.suffix}").touch()
        position, mark = kind.marks[0]
        assert format_of_content(bytes(position) + mark + bytes(20)) is kind
    assert len(find_images(tmp_path)) == len(FORMATS)


def test_a_gray_profile_is_not_put_on_rgb_pixels(tmp_path):
    gray = b"\0" * 16 + b"GRAY" + b"\0" * 108
    write(tmp_path / "a.webp", picture(channels=1, icc=gray))
    assert read(tmp_path / "a.webp").icc is None


@pytest.mark.parametrize("name", ["a8.png", "a16.png", "a.jpg", "a.webp", "a8.tif", "a16.tif"])
def test_a_truncated_file_is_noticed_or_complete(tmp_path, name):
    path = tmp_path / name
    write(path, picture(16, 24, dtype=np.uint16 if "16" in name else np.uint8))
    data, whole = path.read_bytes(), read(path)
    noticed = 0
    for length in range(1, len(data), 7):
        path.write_bytes(data[:length])
        try:
            assert_same(read(path), whole)  # only what follows the pixels is missing
        except ValueError as error:
            noticed += 1
            assert str(path) in str(error)
    assert noticed > 0.8 * len(range(1, len(data), 7))


def png_chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_header(width, height):
    ihdr = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", ihdr) + png_chunk(b"IDAT", b"")


def tiff_of(array):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"hello", "not a PNG, JPEG, WebP, TIFF, AVIF, JPEG XL, BMP, GIF, JPEG 2000 or HEIC image"),
        (b"", "empty"),
        (png_header(30000, 30000), f"{MAX_PIXELS // 10**6} million"),
        (png_header(60000, 60000), f"{MAX_PIXELS // 10**6} million"),
        (tiff_of(np.zeros((4, 4), np.float32)), "32 bits"),
        (b"II*\0\x08\0\0\0", "damaged or truncated"),
    ],
    ids=["text", "empty", "bomb", "larger bomb", "float", "tiff header"],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_is_no_readable_image_is_refused(tmp_path, content, says):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ValueError, match=f"a.png.*{says}"):
        read(tmp_path / "a.png")


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no such file"):
        read(tmp_path / "none.png")
    with pytest.raises(ValueError, match="is a folder"):
        read(tmp_path)
    with pytest.raises(ValueError, match="no such folder"):
        find_images(tmp_path / "none")


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("a.jpg", {"alpha": True}, "transparency; PNG, WEBP, TIFF, AVIF and JPEG XL can"),
        ("a.jpg", {"dtype": np.uint16}, "16-bit pixels; PNG, TIFF and JPEG XL can"),
        ("a.webp", {"dtype": np.uint16}, "16-bit pixels; PNG, TIFF and JPEG XL can"),
        ("a.gif", {}, "use .png"),
        ("a", {}, "no suffix"),
        ("a.webp", {"width": 16384, "height": 1}, "16384×1 failed"),
        ("none/a.png", {}, "cannot be written"),
        ("folder.png", {}, "cannot be written"),
    ],
)
def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path, name, options, says):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ValueError, match=says):
        write(tmp_path / name, picture(**options))
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


def test_quality_has_bounds(tmp_path):
    with pytest.raises(ValueError, match="1 to 100"):
        write(tmp_path / "a.jpg", picture(), quality=101)


def test_a_fault_of_ours_is_not_taken_for_what_a_format_cannot_hold(tmp_path, monkeypatch):
    def faulty(*_):
        raise ValueError("a fault")

    monkeypatch.setattr(encoding, "_png_chunk", faulty)
    with pytest.raises(ValueError, match=r"^a fault$") as error:
        write(tmp_path / "a.png", Picture(pixels(4, 4, 3), exif=b"Exif\0\0"))
    assert not isinstance(error.value, UserError)


def test_a_failed_write_keeps_the_old_file(tmp_path):
    write(tmp_path / "a.jpg", picture())
    before = (tmp_path / "a.jpg").read_bytes()
    with pytest.raises(ValueError):
        write(tmp_path / "a.jpg", picture(exif=b"x" * 70000))
    assert (tmp_path / "a.jpg").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((np.zeros((4, 4), np.uint8),), "height, width"),
        ((np.zeros((4, 4, 2), np.uint8),), "1 or 3"),
        ((np.zeros((4, 4, 3)),), "uint8 or uint16"),
        ((np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint16)), "alpha must be uint8"),
    ],
)
def test_a_picture_is_checked(arguments, says):
    with pytest.raises(ValueError, match=says):
        Picture(*arguments)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_numbers_survive_the_way_to_floats_and_back(dtype):
    every = np.arange(np.iinfo(dtype).max + 1, dtype=dtype)
    assert to_float(every).dtype == np.float32 and to_float(every).max() == 1
    np.testing.assert_array_equal(from_float(to_float(every), dtype), every)


def test_floats_are_clipped_and_rounded_not_truncated():
    x = np.array([-1, 0.4 / 255, 0.6 / 255, 0.5, 2, np.inf], np.float32)
    np.testing.assert_array_equal(from_float(x), [0, 0, 1, 128, 255, 255])
    with pytest.raises(ValueError, match="NaN"):
        from_float(np.array([np.nan]))
    with pytest.raises(ValueError, match="uint8 or uint16"):
        from_float(x, np.int32)


def test_bleeding_fills_only_what_is_transparent_with_the_colours_beside_it():
    colour = np.zeros((9, 13, 3), np.float32)
    alpha = np.zeros((9, 13), np.float32)
    colour[3:6, 2:5] = (1, 0.5, 0.25)
    alpha[3:6, 2:5] = 1
    np.testing.assert_allclose(bleed(colour, alpha), np.broadcast_to((1, 0.5, 0.25), (9, 13, 3)))
    alpha[0, 0] = 0.01  # barely visible black counts for little, and stays
    filled = bleed(colour, alpha)
    assert (filled[0, 0] == 0).all() and filled[8, 12, 0] > 0.9
    assert bleed(colour, 0 * alpha) is colour


def test_images_are_found_in_natural_order(tmp_path):
    for name in ("10.png", "2.PNG", "b/1.jpg", "a.txt", ".hidden.png", ".git/x.png", "._2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)]
    assert found == ["2.PNG", "10.png", "b/1.jpg"]
    assert is_image_file(tmp_path / "2.PNG") and not is_image_file(tmp_path)
    assert ".webp" in SUFFIXES
