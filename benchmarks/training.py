"""How many images a second does training take, and what do placement and devices change?

    python benchmarks/training.py --photos=DIR[,DIR] --masked=DIR [--seconds=10] [--rounds=2]

Each row is a process of its own that trains a config's network on crops of its size; the rows take
turns, round by round, so that what else the machine does hits all, and each row's best round
counts. ``CPU ms`` is the time of all cores for an image, which other programs disturb less than
``images/s``; ``batches/s`` is the host's pipeline alone, without training. ``--tree=DIR`` measures
another checkout's code in the same run, as the rows "tree".
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
CONFIGS = {  # task → config file, and what makes a step of it short enough to count many
    "super-resolution": ("sr/span_compact.py:4", {"data.low_crop": 32, "batch_size": 8}),
    "compression": ("codec/patch_hyperprior.py", {"data.crop": 128, "batch_size": 8}),
    "segmentation": ("roi/segment.py", {"data.crop": 128, "batch_size": 8}),
    "restoration": ("roi/restore.py", {"data.crop": 96, "batch_size": 2}),
}


def parse():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", required=True, help="folders of photographs, by commas")
    parser.add_argument("--masked", required=True, help="folder of images/ and masks/")
    parser.add_argument("--tree", help="another checkout, to compare with")
    parser.add_argument("--tasks", default=",".join(CONFIGS), help="some of them, by commas")
    parser.add_argument("--devices", default="1,2", help="numbers of CPU devices, by commas")
    parser.add_argument("--steps", type=int, default=1, help="a call, as a row more: slow on CPUs")
    parser.add_argument("--seconds", type=float, default=10, help="to train for, a row and round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--one", help=argparse.SUPPRESS)  # a row, as JSON, in this process
    return parser.parse_args()


def rows(args):
    """Yield task, code, placement, steps a call and devices of each row."""
    for task in args.tasks.split(","):
        for devices in map(int, args.devices.split(",")):
            if args.tree:
                yield task, args.tree, "", 0, devices
            yield task, str(REPO), "host", 0, devices
            yield task, str(REPO), "device", 1, devices
            if args.steps > 1:
                yield task, str(REPO), "device", args.steps, devices


def measure(args, row):
    """Run a row in a process of its own; return what is largest at best."""
    _, tree, _, _, devices = row
    environment = os.environ | {
        "PYTHONPATH": tree,
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": str(devices),
    }
    command = [sys.executable, __file__, *sys.argv[1:], f"--one={json.dumps(row)}"]
    done = subprocess.run(command, env=environment, cwd=tree, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def one(args, row):
    """Train in this process for some seconds."""
    import importlib.util

    from jaxsr.cli.environment import prepare_jax

    prepare_jax(every_core=False)
    import jax

    from jaxsr.training import loop

    task, tree, placement, steps, _ = row
    name, changes = CONFIGS[task]
    path, _, argument = name.partition(":")
    spec = importlib.util.spec_from_file_location("config", f"{tree}/configs/{path}")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.get_config(*filter(None, [argument]))
    source = args.masked if task == "segmentation" else args.photos
    changes = changes | {"data.source": f"folder:{source}", "log_every": 10**6, "steps": 10**6}
    changes |= {"checkpoint_every": 10**6, "eval_every": 10**6}
    if placement:
        changes |= {"data.placement": placement, "steps_per_call": steps}
    config.update_from_flattened_dict(changes)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        prepared: Any = loop.prepare(config, folder)  # of this tree or of another
        run, state = prepared
        data = iter(run.task.dataset)
        batches, _ = rate(lambda: next(data), min(args.seconds, 5))
        data.close()

        def step():
            nonlocal state
            if placement:
                data = run.feed.take(count)
                if not run.programs.ready(count):
                    run.programs.compile(count, state, data, run.frozen)
                state, metrics = run.programs(count, state, data, run.frozen)
            else:
                batch = {k: x for k, x in next(run.data).items() if k != "index"}
                batch = loop.parallel.shard_batch(batch, run.mesh)
                state, metrics = run.step(state, batch, run.frozen)
            jax.block_until_ready(metrics["loss"])

        count = run.programs.largest if placement else 1
        calls, busy = rate(step, args.seconds)
        images, each = calls * count * config.batch_size, busy / count / config.batch_size
        run.logs.close()
        run.checkpoints.close()
    print(json.dumps([images, -1000 * each, batches]))


def rate(call, seconds):
    """Return how often a second ``call`` returns, and its CPU seconds, after one to warm it up."""
    call()
    start, before, count = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - start < seconds:
        call()
        count += 1
    busy = time.process_time() - before
    return count / (time.perf_counter() - start), busy / count


def main():
    args = parse()
    if args.one:
        one(args, json.loads(args.one))
        return
    best = {row: (-float("inf"),) * 3 for row in rows(args)}
    for _ in range(args.rounds):
        for row in best:
            measured = measure(args, row)
            best[row] = tuple(map(max, best[row], measured))
            print(*row, *measured, file=sys.stderr)
    print("            task    images  steps  devices   images/s   CPU ms  batches/s of the host")
    for (task, _, placement, steps, devices), (images, each, batches) in best.items():
        where = f"{placement or 'tree':>9} {steps or 1:6} {devices:8}"
        print(f"{task:>16} {where} {images:10.1f} {-each:8.1f} {batches:10.1f}")


if __name__ == "__main__":
    main()
