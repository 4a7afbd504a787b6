"""A run's programs, compiled once each, and what they take of a device."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import ml_collections

from jaxsr.chips import programs, report
from jaxsr.chips.programs import Program
from jaxsr.chips.table import GIB
from jaxsr.tiling.runner import free_memory
from jaxsr.training.start import say


class Programs:
    """Programs of one training step or several, compiled when they are first asked for.

    Attributes:
      largest: the most steps that one of them takes.
      taken: what those compiled so far take, by their number of steps.
    """

    def __init__(self, jitted: dict[int, Callable], config: ml_collections.ConfigDict):
        """Take compiled steps by how many each is, and the config they were made by."""
        self._jitted = jitted
        self._accumulate = config.accumulate
        self._shared_by = jax.device_count() if config.shard_params else 1
        self._ready: dict[int, Callable] = {}
        self.taken: dict[int, Program] = {}
        self.largest = max(jitted)

    def ready(self, steps: int) -> bool:
        """Return True if the program of so many steps is compiled."""
        return steps in self._ready

    def compile(self, steps: int, *arguments: Any) -> None:
        """Compile the program of so many steps, and say what memory it takes the first time."""
        step = self._jitted[steps]
        self._ready[steps] = step
        if not hasattr(step, "trace"):  # of jax.pmap: it compiles when it is called
            return
        traced = step.trace(*arguments)
        self._ready[steps] = compiled = traced.lower().compile()
        found = programs.read(compiled, traced, self._shared_by)
        loops = steps * self._accumulate  # XLA counts what is within them once
        if not self.taken:
            say(memory_told(found))
        self.taken[steps] = dataclasses.replace(found, moved=found.moved * loops)

    def __call__(self, steps: int, *arguments: Any) -> tuple:
        """Take so many steps."""
        return self._ready[steps](*arguments)


def memory_told(program: Program) -> str:
    """Return one line on the memory that a step needs and what a device has free."""
    device = jax.local_devices()[0]
    free = free_memory(device) / GIB
    shared = f", shared by {jax.local_device_count()}" if device.platform == "cpu" else ""
    return (
        f"memory of a step on a device: {report.memory(program)} ({report.parts(program)}); "
        f"{free:.3g} GiB are free{shared}"
    )
