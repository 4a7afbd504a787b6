"""``jaxsr segment`` with a small network: masks of what stands out, of a class, in a box."""

import re

import numpy as np
import pytest
import skimage.data

from jaxsr import pipeline
from jaxsr.image import files
from jaxsr.image.values import from_float

CAT = skimage.data.chelsea()[100:148, 100:164]


@pytest.fixture
def run(run, stage_files):
    """``jaxsr segment ARGUMENTS --model …``, with a small segmenter."""

    def segment(*arguments, model="attention_unet"):
        return run("segment", *arguments, "--model", stage_files[model])

    return segment


def test_images_of_all_kinds_get_masks_and_bad_ones_are_told(folder, save, run, stage_files):
    save("photo.jpg", CAT)
    save("one.png", CAT[:1, :1])
    save("many/deep/gray.tif", CAT[..., :1].astype(np.uint16) * 257)
    (folder / "text.png").write_text("hello")
    code, out, err = run("photo.jpg", "one.png", "many", "text.png", "-o", "masks")
    assert code == 2
    assert err.startswith("jaxsr: text.png: ") and err.count("\n") == 1
    *lines, summary = out.splitlines()
    assert summary == "3 segmented to masks, 1 failed"
    assert re.fullmatch(
        r"photo\.jpg → masks/photo\.jpg\.png: 64×48 pixels, \d+\.\d % of them in the region",
        lines[0],
    )
    find = pipeline.load_segmenter(stage_files["attention_unet"])
    expected = from_float(find("photo.jpg").mask)[..., None]
    assert np.unique(expected).size > 10
    np.testing.assert_array_equal(files.read("masks/photo.jpg.png").pixels, expected)
    assert files.read("masks/one.png").pixels.shape == (1, 1, 1)
    assert files.read("masks/deep/gray.tif.png").pixels.dtype == np.uint8


def test_classes_thresholds_and_boxes(save, run, stage_files):
    save("a.png", CAT)
    find = pipeline.load_segmenter(stage_files["classes"])
    code, *_ = run(
        "a.png", "-o", "dog.tif", "--class", "dog", "--threshold", "0.4", model="classes"
    )
    assert code == 0
    expected = np.uint8(255) * (find(CAT, "dog").mask > 0.4)
    np.testing.assert_array_equal(files.read("dog.tif").pixels[..., 0], expected)
    code, *_ = run("a.png", "-o", "box.png", "--box", "50,-9,30,20", model="classes")
    assert code == 0
    expected = np.zeros(CAT.shape[:2], np.float32)
    expected[:11, 50:] = find(CAT[:11, 50:]).mask
    np.testing.assert_array_equal(files.read("box.png").pixels[..., 0], from_float(expected))


def test_what_exists_is_kept_unless_overwritten(folder, save, run):
    save("a.png", CAT)
    (folder / "m.png").write_text("mine")
    code, out, _ = run("a.png", "-o", "m.png")
    assert code == 0 and "1 skipped" in out and (folder / "m.png").read_text() == "mine"
    code, out, _ = run("a.png", "-o", "m.png", "--overwrite")
    assert code == 0 and files.read("m.png").pixels.shape == (48, 64, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--box", "1,2,3"], "'1,2,3' is not X,Y,W,H"),
        (["--box", "64,0,5,5"], "a.png: box 64,0,5,5 (x,y,w,h) lies outside the image of 64×48"),
        (["--threshold", "1"], "not a number from 0 to below 1"),
        (["--class", "cat"], "tells only what stands out"),
        (["-o", "a.png", "--overwrite"], "would overwrite a.png"),
        (["-o", "b.gif"], ".gif is no image format"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_one_line_and_exit_code_2(folder, save, run, arguments, message):
    save("a.png", CAT)
    code, _, err = run("a.png", "-o", "m.png", *arguments)
    assert code == 2
    assert err.count("\n") == 1 and err.startswith("jaxsr: ") and message in err
    assert [path.name for path in folder.iterdir()] == ["a.png"]
