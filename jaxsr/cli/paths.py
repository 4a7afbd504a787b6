"""Which files a command reads and where it writes each; the one rule of what may be replaced.

Where a result goes depends on its own input, the output and the format asked for, and on nothing
else that lies in a folder. In an output folder it is named after its input: ``a.jpg`` stays
``a.jpg`` where the format stays, and becomes ``a.jpg.png`` or ``a.jpg.jsr`` where it changes, so
that ``a.png`` beside it gets another name; decompressing takes the ``.jsr`` off again.

Of several processes, each takes its share of the files (:class:`jaxsr.cli.cluster.Shard`), which
depends on nothing but their paths.

A file that exists is skipped, and replaced only with ``--overwrite``. What the command was given
to read (inputs, masks, weights) is never replaced.
"""

import argparse
import collections
import dataclasses
import glob
import itertools
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from jaxsr.cli import flags
from jaxsr.cli.cluster import Shard
from jaxsr.errors import UserError
from jaxsr.image import formats
from jaxsr.image.folders import find_images, is_image_file

STREAM = Path("-")  # standard input or output
IMAGES = formats.SUFFIXES  # that are read
IMAGES_WRITTEN = formats.WRITTEN
COMPRESSED = (".jsr",)
# Flags that name files to read, and what those are called.
GIVEN = {
    "roi": "the region's mask",
    "model": "the model",
    "segmenter": "the segmenter",
    "restorer": "the restorer",
    "upscaler": "the upscaler",
}


