"""Several processes, on one host or on many, that share a command's files.

The files need nothing of each other. So ``jax.distributed`` only numbers the processes and carries
their counts to the first one, which tells the end of the whole job; each computes on its own
devices. A process that dies takes none of the others along, but for the first: it runs the service
that the others report to.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from jaxsr.cli.report import complain
from jaxsr.errors import UserError

WAIT = 300.0  # seconds in which all processes must have come
GRACE = 5.0  # seconds that the others wait longer than process 0, which counts those that came
LOST = 100  # seconds without a sign after which a process counts as dead
FLAGS = ("coordinator", "processes", "process")
ENDS = "jaxsr/ends/"  # where processes leave their counts, by number

Counts = list[int]


@dataclasses.dataclass(frozen=True)
class Shard:
    """One process's share of the files: every ``count``-th in the order of their paths.

    Attributes:
      index: which share, 0 to ``count`` − 1.
      count: how many there are.
    """

    index: int = 0
    count: int = 1

    def of(self, paths: Sequence[str]) -> set[str]:
        """Return the paths of this share, whatever order they are given in."""
        return set(sorted(paths)[self.index :: self.count])


@contextlib.contextmanager
def joined(arguments: argparse.Namespace) -> Iterator[None]:
    """Join the command's other processes if it has any, and leave them at the end.

    Sets ``arguments.cluster``, which is None where the process works alone, and
    ``arguments.shard``.

    Raises:
      UserError: the flags do not name a job, or its first process cannot start it.
    """
    given = [getattr(arguments, flag, None) for flag in FLAGS]
    if not getattr(arguments, "distributed", False):
        if given != [None, None, None]:
            raise UserError("--coordinator, --processes and --process go with --distributed")
        yield
        return
    meet(*given, tell=complain, apart=True)
    arguments.cluster = cluster = Cluster()
    arguments.shard = Shard(cluster.index, cluster.count)
    try:
        yield
    finally:
        cluster.leave()


def meet(
    coordinator: str | None,
    processes: int | None,
    process: int | None,
    *,
    tell: Callable[[str], None],
    apart: bool = False,
) -> None:
    """Join a job's other processes by ``jax.distributed``, and find this one's devices.

    If not all have come in time, the process ends with exit code 2 and one line. JAX itself would
    end it from C++, with a trace of the stack.

    Args:
      coordinator: ``HOST:PORT`` of process 0; None where JAX is to find it, as on SLURM and TPUs.
      processes: how many there are, or None as above.
      process: this one's number, from 0, or None as above.
      tell: prints that line.
      apart: True to go on when another process dies; else all die with it.

    Raises:
      UserError: JAX finds no cluster and the arguments do not say what it is, or process 0 cannot
        listen at its address.
    """
    import jax

    if coordinator is not None and not coordinator.rpartition(":")[2].isdecimal():
        raise UserError(f"--coordinator={coordinator}: give process 0's HOST:PORT")
    if process is not None and not 0 <= process < (processes or process + 1):
        raise UserError(f"--process={process}: {processes} processes count from 0")

    def give_up() -> None:
        tell(absent(coordinator, processes, process))
        os._exit(2)  # the main thread waits in C++

    alarm = threading.Timer(WAIT if process == 0 else WAIT + GRACE, give_up)
    alarm.daemon = True
    alarm.start()
    jax.config.update("jax_enable_recoverability", apart)
    try:
        jax.distributed.initialize(
            coordinator,
            processes,
            process,
            initialization_timeout=int(WAIT + 2 * GRACE),  # later than the alarm
            heartbeat_timeout_seconds=LOST,
        )
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"--distributed: {str(error).rstrip('.')}; unless JAX knows the cluster (SLURM, Open "
            "MPI, TPU), give --coordinator=HOST:PORT, free on process 0's host, --processes=N "
            "and --process=I"
        ) from None
    finally:
        alarm.cancel()
    jax.local_devices()  # waits for the others', so no process may leave this for later


def absent(coordinator: str | None, processes: int | None, process: int | None) -> str:
    """Say that not all processes came; process 0 counts those that did."""
    missing = f"not all {processes or ''} processes".replace("  ", " ")
    if coordinator and processes and process == 0:
        missing = f"{connected(int(coordinator.rpartition(':')[2]))} of {processes} processes"
    last = "N−1" if processes is None else processes - 1
    return (
        f"{missing} came within {WAIT:.0f} s; start the same command for each --process of 0 to "
        f"{last}, where it reaches {coordinator or 'process 0'}"
    )


def connected(port: int) -> int:
    """Count the processes, this one included, that are connected to this one's ``port``."""
    import psutil

    links = psutil.Process().net_connections("tcp")
    return sum(link.status == psutil.CONN_ESTABLISHED and link.laddr.port == port for link in links)


class Cluster:
    """This process among those of a job.

    Attributes:
      index: its number, from 0.
      count: how many there are.
    """

    def __init__(self):
        import jax

        self.index, self.count = jax.process_index(), jax.process_count()
        self._left = False

    def leave(self, counts: Counts | None = None) -> list[Counts | None]:
        """Report what was done, and leave the others; the second time, do nothing.

        Args:
          counts: numbers of any meaning; None where the work ended early.

        Returns:
          To process 0, which waits until all have left or died, the counts of every process, None
          where there are none; to the others nothing.
        """
        if self._left:
            return []
        self._left = True
        import jax
        from jax._src import distributed  # the service's store has no public name

        store: Any = distributed.global_state.client
        store.key_value_set(f"{ENDS}{self.index}", json.dumps(counts))
        if self.index > 0:
            jax.distributed.shutdown()
            return []
        store.get_live_nodes(list(range(self.count)))  # returns when no other is left
        found = {key.removeprefix(ENDS): end for key, end in store.key_value_dir_get(ENDS)}
        return [json.loads(found.get(str(i), "null")) for i in range(self.count)]
