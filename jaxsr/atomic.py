"""Files read whole, and written whole or not at all."""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from jaxsr.errors import UserError


def read_bytes(path: str | os.PathLike) -> bytes:
    """Read a whole file.

    Raises:
      UserError: it is missing, a folder, empty, or cannot be read.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder, not a file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    if not data:
        raise UserError(f"{path}: the file is empty")
    return data


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
      UserError: the folder or file cannot be written, or the disk is full.
    """
    try:
        with replacing(path) as file:
            file.write(data)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from None


def make_folder(path: str | os.PathLike) -> None:
    """Make a folder, and those above it, where they are missing.

    Raises:
      UserError: it cannot be made, or a file has its name or that of a folder above it.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or error
        for part in (path, *path.parents):
            if part.exists() and not part.is_dir():
                why = f"{part} is a file; choose another name"
        raise UserError(f"{path}: the folder cannot be made ({why})") from None


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Open a file to write that becomes ``path`` when the block ends well, and vanishes otherwise.

    It lies in the same folder under a temporary name until then, so that a reader, or another
    writer, only ever meets whole files. A file that is replaced keeps its permissions; a new one
    gets those that the process gives to new files.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as file:
            yield file
        with contextlib.suppress(FileNotFoundError):
            temporary.chmod(stat.S_IMODE(path.stat().st_mode))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
