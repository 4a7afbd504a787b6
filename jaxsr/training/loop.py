"""The training loop: the same for every task, from a laptop to a pod."""

import contextlib
import dataclasses
import math
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import jax
import ml_collections

from jaxsr.errors import Diverged, UserError
from jaxsr.training import parallel
from jaxsr.training.checkpoints import Checkpoints, plain
from jaxsr.training.compression import compression
from jaxsr.training.initial import start_from
from jaxsr.training.logs import Logs
from jaxsr.training.optimizer import make_optimizer
from jaxsr.training.restoration import restoration
from jaxsr.training.segmentation import segmentation
from jaxsr.training.state import TrainState, new_state
from jaxsr.training.step import make_step
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
    """Trains as ``config`` says, from ``workdir``'s newest checkpoint where there is one.

    Killed at any step and called again, it ends with the same bits. SIGTERM and SIGINT save a
    checkpoint first, then end the run.

    Returns:
      the state after the last step taken.

    Raises:
      UserError: an option that cannot be, or a working directory that holds another model.
      Diverged: the loss is not finite; step and examples are named.
    """
    _check(config)
    task = TASKS[config.task](config)
    optimizer, schedule = make_optimizer(config.optimizer, config.steps)
    mesh = parallel.make_mesh()
    step = make_step(task.loss, optimizer, ema_decay=config.ema_decay, accumulate=config.accumulate)
    step = parallel.map_step(step, mesh, config.mapper)
    workdir = Path(workdir)  # nothing is written before all options are known to be possible
    workdir.mkdir(parents=True, exist_ok=True)
    checkpoints = Checkpoints(workdir, config.keep_checkpoints)
    data = iter(task.dataset)
    state = _first_state(config, task, optimizer, checkpoints, data, mesh)
    first = int(state.step)
    logs = Logs(workdir, first, config.steps, write=jax.process_index() == 0)
    run = _Run(config, task, data, mesh, step, schedule, checkpoints, logs, workdir)
    try:
        return run.go(state, first)
    finally:
        logs.close()
        checkpoints.close()


def _check(config: ml_collections.ConfigDict) -> None:
    if config.task not in TASKS:
        raise UserError(f"config.task is {config.task!r}; there are: {', '.join(TASKS)}")
    for name in POSITIVE:
        if config[name] < 1:
            raise UserError(f"config.{name} is {config[name]}; it must be at least 1")
    if config.dtype not in ("float32", "bfloat16"):
        raise UserError(f"config.dtype is {config.dtype!r}; float32 and bfloat16 are known")
    if config.data.workers < 0:
        raise UserError(f"config.data.workers is {config.data.workers}; 0 or more are possible")
    _profiled_steps(config.profile)
    pieces = jax.device_count() * config.accumulate
    if config.batch_size % pieces:
        raise UserError(
            f"config.batch_size is {config.batch_size}; make it a multiple of {pieces} "
            f"({jax.device_count()} devices × config.accumulate {config.accumulate})"
        )


def _first_state(config, task: Task, optimizer, checkpoints, data, mesh) -> TrainState:
    """The newest checkpoint's state (``data`` moved to its place), or a new one."""
    params = jax.jit(task.init)(jax.random.key(config.seed))
    resumed = checkpoints.latest_step()
    if resumed is None and config.init_from:
        params = start_from(params, config.init_from, config.scale)
    state = parallel.replicate(new_state(params, optimizer), mesh)
    if resumed is None:
        return state
    _check_same_run(checkpoints.config(), plain(config))
    if resumed >= config.steps:
        _say(f"the run has its {resumed} steps already; raise config.steps to go on")
    else:
        start = "; config.init_from was for the start" if config.init_from else ""
        _say(f"resuming after step {resumed}{start}")
    return checkpoints.restore(state, data)


def _check_same_run(trained: dict, given: dict) -> None:
    """Whether a checkpoint's config has the state that this config's run would have."""
    if any(trained[key] != given[key] for key in ("task", "model", "scale")):
        raise UserError(
            f"the working directory holds a run of {trained['model']} at ×{trained['scale']}; "
            "give another --workdir, or that model"
        )
    names = [options["optimizer"]["name"] for options in (trained, given)]
    if names[0] != names[1]:
        raise UserError(
            f"the working directory holds a run of {names[0]}, not {names[1]}; give another --workdir, "
            f"or config.optimizer.name={names[0]}"
        )


def _say(text: str) -> None:
    if jax.process_index() == 0:
        print(text, flush=True)


