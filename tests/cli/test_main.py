"""The command line with the released weights, on the images people have."""

import os
import re

import jax
import numpy as np
import pytest
import skimage.data
from PIL import Image

import jaxsr
from jaxsr import zoo
from jaxsr.cli import flags, info, main
from jaxsr.codec import weights
from jaxsr.codec.model import ENTROPY_DEVICES
from jaxsr.errors import UserError
from jaxsr.image import files
from jaxsr.pipeline import Upscale

CAT = skimage.data.chelsea()[100:124, 100:132]


def test_a_bad_file_is_told_in_one_line_and_the_others_go_on(folder, save, run):
    save("photo.jpg", CAT)
    save("one.png", CAT[:1, :1])
    save("gray.png", CAT[..., :1].astype(np.uint16) * 257)
    save("alpha.webp", CAT, np.full(CAT.shape[:2], 128, np.uint8))
    save("many/deep/leaf.tif", CAT)
    (folder / "text.png").write_text("hello")
    (folder / "empty.jpg").touch()
    (folder / "half.jpg").write_bytes((folder / "photo.jpg").read_bytes()[:900])
    good = ["photo.jpg", "one.png", "gray.png", "alpha.webp", "many"]
    bad = ["text.png", "empty.jpg", "half.jpg", "nothere.png"]

    code, out, err = run("upscale", *good, *bad, "-o", "big")

    assert code == 2
    *lines, summary = out.splitlines()
    assert summary == "5 upscaled to big, 4 failed"
    assert lines[0] == "photo.jpg → big/photo.jpg: 128×96 pixels" and len(lines) == 5
    assert [line.split(": ")[:2] for line in err.splitlines()] == [["jaxsr", name] for name in bad]
    assert files.read(folder / "big/photo.jpg").pixels.shape == (96, 128, 3)
    assert files.read(folder / "big/one.png").pixels.shape == (4, 4, 3)
    assert files.read(folder / "big/deep/leaf.tif").pixels.shape == (96, 128, 3)
    gray = files.read(folder / "big/gray.png").pixels
    assert gray.shape == (96, 128, 1) and gray.dtype == np.uint16
    assert np.unique(gray % 257).size > 1  # more than 8 bits stretched
    np.testing.assert_array_equal(files.read(folder / "big/alpha.webp").alpha, 128)
    assert len(list((folder / "big").rglob("*.*"))) == 5


def test_what_exists_is_kept_unless_overwritten(folder, save, run):
    save("a.png", CAT)
    (folder / "big").mkdir()
    (folder / "big/a.png").write_text("mine")
    code, out, _ = run("upscale", "a.png", "-o", "big")
    assert code == 0 and "1 skipped" in out
    assert (folder / "big/a.png").read_text() == "mine"
    code, out, _ = run("upscale", "a.png", "-o", "big", "--overwrite")
    assert code == 0 and out.endswith("\n1 upscaled to big\n")
    assert files.read(folder / "big/a.png").pixels.shape == (96, 128, 3)


def test_where_a_result_goes_does_not_depend_on_what_lies_beside_its_input(folder, save, run):
    save("in/a.png", CAT)
    flags = ["in", "-o", "big", "--format", "png", "--scale", "2"]
    run("upscale", *flags)
    save("in/a.jpg", CAT)
    code, out, _ = run("upscale", *flags)
    assert code == 0 and out.endswith(
        "1 upscaled to big, 1 skipped that exist (--overwrite replaces them)\n"
    )
    assert sorted(path.name for path in (folder / "big").iterdir()) == ["a.jpg.png", "a.png"]