@dataclasses.dataclass(frozen=True)
class Job:
    """One file to read, and what is written of it.

    Attributes:
      source: a file, or ``STREAM``.
      target: a file, or ``STREAM``.
      suffix: of the format to write; None: what the source turns out to be.
      mask: where the region's mask goes, if anywhere.
    """

    source: Path
    target: Path
    suffix: str | None = None
    mask: Path | None = None

    @property
    def written(self) -> list[Path]:
        """The files that the job writes."""
        return [path for path in (self.target, self.mask) if path not in (None, STREAM)]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What there is to do: jobs, how many others are done already, and a line for each problem."""

    jobs: list[Job]
    skipped: int
    problems: list[str]


def plan(
    arguments: argparse.Namespace,
    suffix: str | None = None,
    *,
    reads: tuple[str, ...] = IMAGES,
    writes: tuple[str, ...] = IMAGES_WRITTEN,
) -> Plan:
    """Plan the files, folders (all below, their tree kept) and patterns that a command was given.

    Args:
      arguments: ``inputs``, ``output``, ``overwrite``, and ``format``, ``mask_out`` and the flags
        of ``GIVEN`` where the command has them. The output is a file if it is named as one and
        there is one input; else a folder. Of the files, ``shard`` takes its own; none is all.
      suffix: of what is written (``".png"``) where ``format`` does not say; None: the input's own,
        or ``".png"`` if that is not written.
      reads, writes: suffixes of the files that are read and written.

    Raises:
      UserError: ``output`` is a single file's name for several inputs, or not of ``writes``; or
        image and mask would both go to stdout; or the shares of several processes would not be
        the same again, because results become inputs.
    """
    suffix = flags.FORMATS.get(getattr(arguments, "format", None) or "", suffix)
    mask_out = getattr(arguments, "mask_out", None)
    outputs = [Path(text) for text in (arguments.output, mask_out) if text and text != "-"]
    if arguments.output == mask_out == "-":
        raise UserError("-: stdout holds one image; give -o or --mask-out a file")
    found, problems = sources(arguments.inputs, outputs, reads)
    jobs = []
    if found:
        targets = targets_of(arguments.inputs, found, arguments.output, suffix, writes)
        masks = [(None, None)] * len(found)
        if mask_out:
            kind = None if names_a_file(mask_out, arguments.inputs) else ".png"
            masks = targets_of(arguments.inputs, found, mask_out, kind, IMAGES_WRITTEN)
        for (source, _), (target, kind), (mask, _) in zip(found, targets, masks, strict=True):
            jobs.append(Job(source, target, kind, mask))
    shard = getattr(arguments, "shard", Shard())
    if shard.count > 1:
        check_shared(jobs, arguments.inputs, outputs, reads)
    if shard.index > 0 and getattr(arguments, "distributed", False):
        problems = []  # process 0 tells them
    return settled(jobs, problems, arguments, shard)


def check_shared(
    jobs: Sequence[Job], inputs: Sequence[str], outputs: Sequence[Path], reads: tuple[str, ...]
) -> None:
    """Raise UserError unless several processes find the same files, whatever is done by then."""
    if any(STREAM in (job.source, job.target, job.mask) for job in jobs):
        raise UserError("-: several processes have no stdin and stdout in common; name files")
    results = {path.suffix.lower() for job in jobs for path in job.written}
    for text in inputs:
        folder = searched(text)
        if folder and results & set(reads) and any(is_within(folder, out) for out in outputs):
            raise UserError(
                f"{text}: other processes would take the results in it for inputs; give -o a "
                "folder of its own"
            )


def settled(
    jobs: Sequence[Job], problems: list[str], arguments: argparse.Namespace, shard: Shard
) -> Plan:
    """Decide which jobs may be done: none that replaces what is read or what is to be kept.

    That is judged by all jobs; those of ``shard`` are returned.
    """
    inputs = {real(job.source): "an input" for job in jobs if job.source != STREAM}
    for flag, what in GIVEN.items():
        if (file := getattr(arguments, flag, None)) and os.path.isfile(file):
            inputs[real(file)] = what
    claims = collections.defaultdict(list)
    for job in jobs:
        for path in job.written:
            claims[real(path).lower()].append(job)  # on some disks, case does not count
    left, skipped, problems = [], 0, list(problems)
    share = shard.of([real(job.source) for job in jobs])
    for job in jobs:
        if real(job.source) not in share:
            continue
        there = [path for path in job.written if path.exists() and not arguments.overwrite]
        if refusal := refused(job, inputs, claims):
            problems.append(refusal)
        elif there and len(there) == len(job.written):
            skipped += 1
        elif there:
            problems.append(f"{job.source}: {there[0]} exists; --overwrite replaces it")
        else:
            left.append(job)
    return Plan(left, skipped, list(dict.fromkeys(problems)))


def refused(job: Job, inputs: dict[str, str], claims: dict[str, list[Job]]) -> str | None:
    """Return why a job cannot be done, whatever the flags: what it would write over."""
    for path in job.written:
        if what := inputs.get(real(path)):
            return f"{job.source}: would overwrite {path}, {what}; choose another output"
        jobs = claims[real(path).lower()]
        if jobs.count(job) > 1:
            return f"{path}: an image is written there; choose another --mask-out"
        if len(jobs) > 1:
            names = " and ".join(str(other.source) for other in jobs)
            first = next(iter(jobs[0].written))
            return f"{names} would both be written to {first}; run them apart, to other outputs"
    return None


def real(path: str | os.PathLike) -> str:
    return os.path.realpath(path)


def targets_of(
    inputs: Sequence[str],
    found: Sequence[tuple[Path, Path]],
    output: str,
    suffix: str | None,
    writes: tuple[str, ...],
) -> list[tuple[Path, str | None]]:
    """Return where the result of each source goes, and the suffix of its format.

    Raises:
      UserError: ``output`` is a single file's name for several inputs, or not of ``writes``.
    """
    streamed = any(source == STREAM for source, _ in found)
    if output == "-" or names_a_file(output, inputs):
        if len(inputs) > 1 or len(found) > 1 or Path(inputs[0]).is_dir():
            raise UserError(f"{output}: one file cannot hold several images; give a folder")
        if output != "-":
            check_suffix(output, suffix, writes)
            return [(Path(output), Path(output).suffix)]
        own = None if streamed else result_name(found[0][1], suffix, writes).suffix
        return [(STREAM, suffix or own)]
    if streamed:
        raise UserError(f"-: stdin has no name to give it in the folder {output}; give a file's")
    names = [result_name(name, suffix, writes) for _, name in found]
    return [(Path(output) / name, name.suffix) for name in names]


def check_suffix(output: str, wanted: str | None, writes: tuple[str, ...]) -> None:
    """Raise UserError unless ``output`` is named as the format that is to be written."""
    suffix = Path(output).suffix.lower()
    if suffix in writes:
        if wanted and suffix not in same_format(wanted):
            raise UserError(f"{output}: the name says another format than {wanted[1:]}")
    elif writes is IMAGES_WRITTEN:
        try:
            formats.format_of(output)
        except UserError as error:
            raise UserError(f"{error}; or {output}/ for a folder") from None
    else:
        raise UserError(f"{output}: what is written here is named {', '.join(writes)}")


def sources(
    inputs: Sequence[str], outputs: Sequence[Path], reads: tuple[str, ...] = IMAGES
) -> tuple[list[tuple[Path, Path]], list[str]]:
    """Return (file, name to keep below the output folder) of every image once; and the problems.

    A folder's own name is kept where there are several. Where one of ``outputs`` lies within a
    folder that is searched, what is in it are results of an earlier run and no input.
    """
    found: dict[str, tuple[Path, Path]] = {}
    problems = []
    several = sum(Path(text).is_dir() for text in inputs) > 1
    for text in inputs:
        path = Path(text)
        if text == "-":
            images = [(STREAM, STREAM)]
        elif path.is_dir():
            base = path.absolute().parent if several else path
            images = [
                (image, image.absolute().relative_to(base) if several else image.relative_to(base))
                for image in find_images(path, reads)
            ]
        elif searched(text):
            matches = map(Path, sorted(glob.glob(text, recursive=True)))
            images = [(image, Path(image.name)) for image in matches if is_image_file(image, reads)]
        else:  # reading it will say if it isn't there
            images = [(path.absolute() if path == STREAM else path, Path(path.name))]
        if folder := searched(text):
            results = [out for out in outputs if not is_within(folder, out)]
            images = [x for x in images if not any(is_within(x[0], out) for out in results)]
        if not images:
            what = "images" if reads == IMAGES else f"{' or '.join(reads)} files"
            problems.append(f"{text}: no {what} here; {', '.join(reads)} are read")
        for image, name in images:
            found.setdefault("-" if image == STREAM else real(image), (image, name))
    return list(found.values()), problems


def searched(text: str) -> Path | None:
    """Return the folder that an input's files are looked for in; None if it names one file."""
    path = Path(text)
    if text == "-" or (path.exists() and not path.is_dir()):
        return None
    if path.is_dir():
        return path
    fixed = list(itertools.takewhile(lambda part: not glob.has_magic(part), path.parts))
    return Path(*fixed) if len(fixed) < len(path.parts) else None


