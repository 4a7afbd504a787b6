"""The released weights anew, with tiny parts."""

import json
from pathlib import Path

import pytest

from jaxsr import pipeline
from jaxsr.errors import UserError
from jaxsr.training.weights import make_weights, parts_of

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture
def config(module_at, folder_of, crops):
    config = module_at(REPO / "configs/weights.py").get_config()
    photos = folder_of(crops("astronaut coffee chelsea", slice(100, 180), slice(60, 156)))
    config.update(data=str(photos), minutes=60.0)
    config.evaluate.sr = str(photos)
    for scale in (2, 4):
        train = config.part[f"upscaler_x{scale}"].train
        train.model.options = {"features": 16, "blocks": 1}
        train.data.low_crop = 8
        train.data.cache = str(photos.parent / "cache")
        train.update(steps=3, log_every=1)
    return config


@pytest.mark.slow
def test_parts_are_trained_measured_and_written_one_from_another(config, tmp_path, capsys):
    config.parts = "upscaler_x2,upscaler_x4"
    make_weights(config, tmp_path)
    assert "arrays are taken from" in capsys.readouterr().out  # ×2 from ×4
    figures = json.loads((tmp_path / "weights.json").read_text())
    assert list(figures) == ["upscaler_x4", "upscaler_x2"]
    for name, figure in figures.items():
        assert figure["training"]["step"] == 3
        assert figure["evaluation"]["sets"][0]["mean"]["psnr_y"] > 10
        scale = int(name[-1])
        upscale = pipeline.load_upscaler(tmp_path / f"{name}.safetensors")
        assert upscale.scale == scale


def test_what_is_there_already_is_not_trained_again(config, tmp_path, capsys):
    config.parts = "upscaler_x4"
    make_weights(config, tmp_path)
    before = (tmp_path / "upscaler_x4.safetensors").stat().st_mtime_ns
    capsys.readouterr()
    make_weights(config, tmp_path)
    assert capsys.readouterr().out == "upscaler_x4: there already\n"
    assert (tmp_path / "upscaler_x4.safetensors").stat().st_mtime_ns == before


def test_without_masks_all_parts_but_the_segmenter_are_made_by_worth(config):
    names = parts_of(config)
    first, then = ["codec", "upscaler_x4", "restorer"], ["photo_x4", "upscaler_x2", "upscaler_x3"]
    assert names == [*first, *then, "photo_x2", "photo_x3"]
    config.masked = config.data
    assert parts_of(config) == [*names[:3], "segmenter", *names[3:]]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"parts": "upscaler_x5"}, "upscaler_x5"),
        ({"parts": "segmenter"}, r"config\.masked"),
        ({"data": ""}, r"config\.data"),
        ({"minutes": 0.0}, r"config\.minutes"),
    ],
    ids=str,
)
def test_what_cannot_be_made_is_named(config, tmp_path, options, says):
    config.update(options)
    with pytest.raises(UserError, match=says):
        make_weights(config, tmp_path)
