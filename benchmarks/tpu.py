"""What every network and every task's step takes of TPUs, by their real compiler; none is needed.

    pip install 'jaxsr[tpu-compile,train]'
    python benchmarks/tpu.py [--topologies=v5e:1x1,v5p:1x1x1,v6e:1x1]

Each program is one row of docs/figures/tpu.json, written as soon as it is compiled, which takes a
minute or several; rows that are there are kept. ``python docs/tables.py`` then makes the tables of
docs/devices.md.
"""

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"

import jax
from absl import logging

from jaxsr import zoo
from jaxsr.chips import report
from jaxsr.chips.programs import DoesNotFit, Program
from jaxsr.chips.topology import Topology, topology_of
from jaxsr.errors import UserError
from jaxsr.pipeline import programs
from jaxsr.training.compiling import compile_step
from jaxsr.training.config import config_of
from jaxsr.zoo.kinds import CODEC

REPO = Path(__file__).resolve().parent.parent
FIGURES = REPO / "docs" / "figures" / "tpu.json"
ONE = "v5e:1x1,v5p:1x1x1,v6e:1x1"
SIZE = 180, 320  # of the images that networks take: ×4 makes 1280×720 of it
PHOTO = 512, 768  # of those that codecs take
EACH = 16  # examples a device in a training step


def uses(topology: Topology) -> Iterator[tuple[dict, Any]]:
    """Yield (what a row is of, how to compile it) for what using each network runs."""
    for kind in zoo.KINDS:
        for name in sorted(kind.networks):
            for use in programs.uses(name, PHOTO if kind is CODEC else SIZE):
                of = {"network": name, "program": use.what, "topology": topology.name}
                yield of, lambda use=use: programs.compiled(use, topology)


def steps(topology: Topology) -> Iterator[tuple[dict, Any]]:
    """Yield (what a row is of, how to compile it) for the training step of every config."""
    for path in sorted(REPO.glob("configs/[!e]*/*.py")):
        config = config_of(path)
        config.batch_size = EACH * len(topology.devices)
        config.dtype = "bfloat16"
        of = {"network": config.model.name, "program": "step", "topology": topology.name}
        yield of | {"examples": config.batch_size}, lambda c=config: step(c, topology)


def step(config, topology: Topology) -> Program:
    """Compile a step, or raise where a device has not the memory for it."""
    return report.fits(compile_step(config, topology), topology)


def figures(program: Program, topology: Topology) -> dict[str, Any]:
    """Return what a program takes, as the row has it."""
    chip = topology.chip
    assert chip is not None
    return {
        "memory": program.memory,
        "flops": program.flops,
        "moved": program.moved,
        "bound": program.bound(chip),
        "by": program.bound_by(chip),
        "collectives": program.collectives,
        "seconds": round(program.seconds, 1),
    }


def compiled(of: dict, compile_, topology: Topology) -> dict[str, Any]:
    """Return a row: what it is of, and its figures or why there are none."""
    try:
        return of | figures(compile_(), topology)
    except (DoesNotFit, jax.errors.JaxRuntimeError, UserError) as error:
        return of | {"error": str(error).partition("\n")[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--topologies", default=ONE, metavar="NAMES", help=f"({ONE})")
    parser.add_argument("--only", default="", metavar="NAMES", help="these networks alone")
    parser.add_argument("--programs", choices=("uses", "steps"), help="these alone")
    arguments = parser.parse_args()
    logging.set_verbosity(logging.ERROR)
    rows = json.loads(FIGURES.read_text("utf-8")) if FIGURES.exists() else []
    only = arguments.only.split(",") if arguments.only else None
    for topology in map(topology_of, arguments.topologies.split(",")):
        wanted = [make for make in (uses, steps) if arguments.programs in (None, make.__name__)]
        for of, compile_ in (pair for make in wanted for pair in make(topology)):
            known = any(of.items() <= row.items() for row in rows)
            if known or (only and of["network"] not in only):
                continue
            rows.append(compiled(of, compile_, topology))
            print(json.dumps(rows[-1]), flush=True)
            FIGURES.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", "utf-8")
            jax.clear_caches()  # a program takes 300 MB of memory


if __name__ == "__main__":
    main()
