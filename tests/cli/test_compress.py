"""``jaxsr compress``, ``decompress`` and ``info`` with a small codec, on the images people have."""

import dataclasses
import re

import numpy as np
import pytest
import skimage.data
from PIL import Image

from jaxsr import codec, pipeline
from jaxsr.cli import main
from jaxsr.cli.flags import ENTROPY_DEVICES
from jaxsr.codec import container
from jaxsr.image import files, metrics
from jaxsr.regions.masks import REGION
from jaxsr.zoo import weights

CAT = skimage.data.chelsea()[100:148, 100:164]
HEIGHT, WIDTH = CAT.shape[:2]
PIXELS = HEIGHT * WIDTH


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


@pytest.fixture
def run(run, tiny_codec):
    """The command with the small codec."""

    def small(command, *arguments):
        model = [] if command == "info" else ["--model", tiny_codec]
        return run(command, *arguments, *model)

    return small


def test_images_of_all_kinds_come_back_and_bad_ones_are_told(folder, save, run):
    save("photo.png", CAT)
    save("one.png", CAT[:1, :1])
    save("gray.jpg", CAT[..., :1])
    save("alpha.webp", CAT, CAT[..., 1])
    save("many/deep/leaf.tif", CAT[:20])
    save("deep.png", CAT.astype(np.uint16) * 257)
    (folder / "text.png").write_text("hello")
    good = ["photo.png", "one.png", "gray.jpg", "alpha.webp", "many"]
    bad = ["deep.png", "text.png", "nothere.png"]

    code, out, err = run("compress", *good, *bad, "-o", "small")
    assert code == 2
    *lines, summary = out.splitlines()
    assert summary == "5 compressed to small, 3 failed"
    assert [line.split(": ")[:2] for line in err.splitlines()] == [["jaxsr", name] for name in bad]
    assert "--reduce-to-8-bit" in err.splitlines()[0]
    size = (folder / "small/photo.png.jsr").stat().st_size
    bpp = 8 * size / PIXELS
    assert lines[0] == f"photo.png → small/photo.png.jsr: {size} bytes, {bpp:.3f} bpp"
    kept = ["alpha.webp", "deep/leaf.tif", "gray.jpg", "one.png", "photo.png"]
    coded = [f"{name}.jsr" for name in kept]
    assert names(folder / "small") == coded

    (folder / "small/bad.jsr").write_bytes((folder / "small/photo.png.jsr").read_bytes()[:-1])
    code, out, err = run("decompress", "small", "-o", "back")
    assert code == 2 and out.splitlines()[-1] == "5 decompressed to back, 1 failed"
    assert err.startswith("jaxsr: small/bad.jsr: the file is damaged or cut off")
    assert err.count("\n") == 1
    back = ["alpha.webp.png", "deep/leaf.tif.png", "gray.jpg.png", "one.png", "photo.png"]
    assert names(folder / "back") == back
    shapes = {
        "photo.png": CAT.shape,
        "one.png": (1, 1, 3),
        "gray.jpg.png": (HEIGHT, WIDTH, 1),
        "deep/leaf.tif.png": (20, WIDTH, 3),
    }
    for name, shape in shapes.items():
        assert files.read(folder / "back" / name).pixels.shape == shape
    alpha = files.read(folder / "alpha.webp").alpha
    np.testing.assert_array_equal(files.read(folder / "back/alpha.webp.png").alpha, alpha)


def test_the_command_line_writes_and_reads_what_python_does(folder, save, run, tiny_codec):
    save("photo.png", CAT)
    run("compress", "photo.png", "-o", "photo.jsr", "--quality", "70")
    data = codec.encode(CAT, 70, model=tiny_codec)
    assert (folder / "photo.jsr").read_bytes() == data
    code, out, _ = run("decompress", "photo.jsr", "-o", "back.png")
    assert code == 0 and out.startswith("photo.jsr → back.png: 64×48 pixels\n")
    expected = codec.decode(data, model=tiny_codec)
    np.testing.assert_array_equal(files.read(folder / "back.png").pixels, expected)