def test_an_input_is_never_overwritten(folder, save, run):
    save("a.png", CAT)
    before = (folder / "a.png").read_bytes()
    code, _, err = run("upscale", "a.png", "-o", "a.png", "--overwrite")
    assert code == 2 and "would overwrite" in err
    assert (folder / "a.png").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.png", "-o", "b.gif"], ".gif is no image format"),
        (["a.png", "a.png", "-o", "b.png"], "give a folder"),
        (["a.png", "-o", "b.png", "--scale", "5"], "enlarges ×4, and ×5 is wanted"),
        (["a.png", "-o", "b.png", "--tile", "9"], "at least"),
        (["a.png", "-o", "b.png", "--model", "nonet"], "released: span-compact"),
        (["a.png", "-o", "b.png", "--model", "no.safetensors"], "no such weights file"),
        (["a.png", "-o", "b.png", "--model", "net.pth"], "net.pth: no such weights file"),
        (["a.png", "-o", "b.png", "--model", "a.png"], "a.png: an image, not weights; give"),
        (["a.png", "-o", "b.png", "--model", "./a.png"], "a.png: an image, not weights; give"),
        (["a.png", "-o", "b.png", "--model", "no.jsr"], "no.jsr: an image, not weights; give"),
        (["a.png", "-o", "a.png/b.png"], "a.png: the folder cannot be made (a.png is a file"),
        (["a.png", "-o", "b.v2"], "or b.v2/ for a folder"),
        (["-", "-o", "b"], "stdin has no name to give it in the folder b; give a file's"),
        (["a.png", "alpha.png", "-o", "-"], "-: one file cannot hold several images"),
        (["alpha.png", "-o", "b.jpg"], "transparency; PNG, WEBP, TIFF, AVIF and JPEG XL"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_what_cannot_be_is_one_line_and_exit_code_2(folder, save, run, arguments, message):
    save("a.png", CAT)
    save("alpha.png", CAT, np.full(CAT.shape[:2], 128, np.uint8))
    code, _, err = run("upscale", *arguments)
    assert code == 2
    assert err.count("\n") == 1 and err.startswith("jaxsr: ") and message in err
    assert sorted(path.name for path in folder.iterdir()) == ["a.png", "alpha.png"]


@pytest.mark.slow
def test_the_demo_prints_its_figures_and_writes_the_sheets(folder, run):
    code, out, _ = run("demo", "--output", "sheets")
    assert code == 0
    lines = out.splitlines()
    decibels = [float(line.split(" dB")[0].split()[-1]) for line in lines if " dB" in line]
    bicubic, enlarged, jpeg, compressed = decibels[:4]
    assert enlarged > bicubic + 2 and compressed > jpeg + 2
    assert "trained on degraded photographs" in out and "(s)" not in out
    # of the chain, inside the region
    bicubic, upscaled, restored, plain, by_region = decibels[4:]
    assert upscaled > bicubic + 2 and restored > upscaled and by_region > plain
    assert int(lines[6].split()[1]) <= int(lines[5].split()[1])  # bytes
    for line in lines:
        if line.startswith("side by side: "):
            with Image.open(folder / line.removeprefix("side by side: ")) as sheet:
                assert sheet.size[0] > 3 * 512
    page = (folder / "sheets/astronaut.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == 3 + 3 + 8


def test_a_name_that_would_break_a_line_is_escaped(folder, save, run):
    save("in/a\nb.png", CAT)
    save("in/red\x1b[31m.png", CAT)
    (folder / "in/bad\nname.png").write_text("no image")
    (folder / os.fsdecode(b"in/\xff.png")).write_bytes((folder / "in/a\nb.png").read_bytes())
    code, out, err = run("upscale", "in", "-o", "big", "--scale", "2")
    assert code == 2
    assert out.splitlines() == [
        r"in/a\nb.png → big/a\nb.png: 64×48 pixels",
        r"in/red\x1b[31m.png → big/red\x1b[31m.png: 64×48 pixels",
        r"in/\udcff.png → big/\udcff.png: 64×48 pixels",
        "3 upscaled to big, 1 failed",
    ]
    assert err.startswith(r"jaxsr: in/bad\nname.png: ") and err.count("\n") == 1
    code, out, err = run("info", "in/bad\nname.png")
    assert code == 2 and err.startswith(r"jaxsr: in/bad\nname.png: ") and err.count("\n") == 1
    code, out, err = run("info", "in/a\nb.png")
    assert code == 0 and out.splitlines()[0] == r"in/a\nb.png"


def test_a_demo_that_is_there_is_kept(folder, run):
    (folder / "demo").mkdir()
    (folder / "demo/astronaut-region.png").write_text("mine")
    code, out, _ = run("demo")
    assert code == 0 and "astronaut-region.png exists, skipped" in out
    assert [path.read_text() for path in (folder / "demo").iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        (["--scale", "1.5"], (48, 36)),
        (["--size", "50x"], (50, 38)),
        (["--size", "x48", "--strength", "0.5"], (64, 48)),
        (["--size", "40x40", "--self-ensemble"], (40, 40)),
    ],
)
def test_images_are_enlarged_to_any_size(folder, save, run, arguments, size):
    save("a.png", CAT)
    code, out, _ = run("upscale", "a.png", "-o", "b.png", *arguments)
    assert code == 0 and f"{size[0]}×{size[1]}" in out
    assert Image.open("b.png").size == size


def test_a_region_alone_is_upscaled_by_another_network(folder, save, run, tmp_path):
    read = zoo.read_upscaler(scale=2)
    params = jax.tree.map(lambda x: 0.9 * x, read.params)
    zoo.weights.write("fine.safetensors", zoo.Weights(read.network, read.options, params))
    save("a.png", CAT)
    code, out, _ = run(
        "upscale", "a.png", "-o", "b.png", "--model", "fine.safetensors", "--box", "0,0,16,24"
    )
    assert code == 0 and "1 tile upscaled by the model" in out
    run("upscale", "a.png", "-o", "c.png", "--scale", "2")
    ours, small = (np.asarray(Image.open(name)).astype(int) for name in ("b.png", "c.png"))
    np.testing.assert_array_equal(ours[:, 32:], small[:, 32:])
    assert (ours[:, :32] != small[:, :32]).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--box", "0,0,9,9", "--size", "99x"], "do not go with a region"),
        (["--roi", "all", "--scale", "1.5"], "give the scale of a network"),
        (["--around", "span-compact"], "are for a region; give --roi or --box"),
    ],
)
def test_flags_of_a_region_that_do_not_go_together_are_refused(
    folder, save, run, arguments, message
):
    save("a.png", CAT)
    code, _, err = run("upscale", "a.png", "-o", "b.png", *arguments)
    assert code == 2 and message in err


