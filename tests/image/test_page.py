"""The page that compares images: what it holds, and what a browser makes of it."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from jaxsr.errors import UserError
from jaxsr.image import files
from jaxsr.image.files import Picture
from jaxsr.image.page import Scene, View, figures, page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars"
FLAGS += " --disable-background-networking --disable-component-update --disable-sync"
FLAGS += " --window-size=900,700 --virtual-time-budget=2000"


def flat(colour, height=60, width=80, dtype=np.uint8):
    return Picture(np.full((height, width, len(colour)), colour, dtype))


def scenes_of(text):
    return json.loads(re.search(r'id="scenes">(.*?)</script>', text, re.DOTALL)[1])


@pytest.fixture
def browse(tmp_path):
    """``browse(page, "a=1", "--dump-dom")``: what Chromium prints of the page at that address."""
    if not CHROMIUM:
        pytest.skip("no chromium here: the page is not looked at in a browser")

    def run(text, address, flag):
        (tmp_path / "page.html").write_text(text, encoding="utf-8")
        command = [CHROMIUM, *FLAGS.split(), f"--user-data-dir={tmp_path / 'profile'}", flag]
        command.append(f"file://{tmp_path / 'page.html'}#{address}")
        return subprocess.run(command, capture_output=True, text=True, timeout=120).stdout

    return run


@pytest.fixture
def screenshot(browse, tmp_path):
    """``screenshot(page, address)``: (700, 900, 3) uint8, what Chromium shows."""

    def take(text, address):
        browse(text, address, f"--screenshot={tmp_path / 'shot.png'}")
        return files.read(tmp_path / "shot.png").pixels

    return take


def test_a_page_holds_its_images_and_asks_for_nothing_else():
    text = page("two", [Scene("", [View("a", flat((9, 8, 7))), View("b", flat((5,)))])])
    assert "http:" not in text and "https:" not in text
    assert not re.search(r"<link|@import|url\(|<script[^>]* src", text)
    assert [view["src"][:22] for view in scenes_of(text)[0]["views"]] == [
        "data:image/png;base64,"
    ] * 2


def test_a_name_cannot_leave_its_place_in_the_page():
    name = "</script><b>'\"{{scenes}}"
    text = page(name, [Scene(name, [View(name, flat((1,))), View("b", flat((2,)))])])
    assert text.count("</script>") == 2 and "<b>" not in text
    assert scenes_of(text)[0]["views"][0]["name"] == name


def test_16_bits_are_shown_in_8_and_that_is_said():
    views = [View("deep", flat((257 * 40,), dtype=np.uint16), "new"), View("b", flat((2,)))]
    first = scenes_of(page("", [Scene("", views)]))[0]["views"][0]
    assert first["note"] == "new · 16 bits, shown in 8"
    assert (first["width"], first["height"]) == (80, 60)


def test_one_image_is_nothing_to_compare():
    with pytest.raises(UserError, match="two images or more"):
        page("", [Scene("", [View("a", flat((1,)))])])


def test_figures_are_of_what_can_be_measured():
    original = flat((100, 100, 100))
    assert figures(original, original) == "identical to the original"
    assert figures(flat((101,)), original) == "48.13 dB, SSIM 1.0000"
    assert figures(flat((101,), 8, 8), flat((100,), 8, 8)) == "48.13 dB"
    assert figures(flat((25900,), dtype=np.uint16), original).startswith("50.31 dB")
    small = figures(flat((1,), 30, 40), original)
    assert small == "not measured: the original has 80×60 pixels"


def test_a_browser_shows_both_sides_of_the_border(screenshot):
    views = [View("red", flat((200, 0, 0))), View("blue", flat((0, 0, 200), 30, 40))]
    shown = screenshot(page("", [Scene("", views)]), "border=0.25")
    middle = shown[350]  # a row through the images, which fill the width
    np.testing.assert_array_equal(middle[200], (200, 0, 0))
    np.testing.assert_array_equal(middle[700], (0, 0, 200))


def test_a_browser_shows_the_difference_with_its_gain(screenshot):
    views = [View("a", flat((100, 50, 20))), View("b", flat((110, 45, 20)))]
    shown = screenshot(page("", [Scene("", views)]), "difference=1&gain=2")
    np.testing.assert_array_equal(shown[350, 450], (40, 20, 0))


def test_a_browser_says_what_is_shown_and_how_large(browse):
    views = [
        View("a", flat((1,), 30, 40), "31.00 dB"),
        View("b", flat((2,))),
        View("wide", flat((3,), 20, 80)),
    ]
    scenes = [Scene("one", views[:2]), Scene("two", views)]
    dom = browse(page("pair", scenes), "scene=1&a=0&b=2", "--dump-dom")
    assert "a<span>40×30, shown ×2 · 31.00 dB</span>" in dom
    assert "wide<span>80×20, of another shape</span>" in dom
    assert dom.count("<option") == 2 + 3 + 3


def test_an_address_that_asks_for_too_much_shows_what_there_is(browse):
    text = page("", [Scene("", [View("a", flat((1,))), View("b", flat((2,)))])])
    dom = browse(text, "scene=7&a=99&b=-3&zoom=x&colour=4", "--dump-dom")
    assert 'id="from">b<span>' in dom and 'id="to">a<span>' in dom
