"""How fast a run is, and where its time goes."""

import collections
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import jax

from jaxsr.chips.programs import Program
from jaxsr.chips.table import Chip
from jaxsr.errors import UserError


class Meter:
    """What a run's time goes to, and how many examples a second its steps take.

    Attributes:
      spent: seconds by what they went to; the rest went to steps.
    """

    def __init__(self, batch_size: int):
        self._batch_size = batch_size
        self._begin = time.perf_counter()
        self.spent: dict[str, float] = collections.defaultdict(float)
        self.start(0)

    def start(self, number: int) -> None:
        """Begin to count steps after step ``number``."""
        self._since, self._number = time.perf_counter(), number

    def read(self, number: int) -> float:
        """Return examples a second up to step ``number``, and start anew."""
        seconds, steps = time.perf_counter() - self._since, number - self._number
        self.start(number)
        return steps * self._batch_size / seconds

    @contextlib.contextmanager
    def spending(self, what: str, *, slows: bool = True) -> Iterator[None]:
        """Count the seconds within as ``spent`` on something.

        Args:
          slows: False leaves them out of the examples a second.
        """
        start = time.perf_counter()
        yield
        seconds = time.perf_counter() - start
        self.spent[what] += seconds
        if not slows:
            self._since += seconds

    def goodput(self) -> str:
        """Return one line on the whole run so far: the share that went to steps, and the rest."""
        whole = time.perf_counter() - self._begin
        share = 1 - sum(self.spent.values()) / whole
        rest = ", ".join(f"{what} {seconds:.1f}" for what, seconds in self.spent.items())
        return f"goodput {share:.0%} of {whole:.1f} s" + (f"; seconds {rest}" if rest else "")


def speeds(rate: float, program: Program, examples: int, chip: Chip | None) -> dict[str, float]:
    """Return figures of a speed, by name.

    "TFLOP/s" are those of one device. Where the chip's peaks are known, "MFU" is the share of its
    arithmetic (model FLOPs utilisation: Chowdhery et al., "PaLM", 2022, appendix B), and "roofline"
    that of the speed at which the program's arithmetic or memory traffic would bound it.

    Args:
      rate: examples a second, of all devices together.
      program: what one device runs for ``examples`` of all devices.
    """
    if not rate:
        return {}
    seconds = examples / rate
    figures = {"examples/s": rate, "TFLOP/s": program.flops / seconds / 1e12}
    if chip is not None:
        figures["MFU"] = chip.arithmetic_seconds(program.flops) / seconds
        figures["roofline"] = program.bound(chip) / seconds
    return figures


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