@pytest.mark.parametrize("text", ["x", "0x5", "12", "axb", "1.5x2"])
def test_what_is_no_size_is_refused(run, text):
    code, _, err = run("upscale", "a.png", "-o", "b.png", "--size", text)
    assert code == 2 and "is no size; give WxH, Wx or xH" in err


def test_models_lists_the_weights_that_are_here(run, tmp_path, monkeypatch):
    monkeypatch.setenv("JAXSR_MODELS", str(tmp_path))
    (tmp_path / "broken.pth").write_bytes(b"no weights")
    code, out, _ = run("models")
    rows = {line.split()[0]: line for line in out.splitlines() if line}
    assert code == 0 and re.search(r"×2 ×3 ×4 +upscaler +span_compact +184K", rows["span-compact"])
    assert {"attention-unet", "window-restorer", "patch-hyperprior"} < rows.keys()
    assert "broken.pth: not a PyTorch checkpoint" in rows["broken"]
    assert re.search(r"span-photo, the default,[^.]*\. For clean [^.]*--model span-compact\.", out)
    assert len({line.index(" upscaler ") for line in rows.values() if " upscaler " in line}) == 1


def test_info_tells_a_codecs_weights(run):
    code, out, _ = run("info", str(weights.find()))
    assert code == 0 and re.search(r"kind +codec", out) and "patch_hyperprior" in out
    assert re.search(r"hash +[0-9a-f]{8}", out) and re.search(r"parameters +3,504,328", out)
    assert re.search(r"licence +Apache-2.0", out)


def test_models_lists_the_codecs(run):
    code, out, _ = run("models", "patch_hyperprior")
    assert code == 0 and re.search("3.5M +patch-hyperprior", out)


def test_models_lists_networks_with_their_cost_and_released_weights(run):
    code, out, _ = run("models", "span_compact", "pan")
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    assert code == 0
    assert "span-compact ×2 ×3 ×4" in lines["span_compact"] and "195K" in lines["span_compact"]
    assert "272K" in lines["pan"] and "28.2G" in lines["pan"]


def test_info_tells_of_images_and_of_weights(folder, save, run):
    save("deep.tif", CAT[..., :1].astype(np.uint16), CAT[..., 1].astype(np.uint16))
    code, out, _ = run("info", "deep.tif")
    assert code == 0 and "32×24" in out and "gray and alpha" in out and "16 a channel" in out
    released = jaxsr.zoo.find_weights(jaxsr.zoo.UPSCALER, "span-compact", 4)
    code, out, _ = run("info", str(released))
    assert code == 0 and "span_compact" in out and "194,608" in out
    code, by_name, _ = run("info", "span-compact")
    assert code == 0 and by_name.splitlines()[1:] == out.splitlines()[1:]
    code, _, err = run("info", "spam-compact")
    assert code == 2 and err.startswith(
        "jaxsr: unknown upscaler 'spam-compact'; released: span-com"
    )
    (folder / "text.png").write_text("hello")
    code, _, err = run("info", "text.png")
    assert code == 2 and err.count("\n") == 1


def test_models_takes_the_names_of_released_weights(run):
    code, out, _ = run("models", "span-compact")
    assert code == 0 and re.search(r"span_compact .*span-compact ×2 ×3 ×4", out)
    assert "pan " not in out
    code, _, err = run("models", "nonet")
    assert code == 2 and "there are: atd" in err and "released weights: span-compact" in err


