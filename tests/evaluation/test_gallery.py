"""``config.report``: every task of ``eval.py`` shows what it made on one page."""

import json
import re
from pathlib import Path

import skimage.data

from jaxsr.evaluation import gallery
from jaxsr.evaluation.gallery import Gallery
from jaxsr.evaluation.regions import task as regions

CAT = skimage.data.chelsea()[100:164, 60:140]


def scenes_of(path):
    """Scene → (name, note) of its views."""
    text = Path(path).read_text(encoding="utf-8")
    scenes = json.loads(re.search(r'id="scenes">(.*?)</script>', text, re.DOTALL)[1])
    return {s["name"]: [(view["name"], view["note"]) for view in s["views"]] for s in scenes}


def test_an_upscalers_outputs_are_shown_beside_bicubic_and_the_original(
    script, configured, photos, tmp_path
):
    page = tmp_path / "page.html"
    data = str(photos / "images")
    script.run(configured("sr", model="bicubic", data=data, limit=1, report=str(page)))
    ((scene, views),) = scenes_of(page).items()
    assert scene == "images/astronaut"
    assert [name for name, _ in views] == ["bicubic", "upscaled", "original"]
    assert re.fullmatch(r"Y: \d+\.\d\d dB, SSIM 0\.\d{4}", views[0][1])


def test_codecs_are_shown_with_how_close_they_come(
    script, configured, folder_of, crops, tmp_path, capsys
):
    page = tmp_path / "page.html"
    classical = {"jpeg": (20, 80), "webp": (), "avif": (), "jpeg_xl": ()}
    large = folder_of(crops("chelsea", slice(176), slice(176)))
    script.run(configured("codec", data=str(large), classical=classical, report=str(page)))
    ((_, views),) = scenes_of(page).items()
    assert [name for name, _ in views] == ["original", "JPEG 20", "JPEG 80"]
    worse, better = (float(note.split(" dB")[0]) for _, note in views[1:])
    assert worse < better
    assert f"{page}: 3 images to compare" in capsys.readouterr().out


def test_masks_are_shown_beside_the_true_one(script, configured, photos, tmp_path):
    page = tmp_path / "page.html"
    script.run(configured("regions", data=str(photos), limit=1, report=str(page)))
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
