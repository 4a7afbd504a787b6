"""How many steps a run takes: as many as its config says, or as fit into its minutes."""

import time

import jax
import ml_collections
import numpy as np
from jax.experimental import multihost_utils

PROBE = 100  # steps by whose speed the number of all is decided …
PROBE_SHARE = 0.25  # … or those that a slow machine takes in this share of the minutes
RESERVE = 0.05  # share of the minutes that is left for what comes after the last step


class Limit:
    """The number of steps of a run; with ``config.minutes`` it is decided after some of them.

    Attributes:
      steps: as many as the run has, or has at most while that is open.
      is_open: True until it is decided.
    """

    def __init__(self, config: ml_collections.ConfigDict):
        """Begin to count the minutes."""
        self.steps = config.steps
        self.is_open = config.minutes > 0
        self._most = config.steps
        self._minutes = config.minutes
        self._start = time.perf_counter()
        self._deadline = self._start + 60 * config.minutes
        self._first, self._since = 0, 0.0

    def resume(self, horizon: int) -> None:
        """Take the number of steps that was decided before a checkpoint; 0: none was."""
        if self.is_open and horizon:
            self.steps, self.is_open = horizon, False

    def warm(self, number: int) -> None:
        """Begin to measure the speed after step ``number``, all being compiled."""
        self._first, self._since = number, time.perf_counter()

    @property
    def probed(self) -> int:
        """The step after which the number of all is decided; 0 where it is not open."""
        return self._first + PROBE if self.is_open else 0

    def is_due(self, number: int) -> bool:
        """Return True if step ``number`` is where the number of all is to be decided."""
        if not self.is_open or number <= self._first:
            return False
        # hosts must decide after the same step, and their clocks differ
        probing = time.perf_counter() < self._start + PROBE_SHARE * 60 * self._minutes
        return number >= self.probed or not (probing or jax.process_count() > 1)

    def decide(self, number: int) -> int:
        """Decide the number of steps after step ``number``, the same on all hosts, and return it.

        At least one more is taken.
        """
        now = time.perf_counter()
        each = (now - self._since) / (number - self._first)
        left = self._deadline - now - RESERVE * 60 * self._minutes
        steps = min(self._most, number + max(1, int(left / each)))
        if jax.process_count() > 1:
            steps = int(multihost_utils.broadcast_one_to_all(np.int32(steps)))
        self.steps, self.is_open = steps, False
        return steps
