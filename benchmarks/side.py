"""Comparisons in which sides take turns: each side a process of its own, asked one thing at a time.

Needs nothing but Python: the side that runs under another interpreter imports it, too.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Runs = dict[str, Callable[[], Any]]


class Side:
    """A process: requests go in, answers come out, a line of JSON each; :func:`serve` runs in it.

    It is given ``--threads=N`` and an environment that holds it to as many.
    """

    def __init__(self, command: list[str], threads: int, **environment: str):
        self._name = command[0]
        limits = {"OMP_NUM_THREADS": str(threads), "JAX_PLATFORMS": "cpu"}
        self._process = subprocess.Popen(
            [*command, f"--threads={threads}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | limits | environment,
        )

    def ask(self, do: str, **request: Any) -> Any:
        """Return what the process answers to ``{"do": do, …}``."""
        print(json.dumps({"do": do, **request}), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self._name} ended with {self._process.wait()}")
        return json.loads(answer)

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait()


def serve(
    threads: int,
    prepare: Mapping[str, Callable[..., tuple[Runs, dict]]],
    memory: Callable[[Callable], float] | None = None,
) -> None:
    """Answer the requests of a :class:`Side` until the input ends, on ``threads`` CPUs.

    "time" runs what was prepared under ``name`` and answers its seconds; "memory" answers MiB.

    Args:
      prepare: for every other request what makes its runs, by name, and what else to answer.
      memory: a run's; without it, the peak of the process so far.
    """
    pin(threads)
    runs: Runs = {}
    for line in sys.stdin:
        request = json.loads(line)
        match request.pop("do"):
            case "time":
                start = time.perf_counter()
                runs[request["name"]]()
                answer = time.perf_counter() - start
            case "memory" if memory:
                answer = memory(runs[request["name"]])
            case "memory":
                answer = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            case do:
                runs, answer = prepare[do](**request)
                answer = {"names": list(runs)} | answer
        print(json.dumps(answer), flush=True)


def pin(threads: int) -> None:
    """Hold this process to as many CPUs; call it before what sizes its pools by them is loaded."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def take_turns(
    sides: Mapping[Side, Sequence[str]], rounds: int, pause: float = 0.0
) -> dict[Side, dict[str, list[float]]]:
    """Return the seconds of every call in every round, one call a turn, side by side.

    Args:
      sides: the names of each side's calls.
      pause: seconds between turns.
    """
    seconds = {side: {name: [] for name in names} for side, names in sides.items()}
    for _ in range(rounds):
        for i in range(max(map(len, sides.values()))):
            for side, names in sides.items():
                if i < len(names):
                    time.sleep(pause)
                    seconds[side][names[i]].append(side.ask("time", name=names[i]))
    return seconds


def machine() -> str:
    """Return what this was run on."""
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs"


def numbers(text: str) -> list[int]:
    """Return the whole numbers of ``1,2,8``."""
    return [int(number) for number in text.split(",")]


def row(cells: Sequence[str], columns: Sequence[tuple[str, int, str]]) -> str:
    """Return a line of a table; ``columns`` are (heading, width, what it shows)."""
    pairs = zip(cells, columns, strict=True)
    return " ".join(f"{cell:>{width}}" for cell, (_, width, _) in pairs).rstrip()


def print_header(columns: Sequence[tuple[str, int, str]], about: str) -> None:
    """Print what the columns show, what all this is of, and the headings."""
    for heading, _, meaning in columns:
        print(f"  {heading:<8} {meaning}")
    print(f"{about}\n")
    print(row([heading for heading, _, _ in columns], columns), flush=True)
