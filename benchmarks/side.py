"""A side of a comparison: a process of its own, asked one thing at a time, so that sides take turns."""

import json
import os
import subprocess


class Side:
    """A process: requests go in, answers come out, a line of JSON each.

    It is given ``--threads=N`` and an environment that holds it to as many.
    """

    def __init__(self, command: list[str], threads: int, **environment: str):
        limits = {"OMP_NUM_THREADS": str(threads), "JAX_PLATFORMS": "cpu"}
        self._process = subprocess.Popen(
            [*command, f"--threads={threads}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | limits | environment,
        )

    def ask(self, do: str, **request):
        """What the process answers to ``{"do": do, …}``."""
        print(json.dumps({"do": do, **request}), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self._process.args[0]} ended with {self._process.wait()}")
        return json.loads(answer)

    def close(self) -> None:
        """Ends the process."""
        self._process.stdin.close()
        self._process.wait()
