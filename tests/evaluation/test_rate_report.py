"""Reports of codecs: what the tables, the JSON and the plot say."""

import io
import json
import math
import sys

import pytest
from PIL import Image

from jaxsr.evaluation import plot
from jaxsr.evaluation.codecs import report
from jaxsr.evaluation.codecs.protocol import MeasuredCurve, Measurement, Point
from jaxsr.evaluation.codecs.published import PublishedCurve
from jaxsr.evaluation.report import save_json


def curve(name, bpps, psnrs):
    """Two images, the second of twice the rate and 2 dB more."""
    points = []
    for quality, (bpp, psnr) in enumerate(zip(bpps, psnrs, strict=True), 1):
        images = {
            "a": Measurement(1000, bpp, psnr, math.nan, 0.01, 0.02),
            "bc": Measurement(2000, 2 * bpp, psnr + 2, 0.9, 0.03, 0.04),
        }
        points.append(Point(quality, images))
    return MeasuredCurve(name, tuple(points), "made up")


NET = curve("net", (0.1, 0.4), (28.0, 34.0))
JPEG = curve("JPEG", (0.2, 0.8), (28.0, 34.0))
VTM = PublishedCurve("VTM", (0.15, 0.6), (31.0, 37.0))
FAR = PublishedCurve("far", (1.0, 2.0), (50.0, 60.0))


def test_the_table_has_the_means_of_every_codec_at_every_quality():
    lines = report.table("Set", [NET, JPEG]).splitlines()
    assert lines[0] == "Set, images: 2"
    assert lines[3].split() == ["net", "1", "mean", "1500", "0.1500", "29.000", "–", "20.0", "30.0"]
    assert [line.split()[:2] for line in lines[3:]] == [
        *(["net", "1"], ["net", "2"], ["-" * len(lines[2])]),
        *(["JPEG", "1"], ["JPEG", "2"]),
    ]
    assert len({len(line) for line in lines[1:]}) == 1  # aligned


def test_the_table_has_every_image_on_demand():
    lines = report.table("Set", [NET], each_image=True).splitlines()
    assert [line.split()[2] for line in lines[3:]] == ["a", "bc", "mean"] * 2
    assert lines[4].split() == [
        "net",
        "1",
        "bc",
        "2000",
        "0.2000",
        "30.000",
        "0.9000",
        "30.0",
        "40.0",
    ]


def test_deltas_are_against_the_anchor_alone_and_say_over_which_range():
    lines = report.delta_table(JPEG, [NET, JPEG], [VTM, FAR]).splitlines()
    assert [line.split() for line in lines[2:]] == [
        ["net", "-50.0", "%", "+3.00", "dB", "29.0–35.0", "dB"],
        ["-" * len(lines[1])],
        ["VTM", "-68.5", "%", "+5.00", "dB", "31.0–35.0", "dB"],
        ["far", "–", "–", "nothing", "shared"],
    ]


def test_every_measured_codec_is_held_against_every_published_one():
    lines = report.published_table([NET, JPEG], [VTM, FAR]).splitlines()
    assert lines[0].split()[-2:] == ["net", "JPEG"]
    assert [line.split() for line in lines[2:]] == [
        ["VTM", "+58.7", "%", "+217.5", "%"],
        ["far", "–", "–"],
    ]


def test_the_measured_curve_of_a_name_goes_before_the_published_one():
    published = PublishedCurve("JPEG", (1.0,), (30.0,))
    assert report.find("JPEG", [NET, JPEG], [published]) is JPEG
    assert report.find("VTM", [NET], [published, VTM]) is VTM
    assert report.find("", [NET], []) is None


def test_json_has_every_image_and_is_valid_where_figures_are_none(tmp_path):
    exact = MeasuredCurve("exact", (Point(1, {"a": Measurement(9, 1.0, math.inf, 1.0, 0.1, 0.1)}),))
    sets = {"some/Set": [NET, JPEG], "other": [exact, JPEG]}
    save_json(tmp_path / "rd.json", report.as_json(sets, [VTM, FAR], "JPEG", {"model": "m"}))

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    read = json.loads((tmp_path / "rd.json").read_text(), parse_constant=refuse)
    assert read["config"] == {"model": "m"}
    assert {"jax", "jaxsr", "pillow", "imagecodecs"} <= read["versions"].keys()
    assert read["published"][0] == {"name": "VTM", "bpp": [0.15, 0.6], "psnr": [31.0, 37.0]}
    first, second = read["sets"]
    assert (first["name"], first["path"]) == ("Set", "some/Set")
    net = first["codecs"][0]
    assert (net["name"], net["about"], len(net["points"])) == ("net", "made up", 2)
    assert net["points"][0]["quality"] == 1
    assert net["points"][0]["mean"]["bpp"] == pytest.approx(0.15)
    assert net["points"][0]["mean"]["ms_ssim"] is None
    assert net["points"][0]["images"]["bc"] == {
        **{"bytes": 2000, "bpp": 0.2, "psnr": 30.0, "ms_ssim": 0.9},
        **{"encode_seconds": 0.03, "decode_seconds": 0.04},
    }
    against = {delta["codec"]: delta for delta in first["against_anchor"]}
    assert set(against) == {"net", "VTM", "far"}
    assert against["net"]["bd_rate_percent"] == pytest.approx(-50)
    assert against["net"]["psnr_range_db"] == [29.0, 35.0]
    assert against["VTM"]["published"] and not against["net"]["published"]
    assert against["far"]["bd_rate_percent"] is against["far"]["psnr_range_db"] is None
    assert len(first["against_published"]) == 4
    assert second["codecs"][0]["points"][0]["mean"]["psnr"] == "inf"


def test_the_plot_is_a_picture_with_every_kind_of_curve():
    pytest.importorskip("matplotlib")
    bare = Image.open(io.BytesIO(plot.rate_distortion("Set", [NET, JPEG])))
    assert bare.format == "PNG" and min(bare.size) > 600
    full = Image.open(io.BytesIO(plot.rate_distortion("Set", [NET, JPEG], [VTM, FAR])))
    assert full.tobytes() != bare.tobytes()


def test_without_matplotlib_a_plot_is_refused_and_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ValueError, match=r"need matplotlib.*pip install 'jaxsr\[plot\]'"):
        plot.check_available()
