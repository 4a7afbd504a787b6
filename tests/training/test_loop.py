"""The loop on real crops: kill and resume, signals, NaN, fine-tuning, two processes."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxsr.errors import UserError
from jaxsr.training import loop
from jaxsr.training.checkpoints import Checkpoints, load_weights, plain
from jaxsr.training.config import default_config
from jaxsr.training.start import check_same_run

REPO = Path(__file__).resolve().parents[2]
TINY = Path(__file__).with_name("tiny.py")


@pytest.fixture(scope="module")
def photos(folder_of, crops):
    return folder_of(crops("astronaut coffee chelsea", slice(100, 180), slice(60, 156)))


@pytest.fixture
def config(photos, module_at):
    config = module_at(TINY).get_config()
    config.data.update(source=f"folder:{photos}", cache=str(photos.parent / "cache"))
    return config


def start(config, workdir, *flags, devices=1):
    """``train.py`` on the same data, as a process of its own."""
    environment = os.environ | {
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
        "PYTHONUNBUFFERED": "1",
    }
    data = [f"--config.data.{name}={config.data[name]}" for name in ("source", "cache")]
    return subprocess.Popen(
        [sys.executable, "train.py", f"--config={TINY}", f"--workdir={workdir}", *data, *flags],
        cwd=REPO,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process):
    output = process.communicate(timeout=240)[0]
    assert process.returncode == 0, output
    return output


def stop_at(process, step, number):
    """Sends the signal when ``step`` is reported, and waits for the end."""
    seen = []
    for line in process.stdout:
        seen.append(line)
        if line.startswith(f"step {step} "):
            process.send_signal(number)
            break
    seen.append(process.communicate(timeout=240)[0])
    return "".join(seen)


def final(workdir):
    weights = load_weights(workdir)
    return weights.notes["step"], jax.tree.leaves(weights.params)


def assert_same_bits(a, b):
    assert a[0] == b[0]
    for x, y in zip(a[1], b[1], strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.slow
def test_a_killed_or_terminated_run_ends_with_the_same_bits(config, tmp_path):
    finish(start(config, tmp_path / "whole"))
    expected = final(tmp_path / "whole")
    assert expected[0] == "160"

    killed = start(config, tmp_path / "run")
    output = stop_at(killed, 90, signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL, output
    assert Checkpoints(tmp_path / "run").latest_step() in (30, 60, 90)

    terminated = start(config, tmp_path / "run")
    output = stop_at(terminated, 100, signal.SIGTERM)
    stopped = Checkpoints(tmp_path / "run").latest_step()
    assert terminated.returncode == 0 and "resuming after step" in output
    assert stopped >= 100 and f"stopped after step {stopped}" in output

    finish(start(config, tmp_path / "run"))
    assert_same_bits(final(tmp_path / "run"), expected)
    steps = [json.loads(line)["step"] for line in (tmp_path / "run/metrics.jsonl").open()]
    assert steps == sorted(set(steps)) and steps[-1] == 160


@pytest.mark.slow
def test_two_processes_train_and_checkpoint_together(config, tmp_path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    together = ["--distributed", f"--coordinator={address}", "--processes=2", "--config.steps=20"]
    both = [start(config, tmp_path / "two", *together, f"--process={i}") for i in range(2)]
    outputs = [finish(process) for process in both]
    assert "step 20" in outputs[0] and "step 20" not in outputs[1]
    finish(start(config, tmp_path / "one", "--config.steps=20"))
    (step, two), (_, one) = final(tmp_path / "two"), final(tmp_path / "one")
    assert step == "20"
    # the hosts' slices are the same examples that one process takes
    for a, b in zip(two, one, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_loss_that_is_not_finite_stops_and_names_step_and_images(config, tmp_path):
    config.optimizer.learning_rate = 1e30
    with pytest.raises(FloatingPointError, match=r"at step 1; this host's batch was: .*\.png"):
        loop.fit(config, tmp_path)
    assert Checkpoints(tmp_path).latest_step() is None


@pytest.mark.slow
def test_fine_tuning_takes_what_fits_and_evaluation_writes_pictures(
    config, photos, tmp_path, capsys
):
    config.update(steps=2, eval_every=2, eval_data=str(photos))
    first = loop.fit(config, tmp_path / "x2")
    config.update(scale=3, steps=1, init_from=str(tmp_path / "x2"), eval_data="")
    config.optimizer.learning_rate = 0.0
    tuned = loop.fit(config, tmp_path / "x3")
    assert "the rest starts anew: fuse/conv/bias, fuse/conv/kernel" in capsys.readouterr().out
    same = jax.tree.map(np.array_equal, tuned.params["enhance"], first.ema["enhance"])
    assert all(jax.tree.leaves(same))
    figures = [json.loads(line) for line in (tmp_path / "x2/metrics.jsonl").open()][-1]
    assert figures["psnr_y"] > 15 and 0 < figures["ssim_y"] < 1
    assert list((tmp_path / "x2/tensorboard").iterdir())


def test_bf16_computes_in_bf16_and_keeps_float32_parameters(config, tmp_path):
    config.update(dtype="bfloat16", steps=1)
    state = loop.fit(config, tmp_path)
    assert {leaf.dtype for leaf in jax.tree.leaves(state.params)} == {np.dtype("float32")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 6}, "multiple of 4"),
        ({"task": "none"}, "super_resolution"),
        ({"profile": "3"}, "FIRST:LAST"),
        ({"log_every": 0}, "config.log_every is 0"),
        ({"dtype": "float16"}, "bfloat16"),
        ({"eval_data": "nowhere"}, "nowhere"),
        ({"scale": 5}, "1, 2, 3, 4, 8"),
        ({"model.name": "nonet"}, "unknown network"),
        ({"init_from": "nowhere"}, "nowhere"),
    ],
    ids=str,
)
def test_options_that_cannot_be_are_refused(config, tmp_path, change, message):
    config.update_from_flattened_dict(change)
    with pytest.raises(ValueError, match=message):
        loop.fit(config, tmp_path)


def test_options_of_another_task_are_no_options_of_this_one():
    upscaler, restorer = default_config(), default_config("restoration")
    assert "harm" in restorer and "harm" not in upscaler
    for task in loop.TASKS:
        config = default_config(task)
        assert config.task == task
    upscaler.task = "restoration"  # by --config.task=restoration
    with pytest.raises(UserError, match=r"no config\.codec, which restoration has"):
        loop.check(upscaler, 1)


def test_a_step_moves_nothing_but_its_batch_to_the_devices(config, tmp_path):
    config.update(steps=4, log_every=2, checkpoint_every=3)
    run, state = loop.prepare(config, tmp_path)
    with jax.transfer_guard("disallow"):
        state = run.go(state)
    run.logs.close()
    run.checkpoints.close()
    assert int(state.step) == 4
    figures = [json.loads(line) for line in (tmp_path / "metrics.jsonl").open()][-1]
    assert {"loss", "l1", "grad_norm", "learning_rate", "examples/s", "TFLOP/s"} <= figures.keys()


def test_a_damaged_checkpoint_costs_its_steps_alone(config, tmp_path):
    config.update(steps=4, checkpoint_every=2)
    whole = loop.fit(config, tmp_path / "whole")
    loop.fit(config, tmp_path / "run")
    for path in (tmp_path / "run/checkpoints/4").rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    again = loop.fit(config, tmp_path / "run")
    assert int(again.step) == 4
    jax.tree.map(np.testing.assert_array_equal, again.params, whole.params)


def test_a_config_of_before_options_went_by_task_is_the_same_run(config):
    """What a checkpoint holds that was written when every task had the options of all."""
    given = plain(config)
    before = given | {"rate": -1.0, "region_chance": 0.25, "harm": 2.0, "eval_qualities": [20, 50]}
    check_same_run(before, given)
    codec = plain(default_config("compression"))
    check_same_run(codec | {"scale": 4}, codec)
    with pytest.raises(UserError, match=r"a run of super_resolution.* at ×2, not of compression"):
        check_same_run(before, codec)


@pytest.mark.slow
def test_a_directory_with_another_model_is_refused(config, tmp_path):
    config.steps = 1
    loop.fit(config, tmp_path)
    config.optimizer.name = "adamw"
    with pytest.raises(ValueError, match="a run of adam, not adamw"):
        loop.fit(config, tmp_path)
    config.optimizer.name = "adam"
    config.model.options.blocks = 2
    with pytest.raises(ValueError, match="another --workdir"):
        loop.fit(config, tmp_path)


def test_clipping_may_be_switched_on_in_the_middle_and_a_finished_run_says_so(
    config, tmp_path, capsys
):
    config.steps = 1
    loop.fit(config, tmp_path)
    config.update(steps=2)
    config.optimizer.clip_norm = 0.1
    assert int(loop.fit(config, tmp_path).step) == 2
    assert int(loop.fit(config, tmp_path).step) == 2
    assert "the run has its 2 steps already" in capsys.readouterr().out


def test_the_last_step_is_logged_however_short_the_run(config, tmp_path, capsys):
    config.update(steps=2, log_every=500)
    loop.fit(config, tmp_path)
    figures = [json.loads(line) for line in (tmp_path / "metrics.jsonl").open()]
    assert [line["step"] for line in figures] == [2] and figures[0]["loss"] > 0
    assert "step 2  loss " in capsys.readouterr().out


def test_minutes_decide_the_length_once_and_a_resumed_run_keeps_it(config, tmp_path, monkeypatch):
    monkeypatch.setattr("jaxsr.training.limit.PROBE", 4)
    config.update(minutes=60.0, steps=12, log_every=6, checkpoint_every=6)
    run, state = loop.prepare(config, tmp_path)
    monkeypatch.setattr(run.limit, "_deadline", 0.0)  # long ago: one more step is taken
    state = run.go(state)
    assert (int(state.step), int(state.horizon)) == (6, 6)
    run.logs.close()
    run.checkpoints.close()
    run, state = loop.prepare(config, tmp_path)
    run.logs.close()
    run.checkpoints.close()
    assert (int(state.step), run.limit.steps, run.limit.is_open) == (6, 6, False)
