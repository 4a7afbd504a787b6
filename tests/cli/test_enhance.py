"""``jaxsr enhance`` with small networks: images larger, a region restored, masks beside them."""

import re

import numpy as np
import pytest
import skimage.data

from jaxsr import pipeline
from jaxsr.image import files
from jaxsr.image.values import from_float

CAT = skimage.data.chelsea()[100:148, 100:164]


@pytest.fixture
def chain(stage_files):
    return pipeline.load_chain(
        upscaler=stage_files["span_compact"],
        segmenter=stage_files["attention_unet"],
        restorer=stage_files["window_restorer"],
    )


@pytest.fixture
def run(run, stage_files):
    """``jaxsr enhance ARGUMENTS``, with the small networks."""

    def enhance(*arguments, segmenter=True):
        flags = ["--model", "span_compact", "--restorer", "window_restorer"]
        flags += ["--segmenter", "attention_unet"] * segmenter
        return run("enhance", *arguments, *(stage_files.get(flag, flag) for flag in flags))

    return enhance


def files_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


def test_images_and_their_masks_are_written_as_python_gives_them(folder, save, run, chain):
    save("in/photo.jpg", CAT)
    save("in/deep/gray.png", CAT[..., :1].astype(np.uint16) * 257)
    save("in/one.webp", CAT[:1, :1], CAT[:1, :1, 0])
    (folder / "in/text.png").write_text("hello")
    code, out, err = run("in", "-o", "big", "--format", "png", "--mask-out", "masks")
    assert code == 2 and err.startswith("jaxsr: in/text.png: ") and err.count("\n") == 1
    assert "3 enhanced to big, 1 failed" in out
    names = ["deep/gray.png", "one.webp.png", "photo.jpg.png"]
    assert files_in(folder / "big") == files_in(folder / "masks") == names
    assert re.search(
        r"photo\.jpg\.png: 128×96 pixels, \d+\.\d % of them in the region, \d tiles?", out
    )
    for source, name in (("photo.jpg", "photo.jpg.png"), ("deep/gray.png", "deep/gray.png")):
        result = chain(folder / "in" / source)
        np.testing.assert_array_equal(files.read(folder / "big" / name).pixels, result.image.pixels)
        mask = files.read(folder / "masks" / name).pixels[..., 0]
        np.testing.assert_array_equal(mask, from_float(result.mask))

    (folder / "in/text.png").unlink()
    code, out, _ = run("in", "-o", "big", "--format", "png", "--mask-out", "masks")
    assert code == 0 and "0 enhanced to big, 3 skipped" in out


def test_boxes_and_masks_are_in_pixels_of_the_input(save, run, chain):
    save("a.png", CAT)
    mask = np.zeros((*CAT.shape[:2], 1), np.uint8)
    mask[10:30, 20:60] = 255
    save("mask.png", mask)
    for flags in (["--box", "20,10,40,20"], ["--roi", "mask.png"]):
        flags += ["--mask-out", "m.png", "--overwrite"]
        code, out, err = run("a.png", "-o", "b.png", *flags, segmenter=False)
        assert (code, err) == (0, "") and "1 tile restored" in out
        result = chain(CAT, [(20, 10, 40, 20)])
        np.testing.assert_array_equal(files.read("b.png").pixels, result.image)
        written = files.read("m.png").pixels[..., 0]
        assert written.shape == (96, 128) and (written > 128).mean() == pytest.approx(
            40 * 20 / 48 / 64, 0.02
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mask-out", "b.png"], "b.png: an image is written there; choose another --mask-out"),
        (["--mask-out", "a.png"], "a.png: would overwrite a.png, an input"),
        (["--mask-out", "old.png"], "a.png: old.png exists; --overwrite replaces it"),
        (["--mask-out", "m.gif"], ".gif is no image format"),
        (["--roi", "old.png"], "old.png: not a PNG"),
        (["--roi", "old.png", "--mask-out", "old.png", "--overwrite"], "the region's mask"),
        (["--scale", "3"], "upscale ×2, not ×3"),
        (["--scale", "5"], "choose from 1, 2, 3, 4, 8"),
        (["--class", "dog"], "tells only what stands out"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_one_line_and_exit_code_2(folder, save, run, arguments, message):
    save("a.png", CAT)
    (folder / "old.png").write_text("mine")
    code, _, err = run("a.png", "-o", "b.png", *arguments, segmenter="--roi" not in arguments)
    assert code == 2
    assert err.count("\n") == 1 and err.startswith("jaxsr: ") and message in err
    assert files_in(folder) == ["a.png", "old.png"]
