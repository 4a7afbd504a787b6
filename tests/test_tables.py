"""The tables of figures in pages and cards: what the JSON files of ``eval.py`` say."""

import json
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def tables(module_at):
    return module_at("docs/tables.py")


def test_every_table_is_what_its_figures_say(tables):
    found = set()
    for page in tables.PAGES:
        text = page.read_text("utf-8")
        found |= {name for _, name, _ in tables.TABLE.findall(text)}
        assert tables.with_tables(text) == text, f"{page}: run python docs/tables.py"
    assert found == set(tables.TABLES)


def test_the_readme_has_the_figures_of_the_tables(tables):
    text = (REPO / "README.md").read_text("utf-8")
    measured = tables.by_inputs("span-compact-x4")["set5", "clean"]
    assert f"| Set5 ×4, PSNR of Y | {measured['mean']['psnr_y']:.2f} dB | bicubic" in text
    assert f"bicubic {measured['bicubic_mean']['psnr_y']:.2f};" in text
    noisy = [
        tables.by_inputs(f"span-{name}-x4")["bsd100", "noise"] for name in ("photo", "compact")
    ]
    photo, compact = (one["mean"]["psnr_y"] for one in noisy)
    bicubic = noisy[0]["bicubic_mean"]["psnr_y"]
    assert (
        f"σ 8 | {photo:.2f} dB | bicubic {bicubic:.2f}; trained on clean images, {compact:.2f}"
        in text
    )
    ours, *others = (line.split("|")[2].strip() for line in list(tables.codecs())[2:5])
    assert f"| Kodak, BD-rate against JPEG | {ours} |" in text
    for other in others:
        assert other.removesuffix(" %") in text


def test_figures_are_kept_without_single_images(tables):
    report = {"sets": [{"mean": 1.0, "images": [{"name": "a"}, {"name": "b"}], "recall": [0.5]}]}
    assert tables.without_images(report) == {"sets": [{"mean": 1.0, "count": 2}]}
    for path in tables.FIGURES.glob("*.json"):
        report = json.loads(path.read_text("utf-8"))
        if "config" in report:  # of eval.py
            assert path.stat().st_size < 20_000
            assert "/" not in report["config"]["data"]  # nobody's folders
