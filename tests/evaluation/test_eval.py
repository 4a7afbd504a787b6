"""``eval.py`` from its config to the files it writes."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import optax
import pytest
from PIL import Image

from jaxsr import codec, pipeline
from jaxsr.evaluation.upscalers.protocol import evaluate
from jaxsr.training import checkpoints, loop
from jaxsr.training.compression import compression
from jaxsr.training.state import new_state
from jaxsr.zoo import weights

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def photos(photos):
    """The images alone."""
    return photos / "images"


@pytest.fixture(scope="module")
def tiny_span(span, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    weights.write(path, span)
    return path


@pytest.fixture
def of_upscalers(configured):
    return functools.partial(configured, "sr")


@pytest.fixture
def of_codecs(configured):
    """Ours at two qualities where a model is given, JPEG at two, and no other."""
    classical = {"jpeg": (20, 80), "webp": (), "avif": (), "jpeg_xl": ()}

    def config(**fields):
        return configured("codec", **{"qualities": (1, 100), "classical": classical, **fields})

    return config


def test_a_weights_file_is_evaluated_on_every_folder(
    script, of_upscalers, photos, tiny_span, tmp_path, capsys
):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "cup.png").write_bytes((photos / "coffee.png").read_bytes())
    config = of_upscalers(
        model=str(tiny_span),
        data=f"{photos},{tmp_path / 'more'}",
        scale=2,
        out=str(tmp_path / "reports" / "metrics.json"),
        pictures=str(tmp_path / "pictures"),
    )
    script.run(config)
    written = json.loads(Path(config.out).read_text())
    first, second = written["sets"]
    expected = evaluate(pipeline.load_upscaler(tiny_span).tiled, photos, 2)
    assert [image["name"] for image in first["images"]] == ["astronaut", "coffee"]
    assert [image["psnr_y"] for image in first["images"]] == [
        pytest.approx(row.score.psnr, abs=1e-3) for row in expected.rows
    ]
    assert second["images"][0]["bicubic"] == first["images"][1]["bicubic"]
    assert written["config"]["model"] == str(tiny_span)
    picture = Image.open(tmp_path / "pictures" / "more" / "cup_x2.png")
    assert picture.size == (80, 64)
    assert "cup" in capsys.readouterr().out


def test_a_training_run_is_evaluated_with_its_averaged_parameters(
    script, module_at, of_upscalers, photos, tmp_path, capsys
):
    config = module_at("tests/training/tiny.py").get_config()
    config.data.update(source=f"folder:{photos}", cache=str(tmp_path / "cache"))
    config.update(steps=1, eval_data="")
    loop.fit(config, str(tmp_path / "run"))
    capsys.readouterr()
    script.run(of_upscalers(data=str(photos), scale=config.scale, limit=1), str(tmp_path / "run"))
    table = capsys.readouterr().out
    assert "astronaut" in table and "coffee" not in table
    with pytest.raises(ValueError, match="trained for ×2, not ×4"):
        script.run(of_upscalers(data=str(photos), scale=4), str(tmp_path / "run"))


def test_what_does_not_go_together_is_refused(script, of_upscalers, photos, tiny_span, tmp_path):
    data = str(photos)
    for fields, workdir, message in [
        ({"model": "bicubic"}, "", "no originals"),
        ({"model": "bicubic", "data": f"{data},nowhere"}, "", "nowhere: no such folder"),
        ({"model": "bicubic", "data": str(tmp_path)}, "", "no images in this folder"),
        ({"data": data}, "", "either --config.model or --workdir"),
        ({"data": data, "model": "bicubic"}, "run", "either --config.model or --workdir"),
        ({"data": data, "model": str(tiny_span), "scale": 3}, "", "×2, not ×3"),
        ({"data": data, "model": "no-such-model"}, "", "unknown upscaler"),
        ({"data": data}, str(tmp_path), "no checkpoint here"),
        ({"data": data, "model": "bicubic", "out": f"{tiny_span}/x"}, "", "cannot be made"),
    ]:
        with pytest.raises(ValueError, match=message):
            script.run(of_upscalers(**fields), workdir)


def test_a_codec_is_measured_beside_jpeg_on_every_folder(
    script, of_codecs, photos, tiny_codec, tmp_path, capsys
):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "cup.png").write_bytes((photos / "coffee.png").read_bytes())
    (tmp_path / "points.csv").write_text(
        "codec,bpp,psnr_rgb_db\nVTM,0.1,25\nVTM,2,42\nother,1,30\nother,2,33\n"
    )
    config = of_codecs(
        model=str(tiny_codec),
        data=f"{photos},{tmp_path / 'more'}",
        curves=str(tmp_path / "points.csv"),
        curve_names="VTM",
        out=str(tmp_path / "reports" / "rd.json"),
        pictures=str(tmp_path / "pictures"),
    )
    script.run(config)
    written = json.loads(Path(config.out).read_text())
    first, second = written["sets"]
    ours, jpeg = first["codecs"]
    assert (ours["name"], jpeg["name"]) == ("jaxsr", "JPEG")
    assert [point["quality"] for point in ours["points"]] == [1, 100]
    model = codec.load(str(tiny_codec))
    pixels = np.asarray(Image.open(photos / "coffee.png"))
    for point in ours["points"]:
        file = codec.encode(pixels, point["quality"], model=model)
        measured = point["images"]["coffee"]
        assert measured["bytes"] == len(file)
        assert measured["bpp"] == 8 * len(file) / (64 * 80)
        kept = f"coffee_jaxsr_{point['quality']}.png"
        picture = Image.open(tmp_path / "pictures" / photos.name / kept)
        np.testing.assert_array_equal(picture, codec.decode(file, model=model))
        again = second["codecs"][0]["points"][point["quality"] == 100]["images"]["cup"]
        assert again["bytes"] == len(file)
    assert [delta["codec"] for delta in first["against_anchor"]] == ["jaxsr", "VTM"]
    assert [delta["anchor"] for delta in first["against_published"]] == ["VTM", "VTM"]
    printed = capsys.readouterr().out
    assert "against JPEG" in printed and "BD-rate against published" in printed


def test_pictures_at_half_their_size_are_a_curve_of_their_own(
    script, of_codecs, photos, tiny_codec, tmp_path
):
    out = tmp_path / "rd.json"
    config = of_codecs(model=str(tiny_codec), data=str(photos), out=str(out), limit=1)
    config.modes, config.qualities, config.classical.jpeg = ("full", "half"), (50,), ()
    config.anchor = ""
    script.run(config)
    full, half = json.loads(out.read_text())["sets"][0]["codecs"]
    assert (full["name"], half["name"]) == ("jaxsr", "jaxsr half")
    name = min(full["points"][0]["images"])
    pixels = np.asarray(Image.open(photos / f"{name}.png"))
    file = codec.encode(pixels, mode="half", model=tiny_codec)
    assert half["points"][0]["images"][name]["bytes"] == len(file)
    config.modes = ("quarter",)
    with pytest.raises(ValueError, match="modes are of full, half, auto, got 'quarter'"):
        script.run(config)


def test_classical_codecs_alone_need_no_model_and_are_plotted(
    script, of_codecs, photos, tmp_path, capsys
):
    pytest.importorskip("matplotlib")
    config = of_codecs(data=str(photos), plot=str(tmp_path / "rd.png"), limit=1, each_image=True)
    script.run(config)
    assert Image.open(tmp_path / "rd.png").format == "PNG"
    table = capsys.readouterr().out
    assert "images: 1" in table and "astronaut" in table and "coffee" not in table


@pytest.fixture
def codec_run(photos, tiny_codec_weights, module_at, tmp_path):
    """The working directory of a codec's training run, before its first step."""
    config = module_at("configs/codec/patch_hyperprior.py").get_config()
    config.model.options = tiny_codec_weights.options
    config.data.update(source=f"folder:{photos}", cache=str(tmp_path / "cache"), crop=64)
    config.batch_size = 2
    state = new_state(tiny_codec_weights.params, optax.sgd(1.0))
    run = checkpoints.Checkpoints(tmp_path / "run")
    run.save(state, iter(compression(config).dataset), config)
    run.close()
    return str(tmp_path / "run")


