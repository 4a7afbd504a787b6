"""A folder of the user's own weights, of any program, which are then known by name."""

import os
from pathlib import Path

SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".param", ".bin")  # of weights, anybody's


def folder() -> Path:
    """Return ``$JAXSR_MODELS``, by default ``~/.local/share/jaxsr/models``; it may not exist."""
    if given := os.environ.get("JAXSR_MODELS"):
        return Path(given).expanduser()
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "jaxsr" / "models"


def models() -> dict[str, Path]:
    """List the weights in :func:`folder` and below it: file name without suffix → file, sorted.

    Of two files with one name the first in the order of paths counts; the two files of a model of
    ncnn are one.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder().rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            found.setdefault(path.stem, path)
    return dict(sorted(found.items()))
