"""Networks read from files, kept for as long as the file is the same."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

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


def loaded(given: str | os.PathLike | Read, load: Callable[[str | os.PathLike], Read]) -> Read:
    """Return what was given; if that is a name or a path, what ``load`` makes of it."""
    return load(given) if isinstance(given, str | os.PathLike) else given
