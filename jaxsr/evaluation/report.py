"""Super-resolution as people read it (a table) and as programs do (JSON), and what all reports share."""

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
from jaxsr.evaluation.upscalers.protocol import Result, Row, Score, mean

PROTOCOL = "Y of 8-bit RGB, scale pixels cut off every side; low resolution by MATLAB's imresize"


def table(title: str, result: Result) -> str:
    """The scores of a set as aligned plain text: one line an image, bicubic beside, then the mean.

    An identical image shows as ``inf`` dB, and a last line says how many there are, since a mean
    over them says nothing; it gives the mean of the others too.
    """
    rows = [*result.rows, Row("mean", result.mean, result.bicubic)]
    width = max(len("image"), *(len(row.name) for row in rows))
    cells = [f"{row.name:<{width}}  {_cells(row.score)}   {_cells(row.bicubic)}" for row in rows]
    rule = "-" * len(cells[0])
    lines = [
        f"{title}, ×{result.scale}",
        f"{'':<{width}}  {'upscaler':^16}   {'bicubic':^16}".rstrip(),
        f"{'image':<{width}}  {'PSNR-Y':>8} {'SSIM-Y':>7}   {'PSNR-Y':>8} {'SSIM-Y':>7}",
        rule,
        *cells[:-1],
        rule,
        cells[-1],
    ]
    if result.identical:
        lines.append(_about_identical(result))
    return "\n".join(lines)


def _cells(score: Score) -> str:
    return f"{score.psnr:8.3f} {score.ssim:7.4f}"


def _about_identical(result: Result) -> str:
    line = f"{len(result.identical)} of {len(result.rows)} images are identical to their originals"
    rest = [row.score for row in result.rows if math.isfinite(row.score.psnr)]
    return f"{line}; mean of the others: {mean(rest).psnr:.3f} dB" if rest else line


def as_json(sets: Mapping[str, Result], config: Mapping[str, Any]) -> dict[str, Any]:
    """Everything about an evaluation, as values JSON has.

    JSON has no infinity: the PSNR of an identical image is the string ``"inf"``, and ``identical``
    lists those images.

    Args:
      sets: results by the folder they were measured on.
      config: how the evaluation was called, kept as it is.
    """
    names = names_of(sets)
    measured = [_set_as_json(names[folder], folder, sets[folder]) for folder in sets]
    return envelope(PROTOCOL, config) | {"sets": measured}


def envelope(protocol: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """What a report of any task begins with: how, with what and on what it was measured."""
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
    """What to call each folder's images: its own name, or its path where two share a name."""
    paths = {folder: Path(folder).resolve() for folder in folders}
    taken = collections.Counter(path.name for path in paths.values())
    return {
        folder: path.name if taken[path.name] == 1 else "-".join(path.parts[1:])
        for folder, path in paths.items()
    }


def _set_as_json(name: str, folder: str, result: Result) -> dict[str, Any]:
    return {
        "name": name,
        "path": folder,
        "scale": result.scale,
        "mean": _score_as_json(result.mean),
        "bicubic_mean": _score_as_json(result.bicubic),
        "identical": list(result.identical),
        "seconds": result.seconds,
        "images": [
            {
                "name": row.name,
                **_score_as_json(row.score),
                "bicubic": _score_as_json(row.bicubic),
            }
            for row in result.rows
        ],
    }


def _score_as_json(score: Score) -> dict[str, float | str]:
    return {"psnr_y": number(score.psnr), "ssim_y": score.ssim}


def aligned(
    header: Sequence[str], groups: Sequence[Sequence[Sequence[str]]], texts: Sequence[int] = (0,)
) -> str:
    """Rows of cells in columns, ``texts`` to the left and figures to the right; a rule before a group."""
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
    """A figure as JSON has it: infinity, of an exact copy, is ``"inf"`` (``"-inf"``); unknown is null."""
    if math.isnan(value):
        return None
    return str(value) if math.isinf(value) else value


def save_json(path: str | os.PathLike, report: Mapping[str, Any]) -> None:
    """Writes ``report`` to ``path``, whole or not at all.

    Raises:
      UserError: it cannot be written there.
    """
    write_bytes(path, json.dumps(report, indent=1, allow_nan=False).encode() + b"\n")