@dataclasses.dataclass
class _Run:
    """What stays the same from step to step."""

    config: ml_collections.ConfigDict
    task: Task
    data: object
    mesh: jax.sharding.Mesh
    step: object
    schedule: object
    checkpoints: Checkpoints
    logs: Logs
    workdir: Path

    def go(self, state: TrainState, first: int) -> TrainState:
        config = self.config
        meter = _Meter(config.batch_size)
        unchecked = None  # the last step's figures: read one step late, so that devices never wait
        with _StopSignals() as stop, _Profile(config.profile, self.workdir) as profile:
            for number in range(first + 1, config.steps + 1):
                profile.at(number)
                batch = next(self.data)
                index = batch.pop("index")
                state, metrics = self.step(state, parallel.shard_batch(batch, self.mesh))
                self._check_finite(unchecked)
                unchecked = (number, metrics, index)
                if number == first + 1:
                    jax.block_until_ready(metrics)
                    meter.start(number)  # what follows is not slowed by compiling
                self.logs.advance()
                stopping = self._stopping(stop, number)
                last = number == config.steps or stopping
                if number % config.log_every == 0:
                    self._log(number, metrics, meter)
                if number % config.checkpoint_every == 0 or last:
                    self._check_finite(unchecked)  # a broken state is never saved
                    self.checkpoints.save(state, self.data, config)
                if self.task.evaluate and (
                    number % config.eval_every == 0 or number == config.steps
                ):
                    self._evaluate(number, state, meter)
                if stopping:
                    _say(f"stopped after step {number}; the same command goes on")
                    break
        return state

    def _stopping(self, stop: "_StopSignals", number: int) -> bool:
        if jax.process_count() > 1:  # all hosts must stop after the same step
            return self.checkpoints.reached_preemption(number)
        return stop.seen

    def _check_finite(self, unchecked) -> None:
        if unchecked is None:
            return
        number, metrics, index = unchecked
        broken = {k: float(v) for k, v in metrics.items() if not math.isfinite(v)}
        if broken:
            what, value = next(iter(broken.items()))
            names = ", ".join(self.task.names(index.tolist()))
            raise Diverged(
                f"{what} is {value} at step {number}; this host's batch was: {names}. Lower "
                "config.optimizer.learning_rate or set config.optimizer.clip_norm; the same command "
                "then goes on from the last checkpoint, which is from before"
            )

    def _log(self, number: int, metrics: dict, meter: "_Meter") -> None:
        values = {name: float(value) for name, value in metrics.items()}
        values["learning_rate"] = float(self.schedule(number - 1))
        values["img/s"] = meter.read(number)
        self.logs.scalars(number, values)

    def _evaluate(self, number: int, state: TrainState, meter: "_Meter") -> None:
        if jax.process_index() > 0:  # one host measures, the others wait for its next step
            return
        with meter.paused():
            scalars, pictures = self.task.evaluate(jax.device_get(state.ema))
            self.logs.scalars(number, scalars)
            for name, picture in pictures.items():
                self.logs.image(number, name, picture)


class _Meter:
    """Images a second since the last reading, evaluations left out."""

    def __init__(self, batch_size: int):
        self._batch_size = batch_size
        self.start(0)

    def start(self, number: int) -> None:
        self._since, self._number = time.perf_counter(), number

    def read(self, number: int) -> float:
        seconds, steps = time.perf_counter() - self._since, number - self._number
        self.start(number)
        return steps * self._batch_size / seconds

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self._since += time.perf_counter() - start


class _StopSignals:
    """Notes SIGTERM and SIGINT instead of dying of them; a second SIGINT kills as usual."""

    def __enter__(self):
        self.seen = False
        # with several processes SIGTERM is JAX's: its preemption service tells all of them
        ours = (signal.SIGINT, signal.SIGTERM) if jax.process_count() == 1 else ()
        self._before = {number: signal.signal(number, self._note) for number in ours}
        return self

    def _note(self, number, _frame):
        if self.seen and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.seen = True

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _profiled_steps(steps: str) -> tuple[int, int]:
    """First and last step of "FIRST:LAST"; (0, 0) for an empty text."""
    try:
        first, last = map(int, steps.split(":")) if steps else (0, 0)
    except ValueError:
        raise UserError(f"config.profile is {steps!r}; give FIRST:LAST step, as 100:110") from None
    return first, last


class _Profile:
    """Traces the steps "FIRST:LAST" into ``workdir/profile``, for TensorBoard or Perfetto."""

    def __init__(self, steps: str, workdir: Path):
        self._first, self._last = _profiled_steps(steps)
        self._path = workdir / "profile"
        self._on = False

    def __enter__(self):
        return self

    def at(self, number: int) -> None:
        if number == self._first:
            jax.profiler.start_trace(str(self._path))
            self._on = True
        elif number == self._last + 1:
            self.__exit__()

    def __exit__(self, *_):
        if self._on:
            jax.profiler.stop_trace()
            self._on = False
