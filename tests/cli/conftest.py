"""A folder to work in, and small networks of every stage as weights files."""

import jax
import numpy as np
import pytest
import skimage.data

from jaxsr.cli import main
from jaxsr.image import files
from jaxsr.pipeline import Segment
from jaxsr.zoo import kinds, weights

OPTIONS = {
    "span_compact": {"features": 4, "blocks": 2, "scale": 2},
    "attention_unet": {"features": [4, 8], "layers": 1, "side": 32},
    "window_restorer": {"features": 8, "blocks": 1, "layers": 1, "window": 4, "heads": 2},
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def save(folder):
    """``save(name, pixels, alpha, …)``: an image in the folder, or in one within it."""

    def write(name, pixels, *rest):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, files.Picture(pixels, *rest))

    return write


@pytest.fixture
def run(capsys):
    """``run(*arguments)``: exit code, stdout and stderr of ``jaxsr ARGUMENTS``."""

    def command(*arguments):
        try:
            code = main(list(map(str, arguments)))
        except SystemExit as stop:  # argparse
            code = stop.code
        return code, *capsys.readouterr()

    return command


@pytest.fixture(scope="session")
def stage_files(random_params, tmp_path_factory):
    """``stage_files[network]``: its weights.

    ``["classes"]``: those of a three-class segmenter; ``["told"]``: of a restorer that is told how
    images are degraded, and finds nothing wrong with any.
    """
    folder = tmp_path_factory.mktemp("stages")

    def write(file, name, notes=None, **options):
        options = OPTIONS[name] | options
        kind = kinds.kind_of(name)
        network = kind.create(name, **options)
        inputs = kind.inputs(network, (32, 32))
        if kind is kinds.RESTORER:
            inputs = *inputs, jax.ShapeDtypeStruct((1, 8, 8, 4), np.float32)
        params = random_params(network, *inputs, gain=2.0)
        if name == "attention_unet" and network.classes == 1:  # about half of the cat's images
            p = np.median(Segment(network, params)(skimage.data.chelsea()[100:148, 100:164]).mask)
            params["logits"]["bias"] -= np.log(p / (1 - p))
        if options.get("told"):
            last = params["estimate"]["strengths"]
            last["kernel"], last["bias"] = 0 * last["kernel"], 0 * last["bias"] - 50
        path = folder / f"{file}.safetensors"
        weights.write(path, weights.Weights(name, options, params, notes or {}))
        return path

    files = {name: write(name, name) for name in OPTIONS}
    names = {"classes": "background,cat,dog"}
    told = write("told", "window_restorer", told=True)
    return files | {"classes": write("classes", "attention_unet", names, classes=3), "told": told}
