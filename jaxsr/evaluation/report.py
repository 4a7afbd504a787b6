"""What the reports of all subjects share: tables as aligned text, figures as JSON has them."""

import collections
import importlib.metadata
import json
import math
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

import jaxsr
from jaxsr.atomic import write_bytes


def envelope(protocol: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what every report begins with: how, with what and on what it was measured."""
    return {
        "protocol": protocol,
        "config": dict(config),
        "versions": {name: importlib.metadata.version(name) for name in ("jax", "jaxlib", "flax")}
        | {"jaxsr": jaxsr.__version__, "python": platform.python_version()},
        "device": {
            "platform": jax.default_backend(),
            "kind": jax.devices()[0].device_kind,
            "count": jax.device_count(),
        },
    }


def names_of(folders: Iterable[str]) -> dict[str, str]:
    """Return what to call each folder's images: its name, or its path where two share a name."""
    paths = {folder: Path(folder).resolve() for folder in folders}
    taken = collections.Counter(path.name for path in paths.values())
    return {
        folder: path.name if taken[path.name] == 1 else "-".join(path.parts[1:])
        for folder, path in paths.items()
    }


def aligned(
    header: Sequence[str], groups: Sequence[Sequence[Sequence[str]]], texts: Sequence[int] = (0,)
) -> str:
    """Return rows of cells as columns of text; a rule stands before every group.

    Args:
      header: the columns' names.
      groups: rows that belong together.
      texts: which columns are aligned to the left; the others, figures, are to the right.
    """
    every = [header, *(row for group in groups for row in group)]
    widths = [max(map(len, column)) for column in zip(*every, strict=True)]

    def line(row: Sequence[str]) -> str:
        cells = (
            f"{cell:<{width}}" if i in texts else f"{cell:>{width}}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return "  ".join(cells).rstrip()

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    lines = [line(header)]
    for group in filter(None, groups):
        lines += [rule, *map(line, group)]
    return "\n".join(lines)


def number(value: float | int) -> float | int | str | None:
    """Return a figure as JSON has it: infinity is ``"inf"`` or ``"-inf"``, ``nan`` is null."""
    if math.isnan(value):
        return None
    return str(value) if math.isinf(value) else value


def save_json(path: str | os.PathLike, report: Mapping[str, Any]) -> None:
    """Write ``report`` to ``path``, whole or not at all.

    Raises:
      UserError: the file cannot be written.
    """
    write_bytes(path, json.dumps(report, indent=1, allow_nan=False).encode() + b"\n")
