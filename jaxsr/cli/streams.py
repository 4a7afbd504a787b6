"""Files by name, or standard input and output by ``-``."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from jaxsr import atomic
from jaxsr.cli.paths import STREAM
from jaxsr.errors import UserError


def read(path: Path) -> bytes:
    """Read a whole file, or standard input.

    Raises:
      UserError: it cannot be read, or is empty.
    """
    if path != STREAM:
        return atomic.read_bytes(path)
    data = sys.stdin.buffer.read()
    if not data:
        raise UserError("-: stdin is empty")
    return data


def write(path: Path, data: bytes) -> None:
    """Write a whole file, its folder too where there is none, or to standard output.

    Raises:
      UserError: it cannot be written; or standard output is a terminal.
    """
    if path != STREAM:
        atomic.make_folder(path.parent)
        return atomic.write_bytes(path, data)
    if sys.stdout.isatty():
        raise UserError("-: stdout is a terminal, no place for an image; redirect it to a file")
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


@contextlib.contextmanager
def as_file(path: Path, suffix: str) -> Iterator[Path]:
    """Give the file itself, or a temporary one of ``suffix`` that holds standard input."""
    if path != STREAM:
        yield path
        return
    with copied(read(STREAM), STREAM, suffix) as copy:
        yield copy


@contextlib.contextmanager
def copied(data: bytes, path: Path, suffix: str) -> Iterator[Path]:
    """Give a temporary file of ``suffix`` that holds ``data``; errors name ``path`` in its place.

    Args:
      path: where the data came from.
    """
    import tempfile  # slow to import

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, f"stdin{suffix}")
        copy.write_bytes(data)
        try:
            yield copy
        except UserError as error:
            raise UserError(str(error).replace(str(copy), str(path))) from error


@contextlib.contextmanager
def to_file(path: Path) -> Iterator[Path]:
    """Give the file to write itself, or a temporary one that goes to stdout at the end."""
    if path != STREAM:
        yield path
        return
    import tempfile  # slow to import

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "stdout")
        yield copy
        write(STREAM, copy.read_bytes())
