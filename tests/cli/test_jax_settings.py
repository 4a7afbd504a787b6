"""The command line under JAX's settings: the same bytes under each of them."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import skimage.data

from jaxsr.image import files

SETTINGS = {
    "64-bit types": {"JAX_ENABLE_X64": "1"},
    "strict types": {"JAX_NUMPY_DTYPE_PROMOTION": "strict"},
    "strict ranks": {"JAX_NUMPY_RANK_PROMOTION": "raise"},
    "NaNs as errors": {"JAX_DEBUG_NANS": "1"},
    "four devices": {"JAX_NUM_CPU_DEVICES": "4"},
}
CACHE = str(Path(__file__).resolve().parents[2] / ".cache" / "jax")  # as tests/conftest.py
PLAIN = {"JAX_NUM_CPU_DEVICES": "1", "JAX_PLATFORMS": "cpu"}

# Runs the commands that it is given as JSON, and prints what went wrong.
RUN = """
import json, sys
from jaxsr.cli import main
for command in json.loads(sys.argv[1]):
    if main(command):
        sys.exit(f"jaxsr {' '.join(command)} failed")
"""


@pytest.fixture(scope="module")
def commands(stage_files, tiny_codec, tmp_path_factory):
    """Every command that has a network in it, as lists of arguments."""
    folder = tmp_path_factory.mktemp("in")
    cat = skimage.data.chelsea()[100:148, 100:164]
    files.write(folder / "cat.png", files.Picture(cat, alpha=cat[..., 0]))
    names = {
        "--model": stage_files["span_compact"],
        "--segmenter": stage_files["attention_unet"],
        "--restorer": stage_files["window_restorer"],
    }
    flags = [str(part) for pair in names.items() for part in pair]
    model, half = ["--model", str(tiny_codec)], ["--upscaler", flags[1]]
    image = str(folder / "cat.png")
    return [
        ["upscale", image, "-o", "upscaled.png", *flags[:2]],
        ["segment", image, "-o", "mask.png", "--model", flags[3]],
        ["restore", image, "-o", "restored.png", "--model", flags[5], *flags[2:4]],
        ["enhance", image, "-o", "enhanced.png", *flags],
        ["compress", image, "-o", "cat.jsr", "--roi", "auto", *flags[2:4], *model],
        ["compress", image, "-o", "small.jsr", "--bpp", "9", "--mode", "auto", *half, *model],
        ["decompress", "cat.jsr", "-o", "decompressed.png", *model],
        ["decompress", "small.jsr", "-o", "half.png", *half, *model],
    ]


@pytest.fixture(scope="module")
def plain(commands, tmp_path_factory):
    """What the commands write under no settings, by one device."""
    return written(commands, tmp_path_factory.mktemp("plain"), {})


def written(commands, folder, settings) -> dict[str, str]:
    """The hash of each file that the commands write, run in one process."""
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"} | PLAIN | settings
    environment |= {"PYTHONPATH": os.pathsep.join(sys.path)}
    environment |= {"JAX_COMPILATION_CACHE_DIR": CACHE}
    process = [sys.executable, "-c", RUN, json.dumps(commands)]
    done = subprocess.run(process, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return {x.name: hashlib.sha256(x.read_bytes()).hexdigest() for x in folder.iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_every_command_writes_the_same_bytes_under(name, commands, plain, tmp_path):
    assert len(plain) == len(commands)
    assert written(commands, tmp_path, SETTINGS[name]) == plain
