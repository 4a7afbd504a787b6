"""How fast a run is, and where its time goes."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import jax

from jaxsr.errors import UserError


class Meter:
    """Counts images a second since its last reading, evaluations left out."""

    def __init__(self, batch_size: int):
        self._batch_size = batch_size
        self.start(0)

    def start(self, number: int) -> None:
        """Begin to count after step ``number``."""
        self._since, self._number = time.perf_counter(), number

    def read(self, number: int) -> float:
        """Return images a second up to step ``number``, and start anew."""
        seconds, steps = time.perf_counter() - self._since, number - self._number
        self.start(number)
        return steps * self._batch_size / seconds

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Do not count what passes within."""
        start = time.perf_counter()
        yield
        self._since += time.perf_counter() - start


class Profile:
    """Context in which some steps are traced into a folder, for TensorBoard or Perfetto.

    Args:
      steps: the first and the last step, as "100:110"; "": none.
      folder: where the traces go.

    Raises:
      UserError: ``steps`` are not such.
    """

    def __init__(self, steps: str, folder: Path):
        self._first, self._last = profiled_steps(steps)
        self._folder = folder
        self._on = False

    def __enter__(self) -> "Profile":
        return self

    def at(self, number: int) -> None:
        """Start or stop tracing where step ``number``, which is about to be taken, says so."""
        if number == self._first:
            jax.profiler.start_trace(str(self._folder))
            self._on = True
        elif number == self._last + 1:
            self.__exit__()

    def __exit__(self, *_) -> None:
        if self._on:
            jax.profiler.stop_trace()
            self._on = False


def profiled_steps(steps: str) -> tuple[int, int]:
    """Read the first and last step of "FIRST:LAST"; (0, 0) for an empty text.

    Raises:
      UserError: it is neither.
    """
    try:
        first, last = map(int, steps.split(":")) if steps else (0, 0)
    except ValueError:
        raise UserError(f"config.profile is {steps!r}; give FIRST:LAST step, as 100:110") from None
    return first, last
