"""Upscalers' scores as people read them (a table) and as programs do (JSON)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from jaxsr.evaluation.report import envelope, names_of, number
from jaxsr.evaluation.upscalers.protocol import CLEAN, ImageScores, UpscalerScores, YScore, mean

PROTOCOL = "Y of 8-bit RGB, scale pixels cut off every side; low resolution by MATLAB's imresize"


def table(title: str, result: UpscalerScores) -> str:
    """Return the scores of a set as aligned text: a line an image, bicubic beside, then the mean.

    An identical image has ``inf`` dB and so has the mean: a last line then gives the number of
    such images and the mean of the others.
    """
    rows = [*result.rows, ImageScores("mean", result.mean, result.bicubic)]
    width = max(len("image"), *(len(row.name) for row in rows))
    cells = [f"{row.name:<{width}}  {_cells(row.score)}   {_cells(row.bicubic)}" for row in rows]
    rule = "-" * len(cells[0])
    lines = [
        f"{title}, ×{result.scale}" + ("" if result.inputs == CLEAN else f", {result.inputs}"),
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


def _cells(score: YScore) -> str:
    return f"{score.psnr:8.3f} {score.ssim:7.4f}"


def _about_identical(result: UpscalerScores) -> str:
    line = f"{len(result.identical)} of {len(result.rows)} images are identical to their originals"
    rest = [row.score for row in result.rows if math.isfinite(row.score.psnr)]
    return f"{line}; mean of the others: {mean(rest).psnr:.3f} dB" if rest else line


def as_json(
    sets: Mapping[str, Sequence[UpscalerScores]], config: Mapping[str, Any]
) -> dict[str, Any]:
    """Return everything about an evaluation, as values that JSON has.

    JSON has no infinity: the PSNR of an identical image is the string ``"inf"``, and ``identical``
    lists those images.

    Args:
      sets: scores by the folder they were measured on, for each sort of inputs.
      config: how the evaluation was called; it is written as it is.
    """
    names = names_of(sets)
    measured = [
        _set_as_json(names[folder], folder, result) for folder in sets for result in sets[folder]
    ]
    return envelope(PROTOCOL, config) | {"sets": measured}


def _set_as_json(name: str, folder: str, result: UpscalerScores) -> dict[str, Any]:
    return {
        "name": name,
        "path": folder,
        "scale": result.scale,
        "inputs": result.inputs,
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


def _score_as_json(score: YScore) -> dict[str, Any]:
    return {"psnr_y": number(score.psnr), "ssim_y": score.ssim}
