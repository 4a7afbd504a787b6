"""Files written whole or not at all."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from jaxsr.errors import UserError


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
    """Writes a file whole or not at all.

    Raises:
      UserError: the folder or file cannot be written.
    """
    try:
        with replacing(path) as file:
            file.write(data)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """A file to write that becomes ``path`` when the block ends well, and vanishes when it does not.

    It lies in the same folder under a temporary name until then, so that a reader, or another
    writer, only ever meets whole files.
    """
    path = Path(path)
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
            temporary = Path(file.name)
            yield file
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