@pytest.mark.slow
def test_a_box_and_what_is_left_of_a_file(folder, save, run, tiny_codec, monkeypatch):
    monkeypatch.setattr(container, "TILE", 128)
    image = np.tile(CAT, (3, 4, 1))[:140, :250]
    save("photo.png", image)
    run("compress", "photo.png", "-o", "photo.jsr")
    data = (folder / "photo.jsr").read_bytes()
    expected = codec.decode(data, model=tiny_codec)

    code, out, _ = run("decompress", "photo.jsr", "-o", "box.png", "--box", "90,-5,60,25")
    assert code == 0 and out.startswith("photo.jsr → box.png: 60×20 pixels\n")
    box = files.read(folder / "box.png").pixels
    np.testing.assert_array_equal(box, expected[:20, 90:150])
    code, _, err = run("decompress", "photo.jsr", "-o", "no.png", "--box", "250,0,9,9")
    assert code == 2 and "box 250,0,9,9 (x,y,w,h) lies outside the image of 250×140" in err

    (folder / "cut.jsr").write_bytes(data[:-20])
    code, out, err = run("decompress", "cut.jsr", "-o", "cut.png")
    assert code == 2 and "damaged or cut off" in err
    code, out, _ = run("decompress", "cut.jsr", "-o", "cut.png", "--partial")
    told = "cut.jsr → cut.png: 250×140 pixels, gray where tiles are missing: 128,0,122,140\n"
    assert code == 0 and out.startswith(told)
    assert np.all(files.read(folder / "cut.png").pixels[:, 128:] == 128)
    (folder / "cut.jsr").write_bytes(data[:30])
    code, _, err = run("decompress", "cut.jsr", "-o", "none.png", "--partial")
    assert code == 2 and "no tile of it is whole" in err and not (folder / "none.png").exists()


def test_a_wanted_size_is_met_and_not_exceeded(folder, save, run):
    save("photo.png", CAT)
    sizes = []
    for quality in ("1", "40", "100"):
        run("compress", "photo.png", "-o", "q.jsr", "--quality", quality, "--overwrite")
        sizes.append((folder / "q.jsr").stat().st_size)
    assert sizes[0] < sizes[1] < sizes[2]
    for flags in (["--max-bytes", str(sizes[1])], ["--bpp", str(8 * sizes[1] / PIXELS)]):
        code, _, _ = run("compress", "photo.png", "-o", "r.jsr", *flags, "--overwrite")
        assert code == 0
        assert 0.97 * sizes[1] <= (folder / "r.jsr").stat().st_size <= sizes[1]
    code, _, err = run("compress", "photo.png", "-o", "s.jsr", "--max-bytes", "30")
    assert code == 2 and "photo.png: the smallest file of this image is" in err
    assert not (folder / "s.jsr").exists()


@pytest.mark.slow
def test_a_wanted_likeness_is_reached(folder, save, run, tiny_codec):
    large = np.tile(CAT, (4, 3, 1))[:164, :162]
    save("small.png", CAT)
    save("large.png", large)
    best = codec.decode(codec.encode(large, 90, model=tiny_codec), model=tiny_codec)
    pair = large.astype(np.float32) / 255, best.astype(np.float32) / 255
    for flag, measure in (("--target-psnr", metrics.psnr), ("--target-msssim", metrics.ms_ssim)):
        target = float(measure(*pair))
        code, _, _ = run("compress", "large.png", "-o", "a.jsr", flag, str(target), "--overwrite")
        assert code == 0
        option = flag[2:].replace("-", "_")
        expected = codec.encode(large, **{option: target}, model=tiny_codec)
        assert (folder / "a.jsr").read_bytes() == expected
    assert "by size or likeness (rate level" in run("info", "a.jsr")[1]
    code, out, err = run("compress", "*.png", "-o", "some", "--target-msssim", str(target))
    assert code == 2 and out.endswith("1 compressed to some, 1 failed\n")
    assert "small.png: target_msssim needs an image of at least 161 pixels a side" in err
    code, _, err = run("compress", "small.png", "-o", "b.jsr", "--target-psnr", "90")
    assert code == 2 and "no file of this image has PSNR 90 dB; the best that was found has" in err


