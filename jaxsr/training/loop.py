"""The training loop: the same for every task, from a laptop to a pod."""

import dataclasses
import math
import os
from collections.abc import Iterator
from pathlib import Path

import jax
import ml_collections

from jaxsr.atomic import make_folder
from jaxsr.errors import Diverged, UserError
from jaxsr.training import parallel
from jaxsr.training.checkpoints import Checkpoints
from jaxsr.training.compression import compression
from jaxsr.training.config import default_config
from jaxsr.training.logs import Logs
from jaxsr.training.meter import Meter, Profile, profiled_steps
from jaxsr.training.optimizer import make_optimizer
from jaxsr.training.restoration import restoration
from jaxsr.training.segmentation import segmentation
from jaxsr.training.signals import StopSignals
from jaxsr.training.start import first_state, say
from jaxsr.training.state import TrainState
from jaxsr.training.step import Params, Step, make_step
from jaxsr.training.super_resolution import super_resolution
from jaxsr.training.task import Task

TASKS = {
    "super_resolution": super_resolution,
    "compression": compression,
    "segmentation": segmentation,
    "restoration": restoration,
}
POSITIVE = ("steps", "batch_size", "accumulate", "log_every", "checkpoint_every", "eval_every")


def fit(config: ml_collections.ConfigDict, workdir: str | os.PathLike) -> TrainState:
    """Train as ``config`` says, from ``workdir``'s newest checkpoint where there is one.

    Killed at any step and called again, it ends with the same bits. SIGTERM and SIGINT save a
    checkpoint first, then end the run.

    Returns:
      the state after the last step taken.

    Raises:
      UserError: an option that cannot be, or a working directory that holds another model.
      Diverged: the loss is not finite; step and examples are named.
    """
    run, state = prepare(config, workdir)
    try:
        return run.go(state)
    finally:
        run.logs.close()
        run.checkpoints.close()


def prepare(
    config: ml_collections.ConfigDict, workdir: str | os.PathLike
) -> tuple["Run", TrainState]:
    """Build a run and the state that it starts or goes on from; raise what :func:`fit` does."""
    check(config, jax.device_count())
    task = TASKS[config.task](config)
    optimizer, schedule = make_optimizer(config.optimizer, config.steps)
    mesh = parallel.make_mesh()
    step = make_step(
        task.loss,
        optimizer,
        ema_decay=config.ema_decay,
        accumulate=config.accumulate,
        schedule=schedule,
    )
    step = parallel.map_step(step, mesh, config.mapper)
    workdir = Path(workdir)  # nothing is written before all options are known to be possible
    make_folder(workdir)
    checkpoints = Checkpoints(workdir, config.keep_checkpoints)
    data = iter(task.dataset)
    state = first_state(config, task, optimizer, checkpoints, data, mesh)
    frozen = parallel.replicate(task.frozen, mesh)
    first = int(jax.device_get(state.step))
    logs = Logs(workdir, first, config.steps, write=jax.process_index() == 0)
    return Run(config, task, data, mesh, step, frozen, checkpoints, logs, workdir, first), state


def check(config: ml_collections.ConfigDict, devices: int) -> None:
    """Check the options that all tasks have, for a run on so many devices.

    Raises:
      UserError: one of them cannot be.
    """
    if config.task not in TASKS:
        raise UserError(f"config.task is {config.task!r}; there are: {', '.join(TASKS)}")
    lacking = set(default_config(config.task)) - set(config)
    if lacking:
        raise UserError(
            f"the config has no config.{min(lacking)}, which {config.task} has; "
            "take a config file of that task"
        )
    for name in POSITIVE:
        if config[name] < 1:
            raise UserError(f"config.{name} is {config[name]}; it must be at least 1")
    if config.dtype not in ("float32", "bfloat16"):
        raise UserError(f"config.dtype is {config.dtype!r}; float32 and bfloat16 are known")
    if config.data.workers < 0:
        raise UserError(f"config.data.workers is {config.data.workers}; 0 or more are possible")
    profiled_steps(config.profile)
    pieces = devices * config.accumulate
    if config.batch_size % pieces:
        raise UserError(
            f"config.batch_size is {config.batch_size}; make it a multiple of {pieces} "
            f"({devices} devices × config.accumulate {config.accumulate})"
        )


