"""Checkpoints of a run: training state, data position and config together (orbax, asynchronous)."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grain
import jax
import ml_collections
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import LatestN

from jaxsr import zoo
from jaxsr.errors import UserError
from jaxsr.training.state import TrainState
from jaxsr.zoo.weights import Weights, network_of

FOLDER = "checkpoints"


class Checkpoints:
    """The checkpoints of one working directory."""

    def __init__(self, workdir: str | os.PathLike, keep: int = 3):
        path = Path(workdir).absolute() / FOLDER  # orbax refuses relative paths
        options = ocp.CheckpointManagerOptions(
            preservation_policy=LatestN(keep), cleanup_tmp_directories=True
        )
        self._manager = _manager(path, options)

    def latest_step(self) -> int | None:
        """Step of the newest complete checkpoint, or None."""
        return self._manager.latest_step()

    def save(self, state: TrainState, data, config: ml_collections.ConfigDict) -> None:
        """Starts saving in the background; a step already saved is left alone.

        ``data`` is the grain iterator, at the position after the batch of ``state``'s last step.
        """
        step = int(state.step)
        if step == self._manager.latest_step():
            return
        items = ocp.args.Composite(
            state=ocp.args.PyTreeSave(state),
            data=grain.checkpoint.CheckpointSave(data),
            meta=ocp.args.JsonSave(plain(config)),
        )
        self._manager.save(step, args=items)

    def restore(self, like: TrainState, data) -> TrainState:
        """The newest checkpoint's state, placed as ``like``; ``data`` is moved to its position."""
        restore_args = ocp.checkpoint_utils.construct_restore_args(like)
        items = ocp.args.Composite(
            state=ocp.args.PyTreeRestore(like, restore_args=restore_args),
            data=grain.checkpoint.CheckpointRestore(data),
        )
        return self._manager.restore(self._manager.latest_step(), args=items).state

    def config(self) -> dict:
        """The config that the newest checkpoint was trained with, as :func:`plain` made it."""
        return _config(self._manager)

    def reached_preemption(self, step: int) -> bool:
        """Whether the cluster announced the end of this machine, agreed on between all hosts."""
        return self._manager.reached_preemption(step)

    def close(self) -> None:
        """Waits for saves under way."""
        self._manager.wait_until_finished()
        self._manager.close()


def _manager(path: Path, options: ocp.CheckpointManagerOptions | None = None):
    handlers = {
        "state": ocp.PyTreeCheckpointHandler(),
        "data": grain.checkpoint.CheckpointHandler(),
        "meta": ocp.JsonCheckpointHandler(),
    }
    return ocp.CheckpointManager(path, item_handlers=handlers, options=options)


def _config(manager: ocp.CheckpointManager) -> dict:
    items = ocp.args.Composite(meta=ocp.args.JsonRestore())
    return manager.restore(manager.latest_step(), args=items).meta


def plain(config: ml_collections.ConfigDict) -> dict:
    """A config as JSON gives it back: tuples are lists."""
    return json.loads(config.to_json_best_effort())


def load_weights(workdir: str | os.PathLike) -> Weights:
    """The averaged (EMA) parameters of a run's newest checkpoint, and how to build their network.

    They are read onto the host as NumPy arrays, whatever devices the run had.

    Raises:
      UserError: the directory holds no checkpoint, or a restorer's whose upscaler is not released.
    """
    path = Path(workdir).absolute() / FOLDER
    manager = _manager(path) if path.is_dir() else None
    step = manager.latest_step() if manager else None
    if step is None:
        raise UserError(f"{workdir}: no checkpoint here; give the --workdir of a training run")
    config = _config(manager)
    ema = {"ema": manager.item_metadata(step).state.tree["ema"]}
    host = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), ema)
    args = ocp.args.PyTreeRestore(ema, restore_args=host, partial_restore=True)
    params = manager.restore(step, args=ocp.args.Composite(state=args)).state["ema"]
    return weights_of(config, params, step=str(step))


def weights_of(config: Mapping[str, Any], params: dict, **notes: str) -> Weights:
    """Returns a run's parameters, and how ``config`` says to build their network.

    Raises:
      UserError: the run is a restorer's, and its upscaler is not released.
    """
    scale = {"scale": config["scale"]} if config["task"] == "super_resolution" else {}
    options = dict(config["model"]["options"]) | scale
    if config["task"] == "restoration":  # it knows this network's features, and no other's
        notes["features_of"] = network_of(zoo.find_weights(zoo.UPSCALER, config["upscaler"]))
    return Weights(config["model"]["name"], options, params, notes)