def test_a_region_is_read_from_a_mask_of_any_kind_and_of_the_images_size(
    folder, save, run, tiny_codec
):
    save("photo.png", CAT)
    mask = np.zeros((HEIGHT, WIDTH, 1), np.uint8)
    mask[16:40, 8:40] = 255
    save("gray.png", mask)
    save("alpha.png", np.full_like(CAT, 255), mask[..., 0])
    expected = codec.encode(CAT, roi=mask[..., 0] > 0, roi_gain=12.0, model=tiny_codec)
    for name in ("gray.png", "alpha.png"):
        flags = ["--roi", name, "--roi-gain", "12", "--overwrite"]
        code, _, _ = run("compress", "photo.png", "-o", "photo.jsr", *flags)
        assert code == 0 and (folder / "photo.jsr").read_bytes() == expected
    save("small.png", CAT[:9, :9])
    code, out, err = run("compress", "*.png", "-o", "small", "--roi", "small.png")
    assert code == 2 and out.endswith("1 compressed to small, 3 failed\n")
    assert "photo.png: the mask is 9×9, the image 64×48" in err


def test_a_region_is_found_by_a_segmenter_or_given_as_boxes(
    folder, save, run, tiny_codec, stage_files
):
    save("photo.png", CAT)
    segmenter = stage_files["attention_unet"]
    found = pipeline.load_segmenter(segmenter)(CAT).mask > REGION
    box = np.zeros((HEIGHT, WIDTH), bool)
    box[16:40, 8:40] = True
    for flags, mask in (
        (["--roi", "auto", "--segmenter", str(segmenter)], found),
        (["--box", "8,16,32,24"], box),
        (["--roi", "all"], np.ones_like(box)),
    ):
        code, out, _ = run("compress", "photo.png", "-o", "photo.jsr", *flags, "--overwrite")
        assert code == 0 and f"bpp, {100 * mask.mean():.0f} % of it region\n" in out
        data = (folder / "photo.jsr").read_bytes()
        assert data == codec.encode(CAT, roi=mask, model=tiny_codec)
        assert codec.region_of(data).any()


def test_the_region_in_a_file_is_restored(folder, save, run, stage_files):
    save("photo.png", CAT)
    run("compress", "photo.png", "-o", "region.jsr", "--box", "16,16,32,16")
    run("compress", "photo.png", "-o", "none.jsr")
    restorer = weights.read(stage_files["window_restorer"])  # of other features than the release's
    weights.write(
        folder / "r.safetensors", dataclasses.replace(restorer, notes={"features_of": "-"})
    )
    restorer = ["--restorer", "r.safetensors", "--overwrite"]
    inside = codec.region_of((folder / "region.jsr").read_bytes()) > REGION
    share = f", {100 * inside.mean():.0f} % of it restored"

    def decompressed(name, *flags):
        code, out, _ = run("decompress", f"{name}.jsr", "-o", "back.png", *restorer, *flags)
        assert code == 0
        restored = " of it restored" in out
        return files.read(folder / "back.png").pixels, restored and out.split("pixels")[1][:18]

    plain, told = decompressed("region")
    assert not told
    whole, told = decompressed("region", "--restore")
    assert told == share[:18]
    np.testing.assert_array_equal(whole[~inside], plain[~inside])
    assert (whole[inside] != plain[inside]).mean() > 0.3

    big, told = decompressed("region", "--scale", "2", "--no-restore")
    assert not told and big.shape == (2 * HEIGHT, 2 * WIDTH, 3)
    better, told = decompressed("region", "--scale", "2")
    assert told and (better != big).any(-1)[40:56, 40:88].mean() > 0.3
    np.testing.assert_array_equal(better[:28], big[:28])
    _, told = decompressed("none", "--scale", "2")
    assert not told
    _, out, _ = run("decompress", "none.jsr", "-o", "back.png", *restorer, "--restore")
    assert out.startswith(
        f"none.jsr → back.png: {WIDTH}×{HEIGHT} pixels, no region in it to restore"
    )


