"""The work of ``jaxsr upscale``: images read, enlarged and written, some at a time."""

import argparse
import functools
from collections.abc import Sequence

from tqdm import tqdm

from jaxsr.cli.paths import Job
from jaxsr.cli.report import USER_ERRORS, complain, naming
from jaxsr.image import files
from jaxsr.pipeline import Upscale

PIXELS_AT_ONCE = 2**21  # of images in memory together; their tiles share shapes and batches


class Worker:
    """What fails is told, and the rest goes on.

    Attributes:
      done, failed: how many images so far.
    """

    def __init__(self, upscale: Upscale, arguments: argparse.Namespace, bar: tqdm):
        self.upscale = upscale
        self.arguments = arguments
        self.bar = bar
        self.done = self.failed = 0

    def work(self, jobs: Sequence[Job]) -> tuple[int, int]:
        """How many images were written and how many failed."""
        group, pixels = [], 0
        for job in jobs:
            try:
                picture = files.read(job.source)
                files.check_holds(job.target, picture)  # before the work, not after it
            except USER_ERRORS as error:
                self.fail(job, error)
                continue
            group.append((job, picture))
            pixels += picture.pixels[..., 0].size
            if pixels >= PIXELS_AT_ONCE:
                self.enlarge(group)
                group, pixels = [], 0
        self.enlarge(group)
        return self.done, self.failed

    def enlarge(self, group: Sequence[tuple[Job, files.Picture]]) -> None:
        """Together, or, where that fails, one by one to know which it was."""
        pictures = [picture for _, picture in group]
        progress = functools.partial(self.progress, images=len(group))
        try:
            enlarged = self.upscale.upscale_many(pictures, self.arguments.tile, progress)
        except USER_ERRORS as error:
            if len(group) == 1:
                return self.fail(group[0][0], error)
            for one in group:
                self.enlarge([one])
            return
        for (job, _), result in zip(group, enlarged, strict=True):
            self.write(job, result.image)

    def write(self, job: Job, picture: files.Picture) -> None:
        try:
            job.target.parent.mkdir(parents=True, exist_ok=True)
            files.write(job.target, picture, self.arguments.quality)
        except USER_ERRORS as error:
            return self.fail(job, error)
        self.done += 1

    def fail(self, job: Job, error: Exception) -> None:
        """One line that names the file; with ``--debug``, all of it."""
        if self.arguments.debug:
            raise error
        self.failed += 1
        with self.bar.external_write_mode():
            complain(naming(error, job.source, job.target))

    def progress(self, done: int, total: int, images: int) -> None:
        """Tiles count as parts of the images at work."""
        self.bar.n = self.done + self.failed + images * done / total
        self.bar.refresh()
