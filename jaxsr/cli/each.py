"""Files worked on one after another: a line for each, and one that fails does not stop the others."""

import argparse
from collections.abc import Callable, Sequence

from jaxsr.cli.paths import Job
from jaxsr.cli.report import USER_ERRORS, complain, naming

BAR = "{percentage:3.0f}% {bar} {elapsed}<{remaining}"


def run(
    jobs: Sequence[Job],
    problems: Sequence[str],
    prepare: Callable[[], Callable[[Job], str]],
    done_word: str,
    arguments: argparse.Namespace,
) -> int:
    """Does the jobs and returns the exit code.

    Args:
      problems: what the files already gave to complain of.
      prepare: called if there is any job left to do; returns what does one: it writes the target
        and returns what to say of it.
      done_word: as in "3 compressed to DIR".
      arguments: ``output``, ``overwrite`` (else files that exist are skipped) and ``debug``.
    """
    from tqdm import tqdm

    for problem in problems:
        complain(problem)
    waiting = [job for job in jobs if arguments.overwrite or not job.target.exists()]
    failed = len(problems)
    if waiting:
        work = prepare()
        with tqdm(total=len(waiting), bar_format=BAR, disable=None, leave=False) as bar:
            for job in waiting:
                failed += not _one(work, job, bar, arguments.debug)
                bar.update()
    done = len(waiting) - (failed - len(problems))
    print(summary(done, len(jobs) - len(waiting), failed, done_word, arguments.output))
    return 2 if failed else 0


def _one(work: Callable[[Job], str], job: Job, bar, debug: bool) -> bool:
    """Whether it went well."""
    try:
        line = work(job)
    except USER_ERRORS as error:
        if debug:
            raise
        with bar.external_write_mode():
            complain(naming(error, job.source, job.target))
        return False
    with bar.external_write_mode():
        print(f"{job.source} → {job.target}: {line}", flush=True)
    return True


def summary(done: int, skipped: int, failed: int, done_word: str, output: str) -> str:
    """``3 compressed to DIR, 1 failed``"""
    parts = [f"{done} {done_word} to {output}"]
    if skipped:
        parts.append(f"{skipped} skipped that exist (--overwrite replaces them)")
    if failed:
        parts.append(f"{failed} failed")
    return ", ".join(parts)
