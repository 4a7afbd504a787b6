"""The one road of every command's files: read ahead, worked on, written behind, told in order.

Reading, computing and writing go on side by side, in a thread each: while the network is at work on
one image, the next is decoded and the one before is encoded. A file that fails is told in one line
and the others go on.
"""

import argparse
import collections
import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from jaxsr.cli import streams
from jaxsr.cli.cluster import Cluster
from jaxsr.cli.paths import STREAM, Job, Plan
from jaxsr.cli.report import USER_ERRORS, complain, naming, say

BAR = "{percentage:3.0f}% {bar} {elapsed}<{remaining}"
AHEAD = 2  # files that are read before they are needed

Progress = Callable[[int, int], None]  # (parts done, parts in all) of what is worked on


@dataclasses.dataclass(frozen=True)
class Output:
    """What was made of one input.

    Attributes:
      files: where → what gives the bytes to write there: called in a thread, after the work.
      line: what to say of it.
    """

    files: Mapping[Path, Callable[[], bytes]]
    line: str


@dataclasses.dataclass(frozen=True)
class Steps:
    """What a command does with its files.

    Attributes:
      read: what a job needs, from its source; called in a thread, ahead.
      work: what is made of what was read for some jobs. Where it fails for several, it is called
        for each.
      size: of what was read; as many are worked on together as reach ``together``.
      together: in the unit of ``size``; 0: one at a time.
    """

    read: Callable[[Job], Any]
    work: Callable[[Sequence[tuple[Job, Any]], Progress], Sequence[Output]]
    size: Callable[[Any], int] = lambda read: 0
    together: int = 0


def one_by_one(work: Callable[[Job, Any], Output]) -> Callable[..., Sequence[Output]]:
    """Make the ``work`` of :class:`Steps` of what works on one file."""
    return lambda group, progress: [work(job, read) for job, read in group]


def run(
    plan: Plan,
    prepare: Callable[[argparse.Namespace], Steps],
    done_word: str,
    arguments: argparse.Namespace,
) -> int:
    """Do the jobs of ``plan`` and return the exit code: 2 if anything failed, else 0.

    Args:
      prepare: gives the steps that ``arguments`` ask for; called if there is any job to do.
      done_word: as in "3 compressed to DIR".
      arguments: what ``prepare`` takes; also ``output``, and ``debug``, with which the first error
        is raised.
    """
    from tqdm import tqdm

    for problem in plan.problems:
        complain(problem)
    road = None
    streamed = any(STREAM in (job.target, job.mask) for job in plan.jobs)
    tell = functools.partial(say, on_stderr=streamed)
    if plan.jobs:
        steps = prepare(arguments)
        with tqdm(total=len(plan.jobs), bar_format=BAR, disable=None, leave=False) as bar:
            road = Road(steps, bar, tell, arguments.debug)
            road.go(plan.jobs)
    failed = len(plan.problems) + (road.failed if road else 0)
    counts, whole = [road.done if road else 0, plan.skipped, failed], True
    if arguments.cluster is not None:
        counts, whole = of_all(arguments.cluster, counts)
    if arguments.cluster is None or arguments.cluster.index == 0:
        tell(summary(counts, done_word, arguments.output))
    return 0 if whole and not counts[-1] else 2


def of_all(cluster: Cluster, counts: list[int]) -> tuple[list[int], bool]:
    """Give the first process the sum of all processes' counts, and whether all came to their end.

    The others get their own counts back. A process that died is told of in a line.
    """
    ends = cluster.leave(counts) or [counts]
    for i, end in enumerate(ends):
        if end is None:
            complain(f"process {i} died; run the job again: files that are done are skipped")
    return [sum(column) for column in zip(*filter(None, ends), strict=True)], None not in ends


def summary(counts: list[int], done_word: str, output: str) -> str:
    """Describe the end: ``3 compressed to DIR, 1 failed``; counts are done, skipped and failed."""
    done, skipped, failed = counts
    parts = [f"{done} {done_word} to {output}"]
    if skipped:
        parts.append(f"{skipped} skipped that exist (--overwrite replaces them)")
    if failed:
        parts.append(f"{failed} failed")
    return ", ".join(parts)


