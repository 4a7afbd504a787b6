"""``jaxsr compare`` on files of every kind."""

import io
import json
import re

import numpy as np
import pytest
import skimage.data

from jaxsr import codec, zoo
from jaxsr.cli import main
from jaxsr.image import files

CAT = skimage.data.chelsea()[100:148, 100:164]


def views_of(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="scenes">(.*?)</script>', text, re.DOTALL)[1])[0]["views"]


def compare(arguments):
    """The exit code of ``jaxsr compare ARGUMENTS``."""
    return main(["compare", *arguments.split()])


@pytest.fixture
def photos(folder):
    files.write("cat.png", files.Picture(CAT))
    files.write("cat.jpg", files.Picture(CAT), quality=30)
    files.write("small.png", files.Picture(CAT[::2, ::2]))
    return folder


def test_images_are_compared_with_each_other_and_with_the_original(photos, capsys):
    code = compare("cat.jpg small.png --original cat.png -o page.html")
    out = capsys.readouterr().out.splitlines()
    assert code == 0
    assert re.fullmatch(r"cat.jpg: 64×48, \d\d\.\d\d dB, SSIM 0\.\d{4} · [\d,]+ bytes", out[0])
    assert out[1].startswith("small.png: 32×24, not measured: the original has 64×48 pixels")
    assert out[-1] == "3 images compared in page.html"
    names = [view["name"] for view in views_of(photos / "page.html")]
    assert names == ["cat.jpg", "small.png", "original: cat.png"]


def test_deep_gray_and_transparent_images_are_compared(photos):
    deep = CAT[..., :1].astype(np.uint16) * 257
    files.write("deep.png", files.Picture(deep, np.full(deep.shape[:2], 9999, np.uint16)))
    assert compare("deep.png cat.png -o page.html") == 0
    assert "16 bits" in views_of(photos / "page.html")[0]["note"]


def test_a_file_of_the_codec_is_decoded(photos):
    (photos / "cat.jsr").write_bytes(codec.encode(CAT, 50))
    assert compare("cat.jsr cat.png -o page.html") == 0
    assert views_of(photos / "page.html")[0]["width"] == 64


def test_files_of_one_name_are_told_apart_by_their_paths(photos):
    files.write(photos / "other.png", files.Picture(CAT))
    (photos / "b").mkdir()
    (photos / "other.png").rename(photos / "b/cat.png")
    assert compare("cat.png b/cat.png -o page.html") == 0
    assert [view["name"] for view in views_of(photos / "page.html")] == ["cat.png", "b/cat.png"]


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("cat.png -o page.html", "nothing to be compared with"),
        ("cat.png cat.jpg -o page.png", "ends in .html"),
        ("cat.png nowhere.png -o page.html", "nowhere.png: no such file"),
        ("cat.png nowhere.jsr -o page.html", "nowhere.jsr: no such file"),
    ],
)
def test_what_cannot_be_compared_is_one_line(photos, capsys, command, complaint):
    assert compare(command) == 2
    assert complaint in capsys.readouterr().err
    assert not (photos / "page.html").exists()


def test_a_page_that_exists_is_kept_unless_overwritten(photos, capsys):
    (photos / "page.html").write_text("mine")
    assert compare("cat.png cat.jpg -o page.html") == 0
    assert (photos / "page.html").read_text() == "mine"
    assert "--overwrite" in capsys.readouterr().out
    assert compare("cat.png cat.jpg -o page.html --overwrite") == 0
    assert len(views_of(photos / "page.html")) == 2


def test_an_input_is_never_written_over(photos, capsys):
    (photos / "cat.html").write_bytes((photos / "cat.png").read_bytes())
    before = (photos / "cat.html").read_bytes()
    assert compare("cat.html cat.jpg -o cat.html --overwrite") == 2
    assert "is read; choose another output" in capsys.readouterr().err
    assert (photos / "cat.html").read_bytes() == before


def test_an_image_comes_from_stdin_and_the_page_goes_to_stdout(photos, capsysbinary, monkeypatch):
    stdin = io.TextIOWrapper(io.BytesIO((photos / "cat.png").read_bytes()))
    monkeypatch.setattr("sys.stdin", stdin)
    assert compare("- cat.jpg -o -") == 0
    out, err = capsysbinary.readouterr()
    assert out.startswith(b"<!doctype html>") and out.endswith(b"</html>\n")
    assert b"2 images compared" in err


def test_stdin_holds_one_image(photos, capsys):
    assert compare("- - -o page.html") == 2
    assert "stdin holds one image" in capsys.readouterr().err


def test_what_models_make_of_an_image_is_compared(photos, capsys):
    released = str(zoo.find_weights(zoo.UPSCALER, "span-compact", 2))
    code = compare(f"small.png --models span-compact,{released} --original cat.png -o page.html")
    assert code == 0
    names = [view["name"] for view in views_of(photos / "page.html")]
    assert names == ["bicubic", "span-compact", "span-compact-x2.safetensors", "original: cat.png"]
    out = capsys.readouterr().out
    assert re.search(r"span-compact: 128×96, not measured.*×4, \d+\.\d s", out)
    assert re.search(r"span-compact-x2.safetensors: 64×48, \d\d\.\d\d dB", out)


def test_models_are_compared_on_one_image(photos, capsys):
    assert compare("cat.jpg small.png --models span-compact -o page.html") == 2
    assert "--models compares what they make of one image" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        compare("cat.jpg --models a,,b -o page.html")
