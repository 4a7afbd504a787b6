"""The training loop: the same for every task, from a laptop to a pod."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import jax
import ml_collections
import numpy as np
import optax
from jax.experimental import multihost_utils

from jaxsr.atomic import make_folder
from jaxsr.chips.table import chip_of
from jaxsr.errors import Diverged, UserError
from jaxsr.training import parallel
from jaxsr.training.checkpoints import Checkpoints
from jaxsr.training.compiled import Programs
from jaxsr.training.compression import compression
from jaxsr.training.config import default_config
from jaxsr.training.feed import DeviceFeed, HostFeed, belongs_on_devices, next_call, steps_per_call
from jaxsr.training.limit import Limit
from jaxsr.training.logs import Logs
from jaxsr.training.meter import Meter, Profile, profiled_steps, speeds
from jaxsr.training.optimizer import make_optimizer
from jaxsr.training.restoration import restoration
from jaxsr.training.segmentation import segmentation
from jaxsr.training.signals import StopSignals
from jaxsr.training.start import first_state, say
from jaxsr.training.state import TrainState, new_state
from jaxsr.training.step import Params, Step, drawing, make_step, repeated
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
    limit = Limit(config)
    check(config, jax.device_count())
    task = TASKS[config.task](config)
    mesh = parallel.make_mesh()
    resident = belongs_on_devices(task.dataset, config, mesh)
    step, optimizer = step_of(task, config, resident)
    programs = make_programs(step, task, config, mesh, optimizer, resident)
    workdir = Path(workdir)  # nothing is written before all options are known to be possible
    make_folder(workdir)
    checkpoints = Checkpoints(workdir, config.keep_checkpoints)
    feed = (DeviceFeed if resident else HostFeed)(task.dataset, mesh)
    state = first_state(config, task, optimizer, checkpoints, feed.position, mesh)
    frozen = parallel.replicate(task.frozen, mesh)
    first = int(jax.device_get(state.step))
    logs = Logs(workdir, first, config.steps, write=jax.process_index() == 0)
    programs = Programs(programs, config)
    limit.resume(int(jax.device_get(state.horizon)))
    run = Run(config, task, feed, programs, frozen, checkpoints, logs, workdir, first, limit)
    return run, state


def step_of(
    task: Task, config: ml_collections.ConfigDict, resident: bool
) -> tuple[Step, optax.GradientTransformation]:
    """Return a task's training step as ``config`` describes it, and the optimiser that it uses.

    Args:
      resident: whether it draws its batch from images that lie on the devices.
    """
    optimizer, schedule = make_optimizer(config.optimizer, config.steps)
    mapped = not config.shard_params
    step = make_step(
        task.loss,
        optimizer,
        ema_decay=config.ema_decay,
        accumulate=config.accumulate,
        schedule=schedule,
        mapped=mapped,
    )
    if resident:
        step = drawing(step, task.dataset.draw, config.batch_size, mapped)
    return step, optimizer


def make_programs(
    step: Step,
    task: Task,
    config: ml_collections.ConfigDict,
    mesh: jax.sharding.Mesh,
    optimizer: optax.GradientTransformation,
    resident: bool,
) -> dict[int, Step]:
    """Make programs of one step and of ``config.steps_per_call``, by their number of steps.

    Args:
      step: as :func:`step_of` makes it.
      resident: as for :func:`step_of`.

    Raises:
      UserError: the mapper is unknown, or steps by call cannot be.
    """
    counts = {1, steps_per_call(config, resident)}
    steps = {count: repeated(step, count) if count > 1 else step for count in counts}
    place = placing(task, config, mesh, optimizer, resident)
    return {count: place(step) for count, step in steps.items()}


def placing(
    task: Task,
    config: ml_collections.ConfigDict,
    mesh: jax.sharding.Mesh,
    optimizer: optax.GradientTransformation,
    resident: bool = False,
) -> Callable[[Step], Step]:
    """Return what compiles a step for the mesh, as ``config.mapper`` or ``shard_params`` say.

    Raises:
      UserError: the two don't go together.
    """
    if not config.shard_params:
        return lambda step: parallel.map_step(step, mesh, config.mapper, resident=resident)
    if config.mapper != "shard_map":
        raise UserError("config.shard_params goes with config.mapper='shard_map' alone")
    state = jax.eval_shape(lambda key: new_state(task.init(key), optimizer), jax.random.key(0))
    return lambda step: parallel.partition_step(step, state, mesh, resident=resident)


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
    if config.steps_per_call < 0:
        raise UserError(
            f"config.steps_per_call is {config.steps_per_call}; give 0 for as many as are best"
        )
    if not 0 < config.data.memory_share <= 1:
        raise UserError(
            f"config.data.memory_share is {config.data.memory_share}; give a share in (0, 1]"
        )
    if config.minutes < 0:
        raise UserError(f"config.minutes is {config.minutes}; give 0 for config.steps steps")
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

    Nothing goes to the devices but batches that the host made, and nothing comes back that is not
    asked for: parameters and packed images stay where :func:`prepare` placed them.
    """

    config: ml_collections.ConfigDict
    task: Task
    feed: HostFeed | DeviceFeed
    programs: Programs
    frozen: Params
    checkpoints: Checkpoints
    logs: Logs
    workdir: Path
    first: int  # steps taken before
    limit: Limit

    def go(self, state: TrainState) -> TrainState:
        """Take all steps that are left, or those until a signal; log, save and evaluate."""
        config = self.config
        meter = Meter(config.batch_size)
        unchecked = None  # the last call's figures: read one late, so that devices never wait
        number, calls = self.first, 0
        with StopSignals() as stop, Profile(config.profile, self.workdir / "profile") as profile:
            while number < self.limit.steps:
                profile.at(number + 1)
                count = next_call(number, self.programs.largest, self._ends(number))
                with meter.spending("waiting for data"):
                    data = self.feed.take(count)
                if not self.programs.ready(count):
                    with meter.spending("compiling", slows=False):
                        self.programs.compile(count, state, data, self.frozen)
                state, metrics = self.programs(count, state, data, self.frozen)
                self._check_finite(unchecked)
                number, calls = number + count, calls + 1
                unchecked = (number, metrics)
                if calls == 1:
                    jax.block_until_ready(metrics)
                    meter.start(number)  # the first call warms up
                    self.limit.warm(number)
                self.logs.advance(count)
                stopping = self._stopping(stop, calls)
                if self.limit.is_due(number):
                    state = self._decide_length(number, state)
                last = number == self.limit.steps or stopping
                if number % config.log_every == 0 or number == self.limit.steps:
                    self._log(number, count, metrics, meter)
                if number % config.checkpoint_every == 0 or last:
                    self._check_finite(unchecked)  # a broken state is never saved
                    with meter.spending("saving"):
                        self.checkpoints.save(state, self.feed.position, config)
                if number % config.eval_every == 0 or number == self.limit.steps:
                    self._evaluate(number, state, meter)
                if stopping:
                    say(f"stopped after step {number}; the same command goes on")
                    break
        say(meter.goodput())
        return state

    def _ends(self, number: int) -> list[int]:
        """Return the steps after ``number`` at which a call has to end, the next of each kind."""
        config = self.config
        intervals = (config.log_every, config.checkpoint_every, config.eval_every)
        first, last = profiled_steps(config.profile)
        ends = [number - number % n + n for n in intervals]
        return [*ends, self.limit.steps, self.limit.probed, first - 1, last]

    def _decide_length(self, number: int, state: TrainState) -> TrainState:
        """Set the run's number of steps by the speed so far; checkpoints have it in the state."""
        jax.block_until_ready(state.step)
        steps = self.limit.decide(number)
        self.logs.set_total(steps)
        say(f"{steps} steps fit into {self.config.minutes:g} minutes")
        put = jax.make_array_from_process_local_data
        return dataclasses.replace(state, horizon=put(state.horizon.sharding, np.int32(steps)))

    def _stopping(self, stop: StopSignals, calls: int) -> bool:
        if jax.process_count() > 1:  # all hosts must stop after the same call
            return self.checkpoints.reached_preemption(calls)
        return stop.seen

    def _check_finite(self, unchecked) -> None:
        if unchecked is None:
            return
        number, metrics = unchecked
        values = {name: np.atleast_1d(x) for name, x in jax.device_get(metrics).items()}
        names = sorted(values, key=lambda name: name != "loss")  # the loss is named first
        finite = np.array([np.isfinite(values[name]) for name in names])  # by figure and step
        if finite.all():
            return
        at = int(np.argmin(finite.all(axis=0)))
        name = names[int(np.argmin(finite[:, at]))]
        step = number - finite.shape[1] + 1 + at
        raise Diverged(
            f"{name} is {values[name][at]} at step {step}; this host's batch was: "
            f"{', '.join(self.task.dataset.shown(step - 1))}. "
            "Lower config.optimizer.learning_rate or set config.optimizer.clip_norm; the same "
            "command then goes on from the last checkpoint, which is from before"
        )

    def _log(self, number: int, steps: int, metrics: dict, meter: Meter) -> None:
        values = {name: float(x.flat[-1]) for name, x in jax.device_get(metrics).items()}
        rate = meter.read(number)  # 0 after the first call
        speed = {"examples/s": rate} if rate else {}
        if (program := self.programs.taken.get(steps)) is not None:
            examples, kind = steps * self.config.batch_size, jax.local_devices()[0].device_kind
            speed = speeds(rate, program, examples, chip_of(kind))
        self.logs.scalars(number, {"loss": values.pop("loss")} | values | speed)

    def _evaluate(self, number: int, state: TrainState, meter: Meter) -> None:
        if not self.task.evaluate:
            return
        ema = self._whole(state.ema)
        if jax.process_index() > 0:  # other hosts wait at their next step
            return
        with meter.spending("evaluating", slows=False):
            scalars, pictures = self.task.evaluate(ema)
            self.logs.scalars(number, scalars)
            for name, picture in pictures.items():
                self.logs.image(number, name, picture)

    def _whole(self, params: Params) -> Params:
        """Return parameters on the host, also where each of several hosts has a part of them."""
        if self.config.shard_params and jax.process_count() > 1:
            return multihost_utils.process_allgather(params, tiled=True)
        return jax.device_get(params)
