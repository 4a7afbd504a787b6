"""What was read of a file, kept for as long as the file is the same."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Read = TypeVar("Read")


def once_a_file(read: Callable[[Path], Read], files: int = 4) -> Callable[[Path], Read]:
    """Returns ``read``, called anew only where a file was rewritten; it keeps the last ``files``.

    Networks keep what was compiled for them, so the same file should give the same object; but a
    file that was rewritten is another one, which its size or its time of change tells.
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