def test_a_codec_in_training_is_evaluated_with_its_averaged_parameters(
    script, of_upscalers, of_codecs, photos, codec_run, capsys
):
    script.run(of_codecs(data=str(photos), limit=1, qualities=(50,)), codec_run)
    assert "jaxsr" in capsys.readouterr().out
    with pytest.raises(ValueError, match="'patch_hyperprior', which is no upscaler"):
        script.run(of_upscalers(data=str(photos)), codec_run)


def test_what_does_not_go_together_of_codecs_is_refused(
    script, of_codecs, photos, tiny_span, tmp_path
):
    table = tmp_path / "points.csv"
    table.write_text("codec,bpp,psnr_rgb_db\nVTM,0.1,25\nVTM,2,42\n")
    none = {"jpeg": (), "webp": (), "avif": (), "jpeg_xl": ()}
    for fields, message in [
        ({"data": ""}, "no originals"),
        (
            {"task": "segmentation"},
            "unknown task 'segmentation'; there are: super_resolution, codec",
        ),
        ({"classical": none}, "nothing to measure"),
        ({"classical": {"jpeg": (50, 200)}}, "quality 200: JPEG takes whole numbers from 1 to 100"),
        ({"model": "no-such-codec"}, "unknown codec"),
        ({"model": str(tiny_span)}, "upscaler weights .span., not codec weights"),
        ({"anchor": "VTM"}, "'VTM', which is no curve of this evaluation; there are: JPEG"),
        ({"curves": str(table), "curve_names": "HM"}, "no curve 'HM'; there are: VTM"),
        ({"curve_names": "HM"}, "give it, --config.curves=FILE"),
        ({"limit": -1}, "config.limit is -1"),
        ({"out": str(tmp_path)}, "a folder; give --config.out=FILE.json"),
        ({"plot": str(tmp_path)}, "a folder; give --config.plot=FILE.png"),
    ]:
        with pytest.raises(ValueError, match=message):
            script.run(of_codecs(**{"data": str(photos), **fields}))


@pytest.mark.parametrize("named", [[], ["--config=configs/eval/sr.py"]], ids=["", "config"])
def test_the_command_fails_with_one_line_and_status_2(named):
    flags = [*named, "--config.model=bicubic", "--config.data=nowhere"]
    done = subprocess.run(
        [sys.executable, "eval.py", *flags],
        cwd=REPO,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "eval.py: nowhere: no such folder"
