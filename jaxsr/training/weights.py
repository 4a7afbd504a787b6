"""Making the released weights: several trainings, one after the other, in a given time."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import ml_collections

from jaxsr.atomic import make_folder, write_bytes
from jaxsr.chips.table import GIB
from jaxsr.errors import UserError
from jaxsr.evaluation import tasks
from jaxsr.tiling.runner import free_memory
from jaxsr.training import loop
from jaxsr.training.checkpoints import load_weights
from jaxsr.training.exporting import write_weights
from jaxsr.training.start import say

FIGURES = "weights.json"


def make_weights(config: ml_collections.ConfigDict, workdir: str | os.PathLike) -> None:
    """Train, measure and write all parts of ``configs/weights.py`` that are not there yet.

    Each part has its share of ``config.minutes``, of which its evaluation takes none. Called again
    after a kill, it goes on where that was.

    Raises:
      UserError: a part is unknown or has no data, or as :func:`jaxsr.training.loop.fit`.
    """
    names = parts_of(config)
    workdir = Path(workdir)
    make_folder(workdir)
    whole = sum(config.part[name].share for name in names)
    for name in names:
        part = config.part[name]
        minutes = config.minutes * part.share / whole
        if figures_of(workdir).get(name):
            say(f"{name}: there already")
            continue
        say(f"{name}: {minutes:.3g} of {config.minutes:g} minutes")
        if not finished(train_config(config, name, minutes, workdir), workdir / name):
            return
        target = workdir / f"{name}.safetensors"
        write_weights(target, load_weights(workdir / name))
        write_figures(workdir, name, measured(config, name, target, workdir))
        say(f"{name}: {target}")


def parts_of(config: ml_collections.ConfigDict) -> list[str]:
    """Return the parts to make, in order.

    Raises:
      UserError: one is unknown, has no data, or there is no time.
    """
    if config.minutes <= 0:
        raise UserError(f"config.minutes is {config.minutes}; give more than 0")
    asked = [name for name in config.parts.split(",") if name]
    if unknown := [name for name in asked if name not in config.part]:
        known = ", ".join(config.part)
        raise UserError(f"config.parts names {unknown[0]!r}; there are: {known}")
    # what others start from comes first, then by worth
    order = sorted(config.part, key=lambda name: (starts(config, name), -config.part[name].share))
    names = [name for name in order if name in asked or (not asked and source_of(config, name))]
    if lacking := [name for name in names if not source_of(config, name)] or not names:
        option = "masked" if lacking == ["segmenter"] else "data"
        raise UserError(f"no images to train on; give config.{option}=DIR[,DIR…]")
    return names


def starts(config: ml_collections.ConfigDict, name: str) -> int:
    """Return how many parts come before one because it starts from them."""
    before = config.part[name].init_from
    return 1 + starts(config, before) if before else 0


def source_of(config: ml_collections.ConfigDict, name: str) -> str:
    """Return the folders that a part trains on, separated by commas."""
    masked = config.part[name].train.task == "segmentation"
    return config.masked if masked else config.data


def train_config(
    config: ml_collections.ConfigDict, name: str, minutes: float, workdir: Path
) -> ml_collections.ConfigDict:
    """Return the config of a part's training run."""
    part = config.part[name]
    train = part.train.copy_and_resolve_references()
    train.minutes = minutes
    train.batch_size = batch_for(part.batch)
    train.data.source = f"folder:{source_of(config, name)}"
    if part.init_from and (workdir / part.init_from).is_dir():
        train.init_from = str(workdir / part.init_from)
    if jax.default_backend() != "cpu":
        train.dtype = "bfloat16"
    return train


def batch_for(table: Sequence[Sequence[int]]) -> int:
    """Return the batch size of the largest entry whose GiB a device has free.

    Args:
      table: pairs as ``part`` of ``configs/weights.py`` makes them.
    """
    on_cpu = jax.default_backend() == "cpu"
    memory = 0 if on_cpu else free_memory(jax.local_devices()[0]) / GIB
    return max(size for gib, size in table if gib <= memory)


def finished(train: ml_collections.ConfigDict, folder: Path) -> bool:
    """Train, and return True unless a signal ended that."""
    state = loop.fit(train, folder)
    return int(jax.device_get(state.step)) >= (int(jax.device_get(state.horizon)) or train.steps)


def measured(
    config: ml_collections.ConfigDict, name: str, weights: Path, workdir: Path
) -> dict[str, Any]:
    """Return what ``eval.py`` measures of a part's weights; nothing where no folders are given."""
    part = config.part[name]
    folders = config.evaluate[part.kind]
    if not folders:
        return {}
    evaluate = part.evaluate.copy_and_resolve_references()
    evaluate.update(data=folders, out=str(workdir / name / "figures.json"))
    evaluate["restorer" if part.train.task == "restoration" else "model"] = str(weights)
    if "scale" in evaluate:
        evaluate.scale = part.train.scale
    tasks.run(evaluate, None, called=evaluate.to_dict())
    return json.loads((workdir / name / "figures.json").read_text("utf-8"))


def figures_of(workdir: Path) -> dict[str, Any]:
    """Return what is known of the parts that are made, by their names."""
    path = workdir / FIGURES
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def write_figures(workdir: Path, name: str, report: dict[str, Any]) -> None:
    """Add a part to the file of all figures: its last line of the log, and what was measured."""
    lines = (workdir / name / "metrics.jsonl").read_text("utf-8").splitlines()
    last = next(line for line in map(json.loads, reversed(lines)) if "loss" in line)
    figures = figures_of(workdir) | {name: {"training": last, "evaluation": report}}
    text = json.dumps(figures, indent=1, ensure_ascii=False) + "\n"
    write_bytes(workdir / FIGURES, text.encode())