def is_within(path: Path, folder: Path) -> bool:
    """Return True if ``path`` is ``folder`` or lies in it, links followed."""
    return Path(real(path)).is_relative_to(real(folder))


def names_a_file(output: str, inputs: Sequence[str]) -> bool:
    """Return True if ``output`` means a file.

    It does if it has a suffix, is no folder and is not written as one. A suffix of no image, as in
    ``out.v2``, means a file only where a single file is to be written.
    """
    separators = tuple(filter(None, (os.sep, os.altsep)))
    suffix = Path(output).suffix.lower()
    if not suffix or output.endswith(separators) or os.path.isdir(output):
        return False
    one = len(inputs) == 1 and not os.path.isdir(inputs[0]) and not glob.has_magic(inputs[0])
    return one or suffix in (*IMAGES, *COMPRESSED)


def result_name(name: Path, suffix: str | None, writes: tuple[str, ...]) -> Path:
    """Name a result after its input, by the rule at the top of this module.

    Args:
      suffix: of the format asked for; the input's own if that is one of ``writes``, else ``.png``.
    """
    own = name.suffix.lower()
    if own in COMPRESSED:
        name, own = name.with_suffix(""), name.with_suffix("").suffix.lower()
        suffix = suffix or ".png"
    elif suffix is None:
        suffix = own if own in writes else ".png"
    return name if own in same_format(suffix) else name.with_name(name.name + suffix)


def same_format(suffix: str) -> tuple[str, ...]:
    """Return all suffixes of the format that one names."""
    return COMPRESSED if suffix in COMPRESSED else formats.format_of_suffix(suffix).suffixes


def check_target(target: Path, inputs: Iterable[str | os.PathLike], overwrite: bool) -> bool:
    """Apply the rule to a single file that a command writes.

    Returns:
      Whether it is to be written; it is kept where it exists, unless ``overwrite``.

    Raises:
      UserError: it is one of ``inputs``, or lies in one that is a folder (a training run).
    """
    for given in inputs:
        if os.path.exists(given) and is_within(target, Path(given)):
            raise UserError(f"{target}: {given} is read; choose another output")
    return overwrite or not target.exists()
