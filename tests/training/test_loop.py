"""The loop on real crops: kill and resume, signals, NaN, fine-tuning, two processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
import skimage.data
from PIL import Image

from jaxsr.training import loop
from jaxsr.training.checkpoints import Checkpoints, load_weights
from jaxsr.training.config import default_config

REPO = Path(__file__).resolve().parents[2]
OPTIONS = {
    "model.name": "span_compact",
    "scale": 2,
    "data.low_crop": 8,
    "batch_size": 4,
    "steps": 30,
    "log_every": 5,
    "checkpoint_every": 7,
    "eval_every": 1000,
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for name in ("astronaut", "coffee", "chelsea"):
        Image.fromarray(getattr(skimage.data, name)()[100:180, 60:156]).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def config(photos, tmp_path):
    config = default_config()
    config.model.options = {"features": 8, "blocks": 1}
    config.update_from_flattened_dict(OPTIONS | {"data.source": f"folder:{photos}"})
    config.data.cache = str(photos.parent / "cache")
    return config


def start(config, workdir, *flags, devices=1):
    """``train.py`` with the same config, as a process of its own."""
    arguments = [f"--config.{k}={v}" for k, v in OPTIONS.items() if k != "model.name"]
    arguments += [f"--config.data.{k}={config.data[k]}" for k in ("source", "cache")]
    environment = os.environ | {
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
    }
    command = [
        sys.executable,
        "train.py",
        "--config=tests/training/tiny.py",
        f"--workdir={workdir}",
    ]
    return subprocess.Popen(
        [*command, *arguments, *flags],
        cwd=REPO,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for_checkpoint(process, workdir):
    while process.poll() is None and not list(Path(workdir).glob("checkpoints/[0-9]*")):
        time.sleep(0.05)


def finish(process):
    output = process.communicate(timeout=240)[0]
    assert process.returncode == 0, output
    return output


def final_state(workdir):
    params = load_weights(workdir)
    return params.notes["step"], jax.tree.leaves(params.params)


def test_a_killed_run_ends_with_the_same_bits(config, tmp_path):
    finish(start(config, tmp_path / "whole"))
    killed = start(config, tmp_path / "killed", "--config.steps=100000")
    wait_for_checkpoint(killed, tmp_path / "killed")
    killed.kill()
    killed.wait()
    resumed_at = Checkpoints(tmp_path / "killed").latest_step()
    # without the kill the schedule is that of 30 steps: the resumed run must agree from where it is
    assert resumed_at is not None
    finish(start(config, tmp_path / "killed"))
    (step, expected), (resumed_step, got) = map(
        final_state, (tmp_path / "whole", tmp_path / "killed")
    )
    assert step == resumed_step == "30"
    for a, b in zip(expected, got, strict=True):
        np.testing.assert_array_equal(a, b)