def test_a_profile_is_kept(folder, save, run):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    save("photo.png", CAT, None, profile)
    _, out, _ = run("compress", "photo.png", "-o", "plain.jsr")
    assert out.splitlines()[0].endswith(" bpp")
    run("decompress", "plain.jsr", "-o", "back.png")
    assert files.read(folder / "back.png").icc == profile


def test_dropped_exif_and_frames_are_told(folder, run):
    frames = [Image.fromarray(pixels) for pixels in (CAT, CAT[::-1])]
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    frames[0].save("a.png", save_all=True, append_images=frames[1:], exif=exif)
    _, out, _ = run("compress", "a.png", "-o", "a.jsr")
    assert ", without its EXIF (see --keep-metadata), the first of 2 frames\n" in out
    _, out, _ = run("compress", "a.png", "-o", "b.jsr", "--keep-metadata")
    assert "bpp, the first of 2 frames\n" in out


def test_sixteen_bits_are_rounded_on_request(folder, save, run, tiny_codec):
    deep = (CAT.astype(np.int32) * 257 + 128).astype(np.uint16)  # 128/257 rounds down
    save("deep.png", np.minimum(deep, 65535), CAT[..., 0].astype(np.uint16) * 257)
    code, _, _ = run("compress", "deep.png", "-o", "deep.jsr", "--reduce-to-8-bit")
    assert code == 0
    expected = codec.encode(np.dstack([CAT, CAT[..., 0]]), model=tiny_codec)
    assert (folder / "deep.jsr").read_bytes() == expected


def test_decompressing_can_enlarge_at_once(folder, save, run):
    save("photo.png", CAT[:24, :32], CAT[:24, :32, 0])
    run("compress", "photo.png", "-o", "photo.jsr")
    code, out, _ = run("decompress", "photo.jsr", "-o", "big.webp", "--scale", "2")
    assert code == 0 and "64×48 pixels" in out
    big = files.read(folder / "big.webp")
    assert big.pixels.shape == (48, 64, 3) and big.alpha.shape == (48, 64)


def test_images_are_kept_at_half_their_size_where_that_is_asked_for_or_all_that_fits(
    folder, save, run
):
    save("photo.png", CAT[:45, :63])
    run("compress", "photo.png", "-o", "full.jsr", "--quality", "1")
    smallest = (folder / "full.jsr").stat().st_size
    code, _, err = run("compress", "photo.png", "-o", "no.jsr", "--max-bytes", str(smallest - 1))
    assert code == 2 and "at half its size it can be smaller: mode half, or auto" in err
    flags = ["--max-bytes", str(smallest - 1), "--mode", "auto"]
    code, out, _ = run("compress", "photo.png", "-o", "half.jsr", *flags)
    assert code == 0 and "bpp, at half its size\n" in out
    code, out, _ = run("decompress", "half.jsr", "-o", "back.png", "--upscaler", "span-compact")
    assert code == 0 and "63×45 pixels" in out
    _, out, _ = run("info", "half.jsr")
    assert "63×45 pixels, coded as 32×23 for upscaler span-compact (hash 201f6149)" in out


def test_info_names_the_released_model_and_says_of_a_region_how_it_differs(folder, run):
    mask = np.zeros(CAT.shape[:2])
    mask[:24] = 1
    for name, gain in (("finer", 10.0), ("coarser", -10.0), ("alike", 0.0)):
        (folder / f"{name}.jsr").write_bytes(codec.encode(CAT, roi=mask, roi_gain=gain))
    assert re.search(r"model +patch-hyperprior \(hash", run("info", "finer.jsr")[1])
    half = "% of the picture {}, by up to 9.6 dB\n"
    for name, said in (
        ("finer", half.format("finer")),
        ("coarser", half.format("coarser")),
        ("alike", "as fine as all else"),
    ):
        assert said in run("info", f"{name}.jsr")[1]


