"""The one executor: a pure function on many jobs, by devices, batches, programs and memory.

It knows nothing of images. Where tiles lie, and what becomes of their results, is its callers'
matter.
"""

import contextlib
import copy
import functools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np
import psutil
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from jaxtyping import PyTree, Shaped

AXIS = "tiles"  # of the mesh of devices
MEMORY_SHARE = 0.6  # of what is free, for one batch

Batch = tuple[Shaped[np.ndarray, "b ..."], ...]
Job = TypeVar("Job")


class OutOfMemory(MemoryError):
    """A batch of tiles does not fit; smaller tiles may."""


class Runner:
    """A pure function with its parameters, compiled once for each shape of a batch, on all devices.

    The parameters are placed on the devices once; inputs and results are moved explicitly, so
    everything here works under ``jax.transfer_guard("disallow")``.

    Attributes:
      devices: those that share the batches.
      params: the parameters, on every device.
    """

    def __init__(
        self,
        function: Callable[..., PyTree],
        params: PyTree,
        devices: Sequence[jax.Device] = (),
    ):
        """Place ``params`` on ``devices``: all local ones unless told.

        Args:
          function: ``(params, *inputs) → results``; the batch is the first axis of every input and
            of every array of the results, and examples do not influence each other.
        """
        self.devices = list(devices) or jax.local_devices()
        self._function = function
        mesh = jax.make_mesh(
            (len(self.devices),), (AXIS,), axis_types=(AxisType.Auto,), devices=self.devices
        )
        self._everywhere = NamedSharding(mesh, PartitionSpec())
        self._spread = NamedSharding(mesh, PartitionSpec(AXIS))
        self.params = jax.device_put(params, self._everywhere)
        self._programs: dict[tuple, Executable] = {}  # by number of devices and shapes

    def with_params(self, params: PyTree) -> "Runner":
        """Return the same with other parameters; what is compiled is shared."""
        other = copy.copy(self)
        other.params = jax.device_put(params, self._everywhere)
        other.__dict__.pop("_alone", None)  # it holds the old ones
        return other

    @property
    def platform(self) -> str:
        """Return what the devices are: "cpu", "gpu" or "tpu"."""
        return self.devices[0].platform

    @functools.cached_property
    def _alone(self) -> "Runner":
        """Keep the same on one device, for a single job: the others would only compute padding."""
        alone = Runner(self._function, self.params, self.devices[:1])
        alone._programs = self._programs
        return alone

    def run(
        self,
        groups: Iterable[tuple[Sequence[Job], int]],
        inputs: Callable[[Job], tuple[np.ndarray, ...]],
    ) -> Iterator[tuple[Job, Any]]:
        """Yield every job with its result on the host, in order; one batch is computed ahead.

        Args:
          groups: jobs whose inputs have equal shapes, and how many a device takes at a time.
          inputs: makes a job's inputs, without the batch's axis.

        Raises:
          OutOfMemory: a batch does not fit into memory, as predicted or as it turned out.
        """
        for jobs, running in one_ahead(self._batches(groups, inputs)):
            with memory_errors():
                results = jax.device_get(running)
            del running  # else the devices would hold it beside the next two batches
            for row, job in enumerate(jobs):  # rows that follow are padding
                yield job, jax.tree.map(lambda x, row=row: x[row], results)

    def _batches(self, groups, inputs) -> Iterator[tuple[Sequence[Job], PyTree]]:
        """Yield jobs that run together, and their results while these are still computed."""
        for waiting, most in groups:
            runner = self._alone if len(waiting) == 1 < len(self.devices) else self
            fits = False  # its first batch is the largest
            while waiting:
                size = runner._batch_size(most, len(waiting))
                jobs, waiting = waiting[:size], waiting[size:]
                batch = batched([inputs(job) for job in jobs], size)
                with memory_errors():
                    program = runner._program(batch)
                    fits = fits or runner._check_memory(program)
                    running = program.run(runner.params, *jax.device_put(batch, runner._spread))
                yield jobs, running

    def _batch_size(self, most: int, waiting: int) -> int:
        """Return the size of a batch: a power of two a device, no more than wait.

        So few shapes are compiled, and little is padding.
        """
        each = max(1, min(most, waiting // len(self.devices)))
        return len(self.devices) * 2 ** (each.bit_length() - 1)

    def _program(self, batch: Batch) -> "Executable":
        """Return the function compiled for batches of such shapes."""
        key = len(self.devices), *((x.shape, x.dtype) for x in batch)
        if key not in self._programs:
            self._programs[key] = self._compile(batch)
        return self._programs[key]

    def _compile(self, batch: Batch) -> "Executable":
        """Compile the function for batches of one shape; devices run their shares on their own."""
        on_each_device = jax.shard_map(
            self._function,
            mesh=self._spread.mesh,
            in_specs=(self._everywhere.spec, *(self._spread.spec for _ in batch)),
            out_specs=self._spread.spec,
            check_vma=False,
        )
        shapes = [jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=self._spread) for x in batch]
        compiled = jax.jit(on_each_device).lower(self.params, *shapes).compile()
        return Executable(compiled, memory_needed(compiled, self.devices))

    def _check_memory(self, program: "Executable") -> bool:
        """Return True, or raise :class:`OutOfMemory` where more is needed than is free now."""
        if program.memory > MEMORY_SHARE * free_memory(self.devices[0]):
            raise OutOfMemory
        return True


class Executable(NamedTuple):
    """A compiled function and the bytes it needs: asking XLA for them takes 40 ms with NAFNet."""

    run: jax.stages.Compiled
    memory: int


def batched(rows: Sequence[tuple[np.ndarray, ...]], size: int) -> Batch:
    """Stack the inputs of several jobs; the last one's fill up what is missing to ``size``."""
    rows = [*rows, *([rows[-1]] * (size - len(rows)))]
    return tuple(np.stack(column) for column in zip(*rows, strict=True))


def one_ahead(items: Iterable) -> Iterator:
    """Yield the items, each only when the next was asked for: so devices never wait."""
    previous, items = None, iter(items)
    for item in items:
        if previous is not None:
            yield previous
        previous = item
    if previous is not None:
        yield previous


@contextlib.contextmanager
def memory_errors() -> Iterator[None]:
    """Turn what JAX and NumPy raise when memory is exhausted into :class:`OutOfMemory`."""
    try:
        yield
    except MemoryError:
        raise OutOfMemory from None
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise OutOfMemory from None


def memory_needed(compiled: jax.stages.Compiled, devices: Sequence[jax.Device]) -> int:
    """Return the bytes that a device needs to run ``compiled``; 0 if the backend doesn't tell."""
    need = compiled.memory_analysis()
    if need is None:
        return 0
    each = need.temp_size_in_bytes + need.output_size_in_bytes + need.argument_size_in_bytes
    return each * (len(devices) if devices[0].platform == "cpu" else 1)  # CPUs share theirs


def free_memory(device: jax.Device) -> int:
    """Return the bytes free on ``device``; of a CPU the machine's, or the container's."""
    if stats := device.memory_stats():
        return stats["bytes_limit"] - stats["bytes_in_use"]
    free = psutil.virtual_memory().available
    with contextlib.suppress(OSError, ValueError):  # no control group, or no limit ("max")
        group = Path("/sys/fs/cgroup")
        limit, used = (int((group / name).read_text()) for name in ("memory.max", "memory.current"))
        cached = re.search(r"^inactive_file (\d+)", (group / "memory.stat").read_text(), re.M)
        free = min(free, limit - used + int(cached[1] if cached else 0))
    return free
