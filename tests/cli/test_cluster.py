"""One folder of images, several processes: each its share, one end told, safe to run again."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jaxsr.cli import main
from jaxsr.cli.cluster import Shard
from jaxsr.image import files

REPO = Path(__file__).resolve().parents[2]
CACHE = str(REPO / ".cache" / "jax")  # as tests/conftest.py
# Runs a command with shorter times to wait, and with a pause before each file is written.
RUN = """
import json, sys, time
from jaxsr.cli import cluster, main, streams
waits, command = json.loads(sys.argv[1])
cluster.WAIT, cluster.LOST, pause = waits
write = streams.write
streams.write = lambda *args: (time.sleep(pause), write(*args))
sys.exit(main(command))
"""


@pytest.fixture
def images(folder):
    """A folder of images of different sizes, and what they are called."""
    rng = np.random.default_rng(0)
    for i in range(11):
        pixels = rng.integers(0, 256, (16 + i, 16, 3), np.uint8)
        Path("in").mkdir(exist_ok=True)
        files.write(f"in/{i}.png", files.Picture(pixels))
    return [f"{i}.png" for i in range(11)]


@pytest.fixture
def command(stage_files):
    return ["upscale", "in", "-o", "out", "--model", str(stage_files["span_compact"])]


def start(command, wait=60.0, lost=8, pause=0.0):
    ours = ("XLA_FLAGS", "JAX_")  # set for the tests
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    kept |= {"PYTHONPATH": str(REPO), "JAX_PLATFORMS": "cpu", "JAX_COMPILATION_CACHE_DIR": CACHE}
    kept |= {"JAX_NUM_CPU_DEVICES": "1"}
    process = [sys.executable, "-c", RUN, json.dumps([[wait, lost, pause], command])]
    return subprocess.Popen(
        process, env=kept, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def job(command, numbers=range(3), **options):
    """Starts processes of a job of three; returns them."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    flags = ["--distributed", "--coordinator", address, "--processes", "3", "--process"]
    return [start([*command, *flags, str(i)], **options) for i in numbers]


def ends(processes):
    """(exit code, stdout, stderr) of every process."""
    outputs = [process.communicate(timeout=120) for process in processes]
    return [(process.returncode, *out) for process, out in zip(processes, outputs, strict=True)]


def written():
    return sorted(path.name for path in Path("out").glob("*.png"))


def test_shares_are_every_nth_path_in_order_and_together_all():
    paths = ["d", "a", "c", "e", "b"]
    shares = [Shard(i, 3).of(paths) for i in range(3)]
    assert shares == [{"a", "d"}, {"b", "e"}, {"c"}]


@pytest.mark.slow
def test_jobs_of_an_array_do_their_shares_whatever_is_done_already(folder, images, command, capsys):
    assert main([*command, "--shard", "1/3"]) == 0
    share = set(written())
    assert share == {"1.png", "3.png", "6.png", "9.png"}  # of 0, 1, 10, 2, 3, …
    Path("out", min(share)).unlink()
    assert main([*command, "--shard", "1/3"]) == 0
    assert set(written()) == share
    assert "1 upscaled to out, 3 skipped" in capsys.readouterr().out
    for shard in ("0/3", "2/3"):
        assert main([*command, "--shard", shard]) == 0
    assert written() == sorted(images)


@pytest.mark.slow
def test_three_processes_share_a_folder_and_the_first_tells_the_whole(images, command):
    Path("in/bad.png").write_bytes(b"no image")
    done = ends(job(command))
    assert written() == sorted(images)
    assert [code for code, *_ in done].count(2) in (1, 2)  # who met it, and the first
    assert done[0][0] == 2 and "11 upscaled to out, 1 failed\n" in done[0][1]
    for i, (_, out, err) in enumerate(done):
        assert (" upscaled to out" in out) == (i == 0)
        assert out.count("→") in (3, 4) and err.count("\n") == err.count("bad.png")


@pytest.mark.slow
def test_a_killed_process_takes_none_along_and_the_rerun_does_the_rest(images, command):
    assert main([*command[:3], "alone", *command[4:]]) == 0
    processes = job(command, pause=0.5)
    killed = processes[2]
    while "→" not in killed.stdout.readline():
        assert killed.poll() is None
    killed.send_signal(signal.SIGKILL)
    first, second, _ = ends(processes)
    assert first[0] == 2 and "process 2 died; run the job again" in first[2]
    assert second[0] == 0 and second[2] == ""
    assert len(written()) < len(images)
    (code, out, err), *others = ends(job(command))
    assert (code, err) == (0, "") and " skipped that exist" in out
    assert all(other == (0, other[1], "") for other in others)
    assert written() == sorted(images)
    for path in Path("alone").iterdir():
        assert path.read_bytes() == Path("out", path.name).read_bytes()


def test_a_process_that_does_not_come_is_one_line_that_counts_the_others(images, command):
    first, second = ends(job(command, range(2), wait=6.0))
    assert first[:2] == (2, "") and second[:2] == (2, "")
    assert re.fullmatch("jaxsr: 2 of 3 processes came within 6 s; start .* of 0 to 2.*\n", first[2])
    assert re.fullmatch("jaxsr: not all 3 processes came within 6 s; .*\n", second[2])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--shard", "3/3"], "with I from 0 to N-1"),
        (["--shard", "0"], "with I from 0 to N-1"),
        (["--shard", "0/3", "--distributed"], "not allowed with"),
        (["--process", "0"], "go with --distributed"),
        (["--distributed"], "--coordinator=HOST:PORT"),
        (["--distributed", "--coordinator", "here"], "HOST:PORT"),
        (["--distributed", "--processes", "2", "--process", "2"], "2 processes count from 0"),
        (["--shard", "0/2", "-o", "in", "--format", "webp"], "give -o a folder of its own"),
        (["--shard", "0/2", "-o", "."], "give -o a folder of its own"),
        (["in/1.png", "--shard", "0/2", "-o", "-"], "name files"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_shared_is_refused_in_one_line(images, command, flags, message, capsys):
    if flags[0] == "in/1.png":
        command = ["upscale", *command[2:]]
    try:
        code = main([*command, *flags])
    except SystemExit as error:
        code = error.code
    out, err = capsys.readouterr()
    assert (code, out) == (2, "") and message in err and err.count("\n") == 1
    assert not Path("out").exists()


def test_two_shares_never_write_one_file(folder, images, command, capsys):
    Path("in/0.jpg").write_bytes(Path("in/0.png").read_bytes())
    Path("other").mkdir()
    Path("other/0.png").write_bytes(Path("in/0.png").read_bytes())
    pair = ["upscale", "in/0.png", "other/0.png", *command[2:]]
    for shard in ("0/2", "1/2"):
        assert main([*pair, "--shard", shard]) == 2
        assert "would both be written" in capsys.readouterr().err
    assert not Path("out").exists()


def test_results_in_a_folder_that_a_pattern_searches_are_no_inputs(folder, images, command, capsys):
    pattern = ["upscale", "in/**/*.png", "-o", "in/out", *command[4:]]
    assert main(pattern) == 0 and main(pattern) == 0
    assert "0 upscaled to in/out, 11 skipped" in capsys.readouterr().out