@dataclasses.dataclass
class Run:
    """What stays the same from step to step.

    Nothing goes to the devices but each step's batch, and nothing comes back that is not asked for:
    parameters stay where :func:`prepare` placed them.
    """

    config: ml_collections.ConfigDict
    task: Task
    data: Iterator[dict]
    mesh: jax.sharding.Mesh
    step: Step
    frozen: Params
    checkpoints: Checkpoints
    logs: Logs
    workdir: Path
    first: int  # steps taken before

    def go(self, state: TrainState) -> TrainState:
        """Take all steps that are left, or those until a signal; log, save and evaluate."""
        config = self.config
        meter = Meter(config.batch_size)
        unchecked = None  # the last step's figures: read one step late, so that devices never wait
        with StopSignals() as stop, Profile(config.profile, self.workdir / "profile") as profile:
            for number in range(self.first + 1, config.steps + 1):
                profile.at(number)
                batch = next(self.data)
                index = batch.pop("index")
                batch = parallel.shard_batch(batch, self.mesh)
                state, metrics = self.step(state, batch, self.frozen)
                self._check_finite(unchecked)
                unchecked = (number, metrics, index)
                if number == self.first + 1:
                    jax.block_until_ready(metrics)
                    meter.start(number)  # what follows is not slowed by compiling
                self.logs.advance()
                stopping = self._stopping(stop, number)
                last = number == config.steps or stopping
                if number % config.log_every == 0 or number == config.steps:
                    self._log(number, metrics, meter)
                if number % config.checkpoint_every == 0 or last:
                    self._check_finite(unchecked)  # a broken state is never saved
                    self.checkpoints.save(state, self.data, config)
                if number % config.eval_every == 0 or number == config.steps:
                    self._evaluate(number, state, meter)
                if stopping:
                    say(f"stopped after step {number}; the same command goes on")
                    break
        return state

    def _stopping(self, stop: StopSignals, number: int) -> bool:
        if jax.process_count() > 1:  # all hosts must stop after the same step
            return self.checkpoints.reached_preemption(number)
        return stop.seen

    def _check_finite(self, unchecked) -> None:
        if unchecked is None:
            return
        number, metrics, index = unchecked
        values = {name: float(value) for name, value in jax.device_get(metrics).items()}
        broken = [name for name, value in values.items() if not math.isfinite(value)]
        if broken:
            what = "loss" if "loss" in broken else broken[0]
            names = ", ".join(self.task.names(index.tolist()))
            raise Diverged(
                f"{what} is {values[what]} at step {number}; this host's batch was: {names}. "
                "Lower config.optimizer.learning_rate or set config.optimizer.clip_norm; the same "
                "command then goes on from the last checkpoint, which is from before"
            )

    def _log(self, number: int, metrics: dict, meter: Meter) -> None:
        values = {name: float(value) for name, value in jax.device_get(metrics).items()}
        values = {"loss": values.pop("loss")} | values | {"img/s": meter.read(number)}
        self.logs.scalars(number, values)

    def _evaluate(self, number: int, state: TrainState, meter: Meter) -> None:
        if not self.task.evaluate or jax.process_index() > 0:  # other hosts wait at their next step
            return
        assert self.task.evaluate is not None  # asked for only where there is something to measure
        with meter.paused():
            scalars, pictures = self.task.evaluate(jax.device_get(state.ema))
            self.logs.scalars(number, scalars)
            for name, picture in pictures.items():
                self.logs.image(number, name, picture)
