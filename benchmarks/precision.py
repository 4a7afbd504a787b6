"""Does a training in bfloat16 end as well as one in float32?

    python benchmarks/precision.py --data=DIR[,DIR] --masked=DIR --test=DIR --test_masked=DIR

Each task trains three times from scratch by ``train.py``, on the same data for the same steps: in
float32, in bfloat16, and in float32 with another seed, by which the difference of the first two can
be judged. What is trained is then measured in float32, as it is used. ``--data`` and ``--test`` are
photographs, ``--masked`` and ``--test_masked`` have images/ and masks/.

Each run is one entry of docs/figures/precision.json, written as soon as it is done; those that are
there are kept. ``python docs/tables.py`` then makes the table of docs/training.md. CPUs emulate
bfloat16: they round as accelerators do, and are no faster.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
FIGURES = REPO / "docs" / "figures" / "precision.json"
SHARED = {"log_every": 50, "checkpoint_every": 10**6, "eval_every": 10**6, "eval_pictures": 0}
TASKS: dict[str, tuple[str, dict[str, Any]]] = {  # → config, and what makes a short run of it
    "super-resolution": (
        "sr/span_compact.py:4",
        {"steps": 600, "batch_size": 8, "data.low_crop": 16, "optimizer.warmup_steps": 50},
    ),
    "compression": (
        "codec/patch_hyperprior.py",
        {"steps": 200, "batch_size": 4, "data.crop": 128, "optimizer.warmup_steps": 20},
    ),
    "restoration": (
        "roi/restore.py",
        {"steps": 200, "batch_size": 2, "data.crop": 96, "optimizer.warmup_steps": 20},
    ),
    "segmentation": (
        "roi/segment.py",
        {"steps": 300, "batch_size": 8, "data.crop": 96, "optimizer.warmup_steps": 20},
    ),
}
RUNS = {  # → what differs
    "float32": {"dtype": "float32", "seed": 0},
    "bfloat16": {"dtype": "bfloat16", "seed": 0},
    "other seed": {"dtype": "float32", "seed": 1},
}
QUALITY = 50  # of the codec, at whose bits in the float32 run the others' PSNR is taken


def train(args: argparse.Namespace, task: str, run: str, steps: int) -> dict[str, float]:
    """Train and return what the last evaluation measured."""
    file, short = TASKS[task]
    masked = task == "segmentation"
    changes = SHARED | short | RUNS[run] | {"steps": steps}
    changes["data.source"] = f"folder:{args.masked if masked else args.data}"
    changes["eval_data"] = args.test_masked if masked else args.test
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "train.py", f"--config=configs/{file}", f"--workdir={folder}"]
        command += [f"--config.{name}={value}" for name, value in changes.items()]
        environment = os.environ | {"PYTHONPATH": str(REPO)}
        subprocess.run(command, cwd=REPO, env=environment, check=True)
        lines = Path(folder, "metrics.jsonl").read_text("utf-8").splitlines()
    return json.loads(lines[-1])


def scores(task: str, runs: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return each run's figure; that of codecs is their PSNR at the same bits."""
    if task != "compression":
        name = {"super-resolution": "psnr_y", "restoration": "gain", "segmentation": "max_f"}[task]
        return {run: figures[name] for run, figures in runs.items()}
    bits = math.log(runs["float32"][f"bpp_q{QUALITY}"])
    return {run: psnr_at(bits, figures) for run, figures in runs.items()}


def psnr_at(log_bpp: float, figures: Mapping[str, float]) -> float:
    """Return the PSNR between a codec's measured qualities, linear in the logarithm of its bits."""
    levels = sorted(int(name.removeprefix("psnr_q")) for name in figures if "psnr_q" in name)
    points = [(math.log(figures[f"bpp_q{q}"]), figures[f"psnr_q{q}"]) for q in levels]
    above = next((i for i, (x, _) in enumerate(points[1:], 1) if x >= log_bpp), len(points) - 1)
    (x0, y0), (x1, y1) = points[above - 1 : above + 1]
    return y0 + (y1 - y0) * (log_bpp - x0) / (x1 - x0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", required=True, help="folders of photographs, by commas")
    parser.add_argument("--masked", required=True, help="folder of images/ and masks/")
    parser.add_argument("--test", required=True, help="folder of photographs to measure on")
    parser.add_argument("--test_masked", required=True, help="folder of images/ and masks/")
    parser.add_argument("--tasks", default=",".join(TASKS), help="some of them, by commas")
    parser.add_argument("--length", type=float, default=1.0, help="times as many steps")
    args = parser.parse_args()
    rows = json.loads(FIGURES.read_text("utf-8")) if FIGURES.exists() else {}
    for task in args.tasks.split(","):
        steps = round(TASKS[task][1]["steps"] * args.length)
        row = rows.setdefault(task, {"steps": steps, "runs": {}})
        for run in RUNS:
            if run not in row["runs"]:
                row["runs"][run] = train(args, task, run, row["steps"])
                write(rows)
        row["scores"] = scores(task, row["runs"])
        write(rows)
        print(task, row["scores"], flush=True)


def write(rows: dict[str, Any]) -> None:
    """Keep all figures."""
    FIGURES.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
