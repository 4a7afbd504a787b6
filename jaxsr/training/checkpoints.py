"""Checkpoints of a run: training state, data position and config together (orbax, asynchronous)."""

import json
import os
from pathlib import Path

import grain
import jax
import ml_collections
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import LatestN

from jaxsr.training.state import TrainState
from jaxsr.zoo.weights import Weights

FOLDER = "checkpoints"


class Checkpoints:
    """The checkpoints of one working directory."""

    def __init__(self, workdir: str | os.PathLike, keep: int = 3):
        path = Path(workdir).absolute() / FOLDER  # orbax refuses relative paths
        options = ocp.CheckpointManagerOptions(
            preservation_policy=LatestN(keep), cleanup_tmp_directories=True
        )
        self._manager = ocp.CheckpointManager(path, options=options)

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
            meta=ocp.args.JsonSave(json.loads(config.to_json_best_effort())),
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

    def config(self) -> ml_collections.ConfigDict:
        """The config that the newest checkpoint was trained with."""
        items = ocp.args.Composite(meta=ocp.args.JsonRestore())
        return ml_collections.ConfigDict(
            self._manager.restore(self._manager.latest_step(), args=items).meta
        )

    def reached_preemption(self, step: int) -> bool:
        """Whether the cluster announced the end of this machine, agreed on between all hosts."""
        return self._manager.reached_preemption(step)

    def close(self) -> None:
        """Waits for saves under way."""
        self._manager.wait_until_finished()
        self._manager.close()


def load_weights(workdir: str | os.PathLike) -> Weights:
    """The averaged (EMA) parameters of a run's newest checkpoint, and how to build their network.

    Raises:
      ValueError: the directory holds no checkpoint.
    """
    path = Path(workdir).absolute() / FOLDER
    if not path.is_dir() or (step := ocp.CheckpointManager(path).latest_step()) is None:
        raise ValueError(f"{workdir}: no checkpoint here; give the --workdir of a training run")
    manager = ocp.CheckpointManager(path)
    meta = manager.restore(step, args=ocp.args.Composite(meta=ocp.args.JsonRestore())).meta
    # read onto this machine's first device, whatever devices the run had
    tree = manager.item_metadata(step).state.tree["ema"]
    item = {"ema": jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), tree)}
    import numpy as np

    args = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), item)
    restored = ocp.args.PyTreeRestore(item, restore_args=args, partial_restore=True)
    params = manager.restore(step, args=ocp.args.Composite(state=restored)).state["ema"]
    options = dict(meta["model"]["options"]) | {"scale": meta["scale"]}
    return Weights(meta["model"]["name"], options, params, {"step": str(step)})
