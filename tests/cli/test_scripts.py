"""train.py and eval.py: what a user gets wrong is one line and exit code 2."""

import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
TRAIN = ["train.py", "--config=configs/sr/pan.py"]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ([*TRAIN, "--workdir=runs/x", "--config.nope=1"], "the config has no option nope"),
        ([*TRAIN], "--workdir must have a value"),
        ([*TRAIN, "--workdir=setup.cfg", "--process=1"], "go with --distributed"),
        (["train.py", "--config=nope.py", "--workdir=runs/x"], "nope.py"),
        (["eval.py", "--config.data=tests/nowhere"], "tests/nowhere: no such folder"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value[1:]),
)
def test_a_mistake_is_one_line(command, message):
    done = subprocess.run(
        [sys.executable, *command], cwd=REPO, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"{command[0]}: ") and message in last
    assert "Traceback" not in done.stderr and not (REPO / "runs/x").exists()
