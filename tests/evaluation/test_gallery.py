"""``config.report``: every task of ``eval.py`` shows what it made on one page."""

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from jaxsr.evaluation import gallery
from jaxsr.evaluation.gallery import Gallery
from jaxsr.evaluation.regions import task as regions

REPO = Path(__file__).resolve().parents[2]
CAT = skimage.data.chelsea()[100:164, 60:140]


def configured(file, **fields):
    spec = importlib.util.spec_from_file_location(file, REPO / "configs/eval" / f"{file}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.get_config()
    config.update(fields)
    return config


def scenes_of(path):
    """Scene → (name, note) of its views."""
    text = Path(path).read_text(encoding="utf-8")
    scenes = json.loads(re.search(r'id="scenes">(.*?)</script>', text, re.DOTALL)[1])
    return {s["name"]: [(view["name"], view["note"]) for view in s["views"]] for s in scenes}


@pytest.fixture
def photos(tmp_path):
    """A folder with an image and its mask."""
    mask = np.zeros(CAT.shape[:2], np.uint8)
    mask[16:48, 24:60] = 255
    for part, pixels in (("images", CAT), ("masks", mask)):
        (tmp_path / "set" / part).mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / "set" / part / "cat.png")
    return tmp_path / "set"


def test_an_upscalers_outputs_are_shown_beside_bicubic_and_the_original(script, photos, tmp_path):
    page = tmp_path / "page.html"
    script.run(configured("sr", model="bicubic", data=str(photos / "images"), report=str(page)))
    ((scene, views),) = scenes_of(page).items()
    assert scene == "images/cat"
    assert [name for name, _ in views] == ["bicubic", "upscaled", "original"]
    assert re.fullmatch(r"Y: \d+\.\d\d dB, SSIM 0\.\d{4}", views[0][1])


def test_codecs_are_shown_with_how_close_they_come(script, photos, tmp_path, capsys):
    page = tmp_path / "page.html"
    classical = {"jpeg": (20, 80), "webp": (), "avif": (), "jpeg_xl": ()}
    large = photos.parent / "large"
    large.mkdir()
    Image.fromarray(skimage.data.chelsea()[:176, :176]).save(large / "cat.png")
    script.run(configured("codec", data=str(large), classical=classical, report=str(page)))
    ((_, views),) = scenes_of(page).items()
    assert [name for name, _ in views] == ["original", "JPEG 20", "JPEG 80"]
    worse, better = (float(note.split(" dB")[0]) for _, note in views[1:])
    assert worse < better
    assert f"{page}: 3 images to compare" in capsys.readouterr().out


def test_masks_are_shown_beside_the_true_one(script, photos, tmp_path):
    page = tmp_path / "page.html"
    script.run(configured("regions", data=str(photos), report=str(page)))
    ((_, views),) = scenes_of(page).items()
    assert [name for name, _ in views][:2] == ["image", "true mask"]
    assert len(views) == 4  # and the two baselines'


def test_what_is_restored_is_shown_with_what_it_was_made_of(tmp_path):
    page = Gallery(str(tmp_path / "page.html"), "regions")
    regions.show_result(page, "set", "cat", "noise", CAT // 2, CAT, CAT)
    page.write()
    ((scene, views),) = scenes_of(tmp_path / "page.html").items()
    assert scene == "set/cat, noise"
    assert [name for name, _ in views] == ["before", "restored", "original"]
    assert views[1][1] == "identical to the original"


def test_a_page_that_is_full_says_what_is_left_out(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gallery, "MOST", 2 * CAT.nbytes)
    page = Gallery(str(tmp_path / "page.html"), "full")
    for name in "abc":
        page.add("scene", name, CAT)
    page.write()
    assert len(scenes_of(tmp_path / "page.html")["scene"]) == 2
    assert "1 more did not fit" in capsys.readouterr().out


def test_without_a_path_nothing_is_kept_or_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = Gallery("", "none")
    page.add("scene", "a", CAT)
    page.write()
    assert not list(tmp_path.iterdir())
