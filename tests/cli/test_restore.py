"""``jaxsr restore`` with small networks: the region changes and nothing else does."""

import functools
import re

import numpy as np
import pytest
import skimage.data

from jaxsr import pipeline
from jaxsr.cli import main
from jaxsr.image import files
from jaxsr.regions.degradation import Degraded
from jaxsr.regions.masks import REGION

CAT = skimage.data.chelsea()[100:148, 100:164]


@pytest.fixture
def run(run, stage_files):
    """``jaxsr restore ARGUMENTS --model …``, with a small restorer, perhaps a segmenter."""

    def restore(*arguments, model="window_restorer", segmenter=None):
        flags = ["--segmenter", stage_files[segmenter]] if segmenter else []
        return run("restore", *arguments, "--model", stage_files[model], *flags)

    return restore


def test_the_segmenter_finds_what_is_restored(folder, save, run, stage_files):
    save("photo.png", CAT)
    save("one.png", CAT[:1, :1])
    (folder / "text.png").write_text("hello")
    code, out, err = run("*.png", "-o", "better", segmenter="attention_unet")
    assert code == 2 and err.startswith("jaxsr: text.png: ") and err.count("\n") == 1
    assert "2 restored to better, 1 failed" in out
    line = r"photo\.png → better/photo\.png: 64×48 pixels, (.*) % of them in the region, 1 tile "
    mask = pipeline.load_segmenter(stage_files["attention_unet"])("photo.png").mask > REGION
    share = float(re.search(line, out)[1])
    assert 0 < share < 100 and share == pytest.approx(100 * mask.mean(), abs=0.06)
    result = files.read("better/photo.png").pixels
    np.testing.assert_array_equal(result[~mask], CAT[~mask])
    assert (result[mask] != CAT[mask]).mean() > 0.3


def test_a_region_is_everything_or_a_mask_or_boxes_or_a_class(save, run, stage_files):
    save("a.png", CAT.astype(np.uint16) * 257, CAT[..., 0].astype(np.uint16) * 257)
    mask = np.zeros((*CAT.shape[:2], 1), np.uint8)
    mask[10:30, 20:60] = 255
    save("mask.png", mask)
    restore = pipeline.load_restorer(stage_files["window_restorer"], segmenter=None)
    find = pipeline.load_segmenter(stage_files["classes"])
    for flags, roi in (
        (["--roi", "all"], "all"),
        (["--roi", "mask.png"], mask),
        (["--box", "-1,2,30,20", "--box", "40,30,9,9"], [(-1, 2, 30, 20), (40, 30, 9, 9)]),
        (["--class", "dog"], lambda image: find(image, "dog")),
    ):
        segmenter = "classes" if flags[0] == "--class" else None
        code, _, err = run("a.png", "-o", "b.tif", "--overwrite", *flags, segmenter=segmenter)
        assert (code, err) == (0, "")
        expected, written = restore("a.png", roi).image, files.read("b.tif")
        np.testing.assert_array_equal(written.pixels, expected.pixels)
        np.testing.assert_array_equal(written.alpha, expected.alpha)


def test_what_exists_is_kept_unless_overwritten(folder, save, run):
    save("a.png", CAT)
    (folder / "b.png").write_text("mine")
    code, out, _ = run("a.png", "-o", "b.png", "--roi", "all")
    assert code == 0 and "1 skipped" in out and (folder / "b.png").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--box", "1,2,3,4,5"], "'1,2,3,4,5' is not X,Y,W,H"),
        (["--box", "0,48,5,5"], "a.png: box 0,48,5,5 (x,y,w,h) lies outside the image of 64×48"),
        (["--box", "0,0,5,5", "--roi", "all"], "not allowed with argument"),
        (["--roi", "all", "--class", "dog"], "--class is for regions that are found"),
        (["--roi", "no.png"], "no.png: no such file"),
        (["--roi", "small.png", "-o", "small.png", "--overwrite"], "the region's mask"),
        (["--roi", "small.png"], "a.png: the mask is 9×9, the image 64×48"),
        (["--segmenter", "nonet"], "unknown segmenter 'nonet'"),
        (["-o", "b.jpg", "--roi", "all"], "b.jpg: JPEG cannot hold transparency"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_one_line_and_exit_code_2(folder, save, run, arguments, message):
    save("a.png", CAT, CAT[..., 0])
    save("small.png", CAT[:9, :9])
    code, _, err = run("a.png", "-o", "b.png", *arguments)
    assert code == 2
    assert err.count("\n") == 1 and err.startswith("jaxsr: ") and message in err
    assert sorted(path.name for path in folder.iterdir()) == ["a.png", "small.png"]


def test_weights_of_another_kind_are_refused(save, capsys, stage_files):
    save("a.png", CAT)
    model = str(stage_files["attention_unet"])
    code = main(["restore", "a.png", "-o", "b.png", "--roi", "all", "--model", model])
    assert code == 2 and "jaxsr segment takes them" in capsys.readouterr().err


# ---- what is wrong with an image ----


@pytest.fixture
def run_told(run):
    """``jaxsr restore a.png -o b.png --roi all ARGUMENTS``, with a restorer that is told."""
    command = "a.png", "-o", "b.png", "--roi", "all", "--overwrite"
    return functools.partial(run, *command, model="told")


def test_what_is_wrong_is_said_and_mended(save, run_told, stage_files):
    save("a.png", CAT)
    code, out, err = run_told("--noise", "12", "--jpeg", "30", "--deblur", "auto")
    assert (code, err) == (0, "") and "1 tile restored; noise 12.0, JPEG 30\n" in out
    restore = pipeline.load_restorer(stage_files["told"], segmenter=None)
    expected = restore("a.png", "all", Degraded(noise=12, jpeg=30))
    np.testing.assert_array_equal(files.read("b.png").pixels, expected.image.pixels)
    assert (expected.image.pixels != CAT).any() and expected.degraded == (12, 0, 30, 100)


def test_an_image_that_nothing_is_wrong_with_stays_as_it_is(save, run_told):
    save("a.png", CAT)
    code, out, err = run_told()
    assert (code, err) == (0, "") and "0 tiles restored; nothing is wrong with it" in out
    np.testing.assert_array_equal(files.read("b.png").pixels, CAT)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--noise", "-1"], "'-1' is not auto or a number of 0 or more"),
        (["--noise", "300"], "noise 300: give a number from 0 to 255"),
        (["--deblur", "11"], "blur 11: give a number from 0 to 10"),
        (["--jpeg", "0"], "'0' is not auto or a number from 1 to 100"),
    ],
)
def test_strengths_that_cannot_be_are_refused(arguments, message, save, run_told):
    save("a.png", CAT)
    code, _, err = run_told(*arguments)
    assert code == 2 and message in err


def test_a_restorer_that_is_not_told_says_so(save, run):
    save("a.png", CAT)
    code, _, err = run("a.png", "-o", "b.png", "--roi", "all", "--noise", "5")
    assert code == 2 and "this restorer is not told how an image was degraded" in err