def test_frames_beyond_the_first_are_told(folder, run):
    frames = [Image.fromarray(pixels) for pixels in (CAT, CAT[::-1], CAT[:, ::-1])]
    for name in ("a.tif", "a.webp", "a.gif"):
        frames[0].save(name, save_all=True, append_images=frames[1:])
        code, out, _ = run("upscale", name, "-o", "big", "--scale", "2")
        assert code == 0 and ": 64×48 pixels, the first of 3 frames\n" in out
        code, out, _ = run("info", name)
        assert code == 0 and re.search("frames +3, of which the first is read", out)


def test_one_bad_image_among_those_worked_on_together_is_told_in_its_place(save, run, monkeypatch):
    for name in "abc":
        save(f"{name}.png", CAT[:8, :8] if name == "b" else CAT)
    work = Upscale.upscale_many

    def fails(self, images, *rest):
        if any(image.pixels.shape[0] == 8 for image in images):
            raise UserError("no such size")
        return work(self, images, *rest)

    monkeypatch.setattr(Upscale, "upscale_many", fails)
    code, out, err = run("upscale", "*.png", "-o", "big", "--scale", "2")
    assert code == 2 and err == "jaxsr: b.png: no such size\n"
    assert [line.split()[0] for line in out.splitlines()] == ["a.png", "c.png", "2"]


def test_only_what_a_user_can_cause_is_one_line(save, run, monkeypatch):
    save("a.png", CAT)

    def faulty(error):
        def work(*_):
            raise error

        monkeypatch.setattr(Upscale, "upscale_many", work)

    arguments = ["upscale", "a.png", "-o", "b.png"]
    exhausted = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes")
    for error in (MemoryError(), exhausted):
        faulty(error)
        code, _, err = run(*arguments)
        assert code == 2 and err.startswith("jaxsr: a.png: not enough memory; ")
    for error in (ValueError("shapes do not match"), OSError("odd"), TypeError("a bug")):
        faulty(error)
        with pytest.raises(type(error)):
            main(arguments)
    faulty(UserError("an image of Mondays"))
    assert main(arguments) == 2
    with pytest.raises(UserError):
        main([*arguments, "--debug"])


def test_version_and_no_command(run):
    assert run("--version")[:2] == (0, f"jaxsr {jaxsr.__version__}\n")
    code, _, err = run()
    assert code == 2 and "COMMAND" in err


@pytest.mark.parametrize(
    "command",
    [
        ["upscale", "a.png", "-o", ""],
        ["upscale", "", "-o", "b.png"],
        ["upscale", "a.png", "-o", "b.png", "--model", ""],
        ["enhance", "a.png", "-o", "b.png", "--mask-out", ""],
        ["compress", "a.png", "-o", "b.jsr", "--roi", ""],
        ["compare", "a.png", "", "-o", "b.html"],
        ["compare", "a.png", "--original", "", "-o", "b.html"],
        ["convert", "", "b.safetensors"],
        ["demo", "-o", ""],
        ["info", ""],
    ],
    ids=" ".join,
)
def test_an_empty_name_is_not_taken_for_the_current_folder(folder, save, run, command):
    save("a.png", CAT)
    code, out, err = run(*command)
    assert (code, out) == (2, "") and "the name is empty" in err and err.count("\n") == 1
    assert [path.name for path in folder.iterdir()] == ["a.png"]


def test_help_names_the_weights_that_are_used_by_default(run):
    named = flags.UPSCALER, flags.SEGMENTER, flags.RESTORER, flags.CODEC, flags.CLEAN_UPSCALER
    released = zoo.DEFAULT_UPSCALER, zoo.DEFAULT_SEGMENTER, zoo.DEFAULT_RESTORER
    assert named == (*released, weights.DEFAULT, zoo.CLEAN_UPSCALER)
    assert flags.ENTROPY_DEVICES == ENTROPY_DEVICES
    assert flags.SCALES == jaxsr.networks.SCALES and info.WEIGHTS == zoo.SUFFIXES
    code, out, _ = run("compress", "--help")
    assert code == 0 and "(default:patch-hyperprior)" in "".join(out.split())


@pytest.mark.parametrize(
    ("command", "names"),
    [("upscale", "a.jpg.png"), ("compress", "a.jpg.jsr"), ("segment", "a.jpg.png")],
)
def test_help_names_results_as_the_command_does(folder, save, run, command, names):
    save("a.jpg", CAT)
    code, out, _ = run(command, "--help")
    assert code == 0 and names in out
    more = ["--format", "png"] if command == "upscale" else []
    run(command, "a.jpg", "-o", "made", *more)
    assert [path.name for path in (folder / "made").iterdir()] == [names]
