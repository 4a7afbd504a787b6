"""``eval.py`` from its config to the files it writes."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import skimage.data
from PIL import Image

from jaxsr import networks, pipeline
from jaxsr.evaluation.super_resolution import evaluate
from jaxsr.training import loop
from jaxsr.zoo import weights

REPO = Path(__file__).resolve().parents[2]


def load_script(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script():
    return load_script(REPO / "eval.py")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for name in ("astronaut", "coffee"):
        image = getattr(skimage.data, name)()[100:164, 60:140]
        Image.fromarray(image).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def tiny_span(random_params, tmp_path_factory):
    options = {"scale": 2, "features": 4}
    network = networks.create("span", **options)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    weights.save(path, weights.Weights("span", options, random_params(network)))
    return path


def configured(**fields):
    config = load_script(REPO / "configs" / "eval" / "sr.py").get_config()
    config.update(fields)
    return config


def test_a_weights_file_is_evaluated_on_every_folder(script, photos, tiny_span, tmp_path, capsys):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "cup.png").write_bytes((photos / "coffee.png").read_bytes())
    config = configured(
        model=str(tiny_span),
        data=f"{photos},{tmp_path / 'more'}",
        scale=2,
        out=str(tmp_path / "reports" / "metrics.json"),
        pictures=str(tmp_path / "pictures"),
    )
    script.run(config)
    written = json.loads(Path(config.out).read_text())
    first, second = written["sets"]
    expected = evaluate(pipeline.load(tiny_span).upscale_many, photos, 2)
    assert [image["name"] for image in first["images"]] == ["astronaut", "coffee"]
    assert [image["psnr_y"] for image in first["images"]] == [
        pytest.approx(row.score.psnr, abs=1e-3) for row in expected.rows
    ]
    assert second["images"][0]["bicubic"] == first["images"][1]["bicubic"]
    assert written["config"]["model"] == str(tiny_span)
    picture = Image.open(tmp_path / "pictures" / "more" / "cup_x2.png")
    assert picture.size == (80, 64)
    assert "cup" in capsys.readouterr().out


def test_a_training_run_is_evaluated_with_its_averaged_parameters(script, photos, tmp_path, capsys):
    config = load_script(REPO / "tests" / "training" / "tiny.py").get_config()
    config.data.update(source=f"folder:{photos}", cache=str(tmp_path / "cache"))
    config.update(steps=1, eval_data="")
    loop.fit(config, str(tmp_path / "run"))
    capsys.readouterr()
    script.run(configured(data=str(photos), scale=config.scale, limit=1), str(tmp_path / "run"))
    table = capsys.readouterr().out
    assert "astronaut" in table and "coffee" not in table
    with pytest.raises(ValueError, match="trained for ×2, not ×4"):
        script.run(configured(data=str(photos), scale=4), str(tmp_path / "run"))


def test_what_does_not_go_together_is_refused(script, photos, tiny_span, tmp_path):
    data = str(photos)
    for fields, workdir, message in [
        ({"model": "bicubic"}, "", "no originals"),
        ({"model": "bicubic", "data": f"{data},nowhere"}, "", "nowhere: no such folder"),
        ({"model": "bicubic", "data": str(tmp_path)}, "", "no images in this folder"),
        ({"data": data}, "", "either --config.model or --workdir"),
        ({"data": data, "model": "bicubic"}, "run", "either --config.model or --workdir"),
        ({"data": data, "model": str(tiny_span), "scale": 3}, "", "×2, not ×3"),
        ({"data": data, "model": "no-such-model"}, "", "unknown model"),
        ({"data": data}, str(tmp_path), "no checkpoint here"),
        ({"data": data, "model": "bicubic", "out": f"{tiny_span}/x"}, "", "cannot be made"),
    ]:
        with pytest.raises(ValueError, match=message):
            script.run(configured(**fields), workdir)


def test_the_command_fails_with_one_line_and_status_2():
    flags = ["--config.model=bicubic", "--config.data=nowhere"]
    done = subprocess.run(
        [sys.executable, "eval.py", *flags],
        cwd=REPO,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "eval.py: nowhere: no such folder"