def test_info_says_what_is_wrong_with_a_region_and_goes_on(folder, run, tiny_codec):
    data = codec.encode(CAT, roi="all", model=tiny_codec)
    parts = codec.inspect(data).parts
    at = parts["header"] + parts["region"] - 1
    (folder / "a.jsr").write_bytes(data[:at] + b"?" + data[at + 1 :])
    code, out, _ = run("info", "a.jsr")
    assert code == 2 and "cannot be read: the region map is damaged" in out and "tiles" in out


def test_what_exists_is_kept_unless_overwritten(folder, save, run):
    save("a.png", CAT)
    save("a.jpg", CAT)
    (folder / "a.jsr").write_text("mine")
    code, out, _ = run("compress", "a.png", "-o", "a.jsr")
    assert code == 0 and out.startswith("0 compressed") and "1 skipped" in out
    assert (folder / "a.jsr").read_text() == "mine"
    code, out, _ = run("compress", "a.*", "-o", ".", "--overwrite")
    assert code == 0 and out.endswith("2 compressed to .\n")
    assert names(folder) == ["a.jpg", "a.jpg.jsr", "a.jsr", "a.png", "a.png.jsr"]


def test_info_tells_what_a_file_holds_and_whether_it_is_whole(folder, save, run):
    save("a.png", CAT, CAT[..., 0], b"profile")
    save("mask.png", CAT)
    run("compress", "a.png", "-o", "a.jsr", "--keep-metadata", "--roi", "mask.png")
    code, out, err = run("info", "a.jsr")
    assert code == 0 and err == ""
    told = dict(re.split("  +", line.strip(), maxsplit=1) for line in out.splitlines()[1:])
    size = (folder / "a.jsr").stat().st_size
    assert told["size"] == "64×48 pixels" and told["channels"] == "RGB"
    assert told["quality"] == "50 (rate level 506 of 0 to 1023)"
    assert told["bytes"] == f"{size}, {8 * size / PIXELS:.3f} bpp"
    assert told["tiles"].startswith("1×1, ") and told["checksum"] == "right"
    assert "not among the released ones" in told["model"]
    for part in ("region map", "alpha", "ICC profile"):
        assert told[part].endswith("bytes, as stored")
    assert told["EXIF"] == "none"
    assert told["format"] == f".jsr, version {container.VERSION}"
    assert told["region"] == "100% of the picture finer, by up to 5.3 dB"
    parts = dict(part.rsplit(" ", 1) for part in told["by part"].split(", "))
    assert list(parts) == ["header", "region map", "alpha", "ICC profile", "tiles", "checksum"]
    assert sum(map(int, parts.values())) == size

    (folder / "b.jsr").write_bytes((folder / "a.jsr").read_bytes()[:-30])
    code, out, err = run("info", "b.jsr")
    assert code == 2 and "64×48 pixels" in out and re.search("checksum +wrong", out)
    assert err == (
        "jaxsr: b.jsr: the file is damaged or cut off: its checksum is wrong; "
        "it ends within tile 1 of 1\n"
    )
    header = (folder / "a.jsr").read_bytes()[: int(parts["header"])]
    for name, data in (("d.jsr", header + b"cut?"), ("e.jsr", header)):
        (folder / name).write_bytes(data)
        code, out, err = run("info", name)
        assert code == 2 and err.count("\n") == 1
        assert ("64×48 pixels" in out) == (name == "d.jsr")
    code, out, err = run("info", "a.png")
    assert code == 0
    (folder / "c.jsr").write_text("hello")
    for name in ("c.jsr", "nothere.jsr"):
        code, out, err = run("info", name)
        assert code == 2 and out == "" and err.startswith(f"jaxsr: {name}: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compress", "a.png", "-o", "b.png"], "b.png: what is written here is named .jsr"),
        (["compress", "a.png", "a.png", "-o", "b.jsr"], "give a folder"),
        (["compress", "a.png", "-o", "b.jsr", "--quality", "0"], "not a number from 1 to 100"),
        (["compress", "a.png", "-o", "b.jsr", "--bpp", "-1"], "not a number above 0"),
        (["compress", "a.png", "-o", "b.jsr", "--bpp", "nan"], "not a number above 0"),
        (["compress", "a.png", "-o", "b.jsr", "--max-bytes", "4k"], "not a number of bytes"),
        (
            ["compress", "a.png", "-o", "b.jsr", "--bpp", "1", "--quality", "9"],
            "not allowed with argument",
        ),
        (["compress", "a.png", "-o", "b.jsr", "--target-psnr", "0"], "not a number of dB above 0"),
        (["compress", "a.png", "-o", "b.jsr", "--target-psnr", "inf"], "not a number of dB above"),
        (["compress", "a.png", "-o", "b.jsr", "--target-msssim", "1"], "a number between 0 and 1"),
        (
            ["compress", "a.png", "-o", "b.jsr", "--target-msssim", ".9", "--target-psnr", "30"],
            "not allowed with argument",
        ),
        (["compress", "a.png", "-o", "b.jsr", "--roi-gain", "6"], "name it with --roi"),
        (["compress", "a.png", "-o", "b.jsr", "--roi", "no.png"], "no.png: no such file"),
        (["compress", "a.png", "-o", "b.jsr", "--box", "1,2,3"], "not X,Y,W,H"),
        (["compress", "a.png", "-o", "b.jsr", "--box", "99,0,9,9"], "lies outside the image"),
        (["compress", "a.png", "-o", "b.jsr", "--segmenter", "x"], "--segmenter is for regions"),
        (["compress", "a.png", "-o", "b.jsr", "--mode", "quarter"], "choose from"),
        (
            ["compress", "a.png", "-o", "b.jsr", "--roi", "a.png", "--roi-gain", "99"],
            "a region's gain is -67 to 67 dB",
        ),
        (["compress", "*.jsr", "-o", "b"], "no images here; .png"),
        (
            ["compress", "a.png", "-o", "b.jsr", "--bpp", "0.0001"],
            "ask for 0.",
        ),
        (["decompress", "a.png", "-o", "b.png"], "a.png: not a .jsr file"),
        (["decompress", "nothere.jsr", "-o", "b.png"], "nothere.jsr: no such file"),
        (["decompress", "a.jsr", "-o", "a.jsr"], ".jsr is no image format"),
        (["decompress", "a.jsr", "-o", "b.jpg"], "transparency; PNG, WEBP, TIFF, AVIF and JPEG XL"),
        (["decompress", "a.jsr", "-o", "b.jpg", "--format", "png"], "another format than png"),
        (["decompress", "a.jsr", "-o", "b.png", "--scale", "5"], "choose from 1, 2, 3, 4, 8"),
        (["decompress", "*.png", "-o", "b"], None),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_one_line_and_exit_code_2(
    folder, save, run, tiny_codec, arguments, message
):
    save("a.png", CAT)
    (folder / "a.jsr").write_bytes(codec.encode(np.dstack([CAT, CAT[..., 0]]), model=tiny_codec))
    code, _, err = run(*arguments)
    assert code == 2
    assert err.count("\n") == 1 and err.startswith("jaxsr: ")
    assert (message or "no .jsr files here; .jsr are read") in err
    assert names(folder) == ["a.jsr", "a.png"]


def test_a_file_of_another_codec_is_not_decoded_to_noise(save, run, tiny_codec, capsys):
    save("a.png", CAT)
    run("compress", "a.png", "-o", "a.jsr")
    code = main(["decompress", "a.jsr", "-o", "b.png"])
    err = capsys.readouterr().err
    assert code == 2 and "coded with a model that is not here" in err and err.count("\n") == 1


def test_files_and_pixels_do_not_depend_on_where_the_coder_runs(folder, save, run):
    save("cat.png", CAT)
    for place in ENTROPY_DEVICES:
        there = "--entropy-device", place
        assert run("compress", "cat.png", "-o", f"{place}.jsr", *there)[0] == 0
        assert run("decompress", f"{place}.jsr", "-o", f"{place}.png", *there)[0] == 0
    for kind in ("jsr", "png"):
        assert len({(folder / f"{place}.{kind}").read_bytes() for place in ENTROPY_DEVICES}) == 1
