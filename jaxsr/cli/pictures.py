"""Images on their way through a command: read and checked, encoded and told of."""

import dataclasses
import functools
from typing import Any

from jaxsr.cli import each, streams
from jaxsr.cli.paths import Job
from jaxsr.image import files, formats
from jaxsr.image.files import Picture
from jaxsr.image.formats import Format


@dataclasses.dataclass(frozen=True)
class Read:
    """An image that was read for a job.

    Attributes:
      picture: it.
      kind: the format that the result is written in.
      dropped: what of the file is left out, to be said.
    """

    picture: Picture
    kind: Any
    dropped: str


def read(job: Job) -> Read:
    """Read a job's image, and make sure that the format of the result can hold it.

    Raises:
      UserError: it is no image, or one that the format cannot hold.
    """
    opened = look(job)
    files.check_holds(opened.kind, opened.picture, job.target)
    return opened


def look(job: Job) -> Read:
    """Read a job's image, whatever is to be made of it."""
    data = streams.read(job.source)
    picture = files.decode(data, job.source)
    frames = files.count_frames(data)
    dropped = f", the first of {frames} frames" if frames > 1 else ""
    return Read(picture, format_of(job, data), dropped)


def format_of(job: Job, data: bytes) -> Format | None:
    """Return the format that a job's result is written in; None if it is none of an image."""
    if job.suffix is None:
        own = formats.format_of_content(data)
        return own if own and own.written else formats.format_of_suffix(".png")
    suffix = job.suffix.lower()
    return formats.format_of_suffix(suffix) if suffix in formats.WRITTEN else None


def output(job: Job, read: Read, result: Picture, quality: int, line: str) -> each.Output:
    """Return a picture to be written as a job's result."""
    encode = functools.partial(files.encode, read.kind, result, quality, job.target)
    return each.Output({job.target: encode}, line + read.dropped)


def pixels(read: Read) -> int:
    """Count an image's pixels."""
    height, width = read.picture.pixels.shape[:2]
    return height * width


def size(picture: Picture) -> str:
    """Return a picture's size in words: ``640×480 pixels``."""
    height, width = picture.pixels.shape[:2]
    return f"{width}×{height} pixels"
