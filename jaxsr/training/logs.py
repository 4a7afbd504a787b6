"""The logs of a run: the terminal, ``metrics.jsonl`` and TensorBoard."""

import json
import sys
from pathlib import Path

import numpy as np
import tensorboardX
import tqdm

from jaxsr.atomic import write_bytes


class Logs:
    """Writes the logs of one working directory.

    Args:
      first_step: steps taken before; what the logs have of later ones was lost in a kill.
      total_steps: of the whole run.
      write: False on all hosts but one; nothing is written there.
    """

    def __init__(self, workdir: Path, first_step: int, total_steps: int, *, write: bool):
        self._write = write
        if not write:
            return
        self._jsonl = _open_after(workdir / "metrics.jsonl", first_step)
        self._board = tensorboardX.SummaryWriter(
            str(workdir / "tensorboard"), purge_step=first_step + 1
        )
        self._bar = tqdm.tqdm(
            total=total_steps,
            initial=first_step,
            unit="step",
            dynamic_ncols=True,
            disable=None if sys.stderr.isatty() else True,
        )

    def advance(self, steps: int) -> None:
        """Count more steps."""
        if self._write:
            self._bar.update(steps)

    def set_total(self, steps: int) -> None:
        """Change the number of steps of the whole run."""
        if self._write:
            self._bar.total = steps
            self._bar.refresh()

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Write named figures everywhere."""
        if not self._write:
            return
        self._jsonl.write(json.dumps({"step": step} | values) + "\n")
        self._jsonl.flush()
        for name, value in values.items():
            self._board.add_scalar(name, value, step)
        if "examples/s" in values:
            self._bar.set_postfix_str(f"{values['examples/s']:.0f} examples/s", refresh=False)
        text = "  ".join(f"{name} {value:.5g}" for name, value in values.items())
        self._bar.write(f"step {step}  {text}", file=sys.stdout)
        sys.stdout.flush()

    def image(self, step: int, name: str, picture: np.ndarray) -> None:
        """Show a uint8 (H, W, 3) picture in TensorBoard."""
        if self._write:
            self._board.add_image(name, picture, step, dataformats="HWC")

    def close(self) -> None:
        if self._write:
            self._bar.close()
            self._board.close()
            self._jsonl.close()


def _open_after(path: Path, first_step: int):
    """Open a JSON-lines log to go on after ``first_step``, without the lines of later steps."""
    lines = path.read_text().splitlines() if path.exists() else []
    kept = [line for line in lines if _step_of(line) <= first_step]
    write_bytes(path, "".join(line + "\n" for line in kept).encode())
    return path.open("a")


def _step_of(line: str) -> int | float:
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError):  # a line cut short by a kill
        return float("inf")
