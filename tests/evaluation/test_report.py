"""Reports: what the table and the JSON say."""

import json
import math

from jaxsr.evaluation.report import save_json
from jaxsr.evaluation.upscalers import report
from jaxsr.evaluation.upscalers.protocol import ImageScores, UpscalerScores, YScore

BICUBIC = YScore(20.0, 0.5)
PLAIN = UpscalerScores(
    4,
    (ImageScores("a", YScore(30.0, 0.9), BICUBIC), ImageScores("bc", YScore(31.5, 0.8), BICUBIC)),
    1.5,
)
WITH_IDENTICAL = UpscalerScores(
    2,
    (
        ImageScores("same", YScore(math.inf, 1.0), BICUBIC),
        ImageScores("other", YScore(30.0, 0.9), BICUBIC),
    ),
    1.5,
)


def test_the_table_has_a_line_an_image_and_the_mean_beside_bicubic():
    lines = report.table("Set", PLAIN).splitlines()
    assert lines[0] == "Set, ×4"
    assert [line.split() for line in lines[4:]] == [
        ["a", "30.000", "0.9000", "20.000", "0.5000"],
        ["bc", "31.500", "0.8000", "20.000", "0.5000"],
        ["-" * len(lines[4])],
        ["mean", "30.750", "0.8500", "20.000", "0.5000"],
    ]
    assert len({len(line) for line in lines[2:]}) == 1  # aligned


def test_an_identical_image_is_pointed_out():
    text = report.table("Set", WITH_IDENTICAL)
    assert "same        inf  1.0000" in text
    assert text.endswith(
        "1 of 2 images are identical to their originals; mean of the others: 30.000 dB"
    )
    alone = UpscalerScores(2, WITH_IDENTICAL.rows[:1], 0.1)
    assert report.table("Set", alone).endswith("1 of 1 images are identical to their originals")


def test_json_is_valid_though_a_decibel_is_infinite(tmp_path):
    written = report.as_json({"some/Set": [WITH_IDENTICAL], "other": [PLAIN]}, {"model": "m"})
    save_json(tmp_path / "metrics.json", written)

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    read = json.loads((tmp_path / "metrics.json").read_text(), parse_constant=refuse)
    assert read["config"] == {"model": "m"}
    assert {"jax", "jaxsr"} <= read["versions"].keys()
    first, second = read["sets"]
    assert (first["name"], first["path"], first["identical"]) == ("Set", "some/Set", ["same"])
    assert first["images"][0] == {
        "name": "same",
        "psnr_y": "inf",
        "ssim_y": 1.0,
        "bicubic": {"psnr_y": 20.0, "ssim_y": 0.5},
    }
    assert first["mean"]["psnr_y"] == "inf"
    assert second["mean"] == {"psnr_y": 30.75, "ssim_y": 0.8500000000000001}
    assert second["seconds"] == 1.5
