"""Regions found and restored, as people read them (tables) and as programs do (JSON)."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jaxsr.evaluation.regions.quality import PLACES, Quality, RestorationGain
from jaxsr.evaluation.regions.saliency import MaskScores
from jaxsr.evaluation.report import aligned, envelope, names_of, number

PROTOCOL = (
    "saliency: masks of the images' size, 8 bits, stretched to [0, 1] by minimum and maximum for"
    " MAE, F and S-measure, as they are for IoU at 0.5; max-F (beta² = 0.3) of precision and recall"
    " averaged over the images at each of 256 thresholds; quality: PSNR and SSIM of 8-bit RGB"
    " without cropping,"
    " the mean over images, in the mask, out of it and over the whole image"
)
SALIENCY = ("method", "image", "MAE", "max-Fβ", "S-measure", "IoU")
QUALITY = ("degradation", "where", "global", "SSIM", "restored", "SSIM", "gain", "SSIM", "worse")


def saliency_table(title: str, results: Sequence[MaskScores], each_image: bool = False) -> str:
    """Return a line a method with the means over images, on demand after a line an image."""
    groups = [list(_saliency_rows(result, each_image)) for result in results]
    groups = groups if each_image else [[row for group in groups for row in group]]
    return (
        f"{title}, images with masks: {len(results[0].scores)}\n"
        f"{aligned(SALIENCY, groups, texts=(0, 1))}"
    )


def _saliency_rows(result: MaskScores, each_image: bool) -> Iterator[list[str]]:
    for score in result.scores if each_image else ():
        cells = (score.mae, score.max_f, score.s_measure, score.iou)
        yield [result.method, score.name, *(f"{value:.4f}" for value in cells)]
    cells = (result.mae, result.max_f, result.s_measure, result.iou)
    yield [result.method, "mean", *(f"{value:.4f}" for value in cells)]


def quality_table(title: str, results: Sequence[RestorationGain], each_image: bool = False) -> str:
    """Return a line a degradation and place; ``worse`` counts the regions that lost."""
    groups = []
    for result in results:
        groups.append([])
        for row in result.rows if each_image else ():
            for place in PLACES:
                figures = row.plain[place], row.restored[place], row.gain(place)
                groups[-1].append([f"{result.name} {row.name}", place, *_cells(*figures), ""])
        for place in PLACES:
            figures = result.plain(place), result.restored(place), result.gain(place)
            worse = f"{result.lost} of {len(result.rows)}" if place == "inside" else ""
            groups[-1].append([result.name, place, *_cells(*figures), worse])
    return (
        f"{title}, images: {len(results[0].rows)}, region: {results[0].share:.1%} of the pixels;"
        f" PSNR in dB\n{aligned(QUALITY, groups, texts=(0, 1))}"
    )


def _cells(plain: Quality, restored: Quality, gain: Quality) -> list[str]:
    levels = [f"{q.psnr:.3f} {q.ssim:.4f}".split() for q in (plain, restored)]
    return [*levels[0], *levels[1], f"{gain.psnr:+z.3f}", f"{gain.ssim:+z.4f}"]


def as_json(
    found: Mapping[str, Sequence[MaskScores]],
    restored: Mapping[str, Sequence[RestorationGain]],
    config: Mapping[str, Any],
) -> dict[str, Any]:
    """Return everything about an evaluation, as values that JSON has.

    Args:
      found: each method's masks' scores, by the folder they were measured on.
      restored: each degradation's gains, by folder.
      config: how the evaluation was called; it is written as it is.
    """
    names = names_of([*found, *(folder for folder in restored if folder not in found)])
    return envelope(PROTOCOL, config) | {
        "sets": [
            {"name": names[folder], "path": folder}
            | {"saliency": [_found_as_json(result) for result in found.get(folder, ())]}
            | {"quality": [_restored_as_json(result) for result in restored.get(folder, ())]}
            for folder in names
        ]
    }


def _found_as_json(result: MaskScores) -> dict[str, Any]:
    figures = ("mae", "max_f", "s_measure", "iou")
    return {
        "method": result.method,
        **{name: getattr(result, name) for name in figures},
        "threshold_of_max_f": result.threshold,
        "precision": result.precision.tolist(),
        "recall": result.recall.tolist(),
        "images": [
            {"name": score.name} | {name: getattr(score, name) for name in figures}
            for score in result.scores
        ],
    }


def _restored_as_json(result: RestorationGain) -> dict[str, Any]:
    return {
        "degradation": result.name,
        **dataclasses.asdict(result.degradation),
        "region_share": result.share,
        "images_worse_inside": result.lost,
        "mean": {
            place: _three(result.plain, result.restored, result.gain, place) for place in PLACES
        },
        "images": [
            {"name": row.name, "region_share": row.share}
            | {place: _three(row.plain.get, row.restored.get, row.gain, place) for place in PLACES}
            for row in result.rows
        ],
    }


def _three(plain, restored, gain, place: str) -> dict[str, dict]:
    named = {"global": plain, "restored": restored, "gain": gain}
    return {
        name: {key: number(value) for key, value in dataclasses.asdict(of(place)).items()}
        for name, of in named.items()
    }