class Road:
    """Takes jobs through the steps; see :meth:`go`.

    Attributes:
      done, failed: how many jobs so far.
    """

    def __init__(self, steps: Steps, bar, say: Callable[[str], None], debug: bool):
        self.steps = steps
        self.bar = bar
        self.say = say
        self.debug = debug
        self.done = self.failed = 0
        self._pending: collections.deque[tuple[Job, Future[str]]] = collections.deque()

    def go(self, jobs: Sequence[Job]) -> None:
        """Read, work on and write all jobs, and tell of each in their order."""
        with threads() as reader, threads() as writer:
            for group in self._groups(reader, jobs):
                ended = self._worked(writer, group)
                self._tell()  # what was written meanwhile: results of two groups are kept, no more
                self._pending.extend(ended)
            self._tell()

    def _groups(
        self, reader: Executor, jobs: Sequence[Job]
    ) -> Iterator[list[tuple[Job, Future[Any]]]]:
        """Yield jobs to work on together, with what was read for them."""
        group, size = [], 0
        for job, reading in ahead(reader, self.steps.read, jobs):
            group.append((job, reading))
            if reading.exception() is None:
                size += self.steps.size(reading.result())
            if size >= self.steps.together:
                yield group
                group, size = [], 0
        if group:
            yield group

    def _worked(
        self, writer: Executor, group: Sequence[tuple[Job, Future[Any]]]
    ) -> list[tuple[Job, Future[str]]]:
        """Work on what could be read of a group; return each job's line, once it is written."""
        readable = [(job, read.result()) for job, read in group if read.exception() is None]
        outputs = iter(self._outputs(readable))
        ended = []
        for job, read in group:
            output = read if read.exception() else next(outputs)
            if isinstance(output, Output):
                output = writer.submit(written, output)
            ended.append((job, output))
        return ended

    def _outputs(self, group: Sequence[tuple[Job, Any]]) -> list[Output | Future]:
        """Work on a group together or, where that fails, one by one to know which it was."""
        from jaxsr.tiling.runner import memory_errors  # imports JAX, as the work has by now

        if not group:
            return []
        try:
            with memory_errors():
                return list(self.steps.work(group, functools.partial(self._progress, len(group))))
        except USER_ERRORS as error:
            if len(group) > 1:
                return [output for one in group for output in self._outputs([one])]
            failure: Future = Future()
            failure.set_exception(error)
            return [failure]

    def _tell(self) -> None:
        """Say how each job ended, waiting for it to be written."""
        while self._pending:
            job, end = self._pending.popleft()
            try:
                line = end.result()
            except USER_ERRORS as error:
                if self.debug:
                    raise
                self.failed += 1
                with self.bar.external_write_mode():
                    complain(naming(error, job.source, job.target))
            else:
                self.done += 1
                with self.bar.external_write_mode():
                    self.say(f"{job.source} → {job.target}: {line}")
            self._progress(0, 0, 1)

    def _progress(self, images: int, done: int, total: int) -> None:
        """Show how far all jobs are; parts of the ones at work count."""
        self.bar.n = self.done + self.failed + len(self._pending) + images * done / total
        self.bar.refresh()


def written(output: Output) -> str:
    """Write the files of an output and return its line."""
    for path, encoded in output.files.items():
        streams.write(path, encoded())
    return output.line


def ahead(
    reader: Executor, read: Callable[[Job], Any], jobs: Sequence[Job]
) -> Iterator[tuple[Job, Future[Any]]]:
    """Yield each job when its file was read, or could not be; the next ones are read already."""
    left, reading = iter(jobs), collections.deque()
    for job in left:
        reading.append((job, reader.submit(read, job)))
        if len(reading) > AHEAD:
            yield waited(reading.popleft())
    while reading:
        yield waited(reading.popleft())


def waited(read: tuple[Job, Future[Any]]) -> tuple[Job, Future[Any]]:
    """Wait for the reading of a file; an error that no user can cause is raised at once."""
    error = read[1].exception()
    if error is not None and not isinstance(error, USER_ERRORS):
        raise error
    return read


@contextlib.contextmanager
def threads() -> Iterator[Executor]:
    """Open a thread that does its tasks in turn, and drops those left when an error comes."""
    executor = ThreadPoolExecutor(1)
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)
