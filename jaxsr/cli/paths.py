"""Which files a command reads, and where it writes each: nothing is overwritten by accident."""

import dataclasses
import glob
import os
from collections.abc import Sequence
from pathlib import Path

from jaxsr.errors import UserError
from jaxsr.image import formats
from jaxsr.image.folders import find_images, is_image_file

IMAGES = formats.SUFFIXES
COMPRESSED = (".jsr",)


@dataclasses.dataclass(frozen=True)
class Job:
    """One image to read and one to write."""

    source: Path
    target: Path


def plan(
    inputs: Sequence[str],
    output: str,
    suffix: str | None = None,
    reads: tuple[str, ...] = IMAGES,
    writes: tuple[str, ...] = IMAGES,
) -> tuple[list[Job], list[str]]:
    """The jobs for files, folders (all images below, their tree kept) and glob patterns.

    ``output`` is a file if it has a suffix and there is one input, a file; else a folder.
    Two inputs that would be written to one name (``a.jpg`` and ``a.png`` as PNG) get ``a.png`` and
    ``a-2.png``.

    Args:
      suffix: of what is written (``".png"``); the input's own unless given.
      reads, writes: suffixes of files that are read and written.

    Returns:
      The jobs, and a line for each input that gives none.

    Raises:
      UserError: ``output`` is a single file's name for several inputs, or not of ``writes``.
    """
    found, problems = sources(inputs, Path(output), reads)
    if names_a_file(output):
        if len(inputs) > 1 or len(found) > 1 or Path(inputs[0]).is_dir():
            raise UserError(f"{output}: one file cannot hold several images; give a folder")
        check_suffix(output, suffix, writes)
        targets = [Path(output)] * len(found)
    else:
        targets = unique([Path(output) / renamed(name, suffix) for _, name in found])
    originals = {os.path.realpath(source) for source, _ in found}
    jobs = []
    for (source, _), target in zip(found, targets, strict=True):
        if os.path.realpath(target) in originals:
            problems.append(f"{source}: would overwrite {target}, an input; choose another -o")
        else:
            jobs.append(Job(source, target))
    return jobs, problems


def check_suffix(output: str, wanted: str | None, writes: tuple[str, ...]) -> None:
    """Raises UserError unless ``output`` is named as the format that is to be written."""
    suffix = Path(output).suffix.lower()
    if suffix in writes:
        if wanted and suffix not in same_format(wanted):
            raise UserError(f"{output}: the name says another format than {wanted[1:]}")
    elif writes is IMAGES:
        formats.format_of(output)
    else:
        raise UserError(f"{output}: what is written here is named {', '.join(writes)}")


def sources(
    inputs: Sequence[str], output: Path, reads: tuple[str, ...] = IMAGES
) -> tuple[list[tuple[Path, Path]], list[str]]:
    """(file, name to keep below the output folder) of every image, each once; and the problems.

    A folder's own name is kept where there are several. Where ``output`` lies within an input
    folder, what is in it are results of an earlier run and no input.
    """
    found: dict[str, tuple[Path, Path]] = {}
    problems = []
    several = sum(Path(text).is_dir() for text in inputs) > 1
    for text in inputs:
        path = Path(text)
        if path.is_dir():
            base = path.absolute().parent if several else path
            images = [
                (image, image.absolute().relative_to(base) if several else image.relative_to(base))
                for image in find_images(path, reads)
                if not is_within(image, output) or is_within(path, output)
            ]
        elif not path.exists() and glob.has_magic(text):
            matches = map(Path, sorted(glob.glob(text, recursive=True)))
            images = [(image, Path(image.name)) for image in matches if is_image_file(image, reads)]
        else:
            images = [(path, Path(path.name))]  # reading it will say if it isn't there
        if not images:
            problems.append(f"{text}: no images here; {', '.join(reads)} are read")
        for image, name in images:
            found.setdefault(os.path.realpath(image), (image, name))
    return list(found.values()), problems


def is_within(path: Path, folder: Path) -> bool:
    """Whether ``path`` is ``folder`` or lies in it, links followed."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def names_a_file(output: str) -> bool:
    """Whether ``output`` means a file: it has a suffix and is neither a folder nor written as one."""
    separators = tuple(filter(None, (os.sep, os.altsep)))
    return (
        bool(Path(output).suffix) and not output.endswith(separators) and not os.path.isdir(output)
    )


def renamed(name: Path, suffix: str | None) -> Path:
    """With ``suffix``, or its own if that is an image's, else ``.png``."""
    return name.with_suffix(
        suffix or (name.suffix if name.suffix.lower() in formats.SUFFIXES else ".png")
    )


def same_format(suffix: str) -> tuple[str, ...]:
    return COMPRESSED if suffix in COMPRESSED else formats.format_of("_" + suffix).suffixes


def unique(targets: Sequence[Path]) -> list[Path]:
    """Each name once: the second of ``a.png`` becomes ``a-2.png``. Case counts on no disk."""
    taken: set[str] = set()
    result = []
    for target in targets:
        name, count = target, 1
        while str(name).lower() in taken:
            count += 1
            name = target.with_stem(f"{target.stem}-{count}")
        taken.add(str(name).lower())
        result.append(name)
    return result
