"""train.py and eval.py: what a user gets wrong is one line and exit code 2."""

import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
TRAIN = ["train.py", "--config=configs/sr/pan.py"]


def run(command):
    return subprocess.run(
        [sys.executable, *command], cwd=REPO, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ([*TRAIN, "--workdir=runs/x", "--config.nope=1"], "the config has no option nope"),
        ([*TRAIN, "--workdir=runs/x", "--config.harm=3"], "the config has no option harm"),
        (["eval.py", "--config.nope=1"], "the config has no option nope"),
        (["eval.py", "--config=nope.py:2"], "nope.py: no such file"),
        ([*TRAIN], "--workdir must be given"),
        (["train.py"], "--config and --workdir must be given (see --help)"),
        ([*TRAIN, "--workdir=setup.cfg", "--process=1"], "go with --distributed"),
        (["train.py", "--config=nope.py", "--workdir=runs/x"], "nope.py"),
        (["eval.py", "--config.data=tests/nowhere"], "tests/nowhere: no such folder"),
        (["eval.py"], "as in --config.data=sets/Set5"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value[1:]),
)
def test_a_mistake_is_one_line(command, message):
    done = run(command)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"{command[0]}: ") and message in last
    assert "Traceback" not in done.stderr and not (REPO / "runs/x").exists()


@pytest.mark.parametrize("script", ["train.py", "eval.py"])
def test_help_tells_every_flag_and_how_options_are_replaced(script):
    done = run([script, "--help"])
    assert done.returncode == 0 and done.stderr == ""
    for flag in ("--config=FILE", "--workdir=DIR", "--debug", "--config.OPTION=VALUE"):
        assert f"\n  {flag} " in done.stdout
    assert f"    python {script} --config=configs/" in done.stdout
    assert all(len(line) <= 100 for line in done.stdout.splitlines())


def config(folder, body):
    path = folder / "config.py"
    path.write_text(
        "import ml_collections\nfrom jaxsr.errors import UserError\n"
        f"def get_config():\n    config = ml_collections.ConfigDict({{'a': 1}})\n{body}"
    )
    return path


@pytest.mark.parametrize("debug", [[], ["--debug"]], ids=["plainly", "to debug"])
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("    config.lock()\n    config.nope = 1\n", "AttributeError"),
        ("    config.a += 'x'\n", "TypeError"),
        ("    open('nowhere')\n", "FileNotFoundError"),
        ("    raise KeyError('a')\n", "KeyError"),
    ],
    ids=["attribute", "type", "file", "key"],
)
def test_a_config_files_own_fault_keeps_its_traceback(tmp_path, fault, message, debug):
    done = run(["eval.py", f"--config={config(tmp_path, fault)}", *debug])
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(message) and "config.py" in done.stderr


def test_what_a_config_file_tells_its_user_is_one_line(tmp_path):
    path = config(tmp_path, "    raise UserError('choose another day')\n")
    done = run(["eval.py", f"--config={path}"])
    assert done.returncode == 2
    assert done.stderr == f"eval.py: flag --config={path}: choose another day\n"


def test_a_users_mistake_shows_its_traceback_to_debug():
    done = run(["eval.py", "--config.data=tests/nowhere", "--debug"])
    assert done.returncode == 1 and "UserError: tests/nowhere: no such folder" in done.stderr


@pytest.mark.slow
def test_a_step_is_told_for_devices_that_are_not_there():
    done = run([*TRAIN, "--compile_for=cpu:3", "--config.batch_size=9"])
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("devices      3 on 1 host, cpu:3\nmemory ") and not done.stderr
    assert "1 all-reduce of " in done.stdout


def test_a_topology_that_is_unknown_is_one_line():
    done = run([*TRAIN, "--compile_for=v9:2x2"])
    assert done.returncode == 2
    assert done.stderr.startswith("train.py: unknown topology 'v9:2x2'; give v4:2x2x1, v5e:4x4")


@pytest.mark.parametrize("program", ["train.py", "eval.py"])
def test_without_its_packages_a_program_says_how_to_install_them(program):
    without = "import runpy, sys; sys.modules['absl'] = None; runpy.run_path(sys.argv[1])"
    done = run(["-c", without, program])
    assert done.returncode == 2
    assert done.stderr == (
        f"{program}: {program} needs absl, which is not installed: pip install 'jaxsr[train]'\n"
    )
