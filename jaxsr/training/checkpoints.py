"""Checkpoints of a run: training state, position in the data and config (orbax, asynchronous)."""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import grain
import jax
import ml_collections
import numpy as np
import orbax.checkpoint as ocp
from absl import logging
from orbax.checkpoint.checkpoint_managers import LatestN

from jaxsr import zoo
from jaxsr.errors import UserError
from jaxsr.training.state import TrainState
from jaxsr.zoo.weights import Weights, network_of

FOLDER = "checkpoints"
Result = TypeVar("Result")


class Checkpoints:
    """The checkpoints of one working directory."""

    def __init__(self, workdir: str | os.PathLike, keep: int = 3):
        path = Path(workdir).absolute() / FOLDER  # orbax refuses relative paths
        options = ocp.CheckpointManagerOptions(
            preservation_policy=LatestN(keep), cleanup_tmp_directories=True
        )
        self._manager = _manager(path, options)

    def latest_step(self) -> int | None:
        """Return the step of the newest complete checkpoint, or None."""
        return self._manager.latest_step()

    def save(self, state: TrainState, data, config: ml_collections.ConfigDict) -> None:
        """Start saving in the background; a step already saved is left alone.

        Args:
          data: the grain iterator, after the batch of ``state``'s last step.
        """
        step = int(jax.device_get(state.step))
        if step == self._manager.latest_step():
            return
        items = ocp.args.Composite(
            state=ocp.args.PyTreeSave(state),
            data=grain.checkpoint.CheckpointSave(data),
            meta=ocp.args.JsonSave(plain(config)),
        )
        self._manager.save(step, args=items)

    def restore(self, like: TrainState, data, check: Callable[[dict], None]) -> TrainState:
        """Return the newest checkpoint's state; move ``data`` to its position.

        Where it is damaged, the one before is taken and a line is logged. The damaged one is moved
        to ``WORKDIR/damaged``, out of the way of the one that will be saved after as many steps.

        Args:
          like: a state of the same shapes, whose places on devices the result has too.
          check: raises a UserError where the config, as :func:`plain` made it, is of another run.

        Raises:
          UserError: ``check`` raises it; or all checkpoints are damaged; or the newest one is, and
            several hosts would have to agree on another.
        """

        def read(step: int) -> TrainState:
            check(_config(self._manager, step))
            restore_args = ocp.checkpoint_utils.construct_restore_args(like)
            items = ocp.args.Composite(
                state=ocp.args.PyTreeRestore(like, restore_args=restore_args),
                data=grain.checkpoint.CheckpointRestore(data),
            )
            return self._manager.restore(step, args=items).state

        step, state = _newest(self._manager, read, alone=jax.process_count() == 1)
        for damaged in [other for other in self._manager.all_steps() if other > step]:
            aside = self._manager.directory.parent / "damaged" / str(damaged)
            shutil.rmtree(aside, ignore_errors=True)
            aside.parent.mkdir(exist_ok=True)
            shutil.move(self._manager.directory / str(damaged), aside)
        self._manager.reload()
        return state

    def reached_preemption(self, step: int) -> bool:
        """Return True, on all hosts alike, if the cluster announced the end of a machine."""
        return self._manager.reached_preemption(step)

    def close(self) -> None:
        """Wait for saves under way."""
        self._manager.wait_until_finished()
        self._manager.close()


def _manager(path: Path, options: ocp.CheckpointManagerOptions | None = None):
    handlers = {
        "state": ocp.PyTreeCheckpointHandler(),
        "data": grain.checkpoint.CheckpointHandler(),
        "meta": ocp.JsonCheckpointHandler(),
    }
    with _silent():  # it looks into all checkpoints
        return ocp.CheckpointManager(path, item_handlers=handlers, options=options)


def _config(manager: ocp.CheckpointManager, step: int) -> dict:
    items = ocp.args.Composite(meta=ocp.args.JsonRestore())
    return manager.restore(step, args=items).meta


def _newest(
    manager: ocp.CheckpointManager, read: Callable[[int], Result], alone: bool = True
) -> tuple[int, Result]:
    """Return the newest step that can be read, and what ``read`` makes of it; log damaged ones.

    ``alone`` is False where other hosts read the same: then only the newest is tried, for one host
    can't go back by itself.
    """
    steps = sorted(manager.all_steps(), reverse=True)
    reasons = []
    for step in steps if alone else steps[:1]:
        try:
            with _silent():
                result = read(step)
        except UserError:
            raise
        except Exception as error:  # orbax, tensorstore and grain raise whatever they like
            reasons.append((step, error))
            continue
        for damaged, reason in reasons:
            logging.warning(
                "the checkpoint of step %d in %s is damaged (%s); going back to that of step %d",
                *(damaged, manager.directory, _brief(reason), step),
            )
        return step, result
    step, error = reasons[0]
    others = f", and so are those of {[other for other, _ in reasons[1:]]}" if reasons[1:] else ""
    remedy = "give another --workdir to start anew"
    if not alone and steps[1:]:
        remedy = f"delete that folder on every host to go on from step {steps[1]}"
    raise UserError(
        f"{manager.directory / str(step)}: the checkpoint of step {step} is damaged, or of another "
        f"program ({_brief(error)}){others}; {remedy}"
    ) from error


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep orbax from logging errors that it raises, too."""
    before = logging.get_verbosity()
    logging.set_verbosity(logging.FATAL)
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split()) or "no reason given"
    return f"{type(error).__name__}: {text[:100]}{'…' * (len(text) > 100)}"


def plain(config: ml_collections.ConfigDict) -> dict:
    """Return a config as JSON gives it back: tuples are lists."""
    return json.loads(config.to_json_best_effort())


def load_weights(workdir: str | os.PathLike) -> Weights:
    """Read a run's newest averaged (EMA) parameters, and how to build their network.

    They come to the host as NumPy arrays, whatever devices the run had. Where the newest checkpoint
    is damaged, the one before is read and a line is logged.

    Raises:
      UserError: the directory holds no checkpoint or only damaged ones, or a restorer's whose
        upscaler is not released.
    """
    path = Path(workdir).absolute() / FOLDER
    manager = _manager(path) if path.is_dir() else None
    if manager is None or manager.latest_step() is None:
        raise UserError(f"{workdir}: no checkpoint here; give the --workdir of a training run")

    def read(step: int) -> tuple[dict, dict]:
        ema = {"ema": manager.item_metadata(step).state.tree["ema"]}
        host = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), ema)
        args = ocp.args.PyTreeRestore(ema, restore_args=host, partial_restore=True)
        params = manager.restore(step, args=ocp.args.Composite(state=args)).state["ema"]
        return _config(manager, step), params

    step, (config, params) = _newest(manager, read)
    return weights_of(config, params, step=str(step))


def weights_of(config: Mapping[str, Any], params: dict, **notes: str) -> Weights:
    """Return a run's parameters, and how ``config`` says to build their network.

    Raises:
      UserError: the run is a restorer's, and its upscaler is not released.
    """
    scale = {"scale": config["scale"]} if config["task"] == "super_resolution" else {}
    options = dict(config["model"]["options"]) | scale
    if config["task"] == "restoration":  # it knows this network's features, and no other's
        notes["features_of"] = str(network_of(zoo.find_weights(zoo.UPSCALER, config["upscaler"])))
    return Weights(config["model"]["name"], options, params, notes)
