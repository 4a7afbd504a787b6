"""Networks read from files, kept for as long as the file is the same."""

import functools
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from jaxsr.errors import UserError

Read = TypeVar("Read")


def once_a_file(read: Callable[[Path], Read], files: int = 4) -> Callable[[Path], Read]:
    """Return ``read`` with a memory of the last ``files`` files; a rewritten one is read again.

    Networks keep what was compiled for them, so one file should always give one object. A rewrite
    is noticed by the file's size, time of change or inode.
    """

    @functools.lru_cache(maxsize=files)
    def kept(path: Path, size: int, changed: int, number: int) -> Read:
        return read(path)

    @functools.wraps(read)
    def current(path: Path) -> Read:
        path = Path(os.path.realpath(path))
        state = path.stat()
        return kept(path, state.st_size, state.st_mtime_ns, state.st_ino)

    return current


def name_of(hash: bytes, names: Iterable[str], load: Callable[[str], Any]) -> str | None:
    """Return which of some names ``load`` makes what has this hash of; None if none does."""
    return next((name for name in names if load(name).hash == hash), None)


def loaded(
    given: str | os.PathLike | Read, load: Callable[[str | os.PathLike], Read], kind: Any
) -> Read:
    """Return what was given, if it is of the class ``kind``; what ``load`` makes of a name or path.

    Raises:
      UserError: it is none of these, or can't be loaded.
    """
    if isinstance(given, str | os.PathLike):
        return load(given)
    if not isinstance(given, kind):
        raise UserError(
            f"weights are given as a released name, a file's path or a loaded {kind.__name__}, "
            f"got {type(given).__name__}"
        )
    return given
