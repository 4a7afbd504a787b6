"""Regions: how well they are found, and what restoring them gains; ``configs/eval/regions.py`` has the options."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from jaxsr import zoo
from jaxsr.atomic import write_bytes
from jaxsr.errors import UserError
from jaxsr.evaluation import plot, report
from jaxsr.evaluation.options import check_output, folders_in, limit_of, make_folder, path_for
from jaxsr.evaluation.regions import masked, restorers, saliency, segmenters
from jaxsr.evaluation.regions import quality as region_quality
from jaxsr.evaluation.regions import report as region_report
from jaxsr.image import files
from jaxsr.image.values import from_float
from jaxsr.zoo.kinds import RESTORER, SEGMENTER, kind_of
from jaxsr.zoo.weights import Weights

GAP = 4  # white pixels between the images of a picture


def run(config, weights: Weights | None, called: dict[str, Any]) -> None:
    """See :func:`jaxsr.evaluation.tasks.run`."""
    folders = folders_in(config.data)
    for folder in folders:
        restorers.check_folder(folder)
    for option, suffix in (("out", ".json"), ("plot", ".png")):
        check_output(config[option], option, suffix)
    if config.plot:
        plot.check_available()
    limit = limit_of(config.limit)
    region_quality.check_degradations(config.degradations)
    finder, process = stages(config, weights)
    found, restored = {}, {}
    for folder, name in report.names_of(folders).items():
        pictures = Path(config.pictures, name) if config.pictures else None
        if masked.has_masks(folder) and (finder or not process):
            found[folder] = find(config, folder, name, finder, limit, pictures)
        if process:
            restored[folder] = gain(config, folder, name, finder, process, limit, pictures)
    if not found and not restored:
        raise UserError(
            f"{config.data}: no masks/ beside images/ to measure a segmenter by; "
            "give such a folder, or --config.restorer"
        )
    if config.out:
        report.save_json(config.out, region_report.as_json(found, restored, called))


def stages(
    config, weights: Weights | None
) -> tuple[saliency.Segment | None, region_quality.Process | None]:
    """The segmenter and the restorer, each by name or file, or of a training run, or None.

    Raises:
      UserError: a run trained neither, or there are no such weights.
    """
    segmenter = zoo.read_segmenter(config.model) if config.model else None
    restorer = zoo.read_restorer(config.restorer) if config.restorer else None
    if weights is not None:
        kind = kind_of(weights.network)
        if kind not in (SEGMENTER, RESTORER):
            raise UserError(
                f"the run trained {weights.network!r}, which is no segmenter and no restorer"
            )
        if kind is SEGMENTER:
            segmenter = weights
        elif restorer is not None:
            raise UserError(
                "say which restorer to evaluate, by either --config.restorer or --workdir"
            )
        else:
            restorer = weights
    return (
        segmenters.finder(segmenter) if segmenter else None,
        restorers.Restoration(restorer, config.upscaler) if restorer else None,
    )


def find(config, folder: str, name: str, finder, limit, pictures) -> list[saliency.Result]:
    """Measures the segmenter on a folder, beside the baselines, and shows it."""
    methods = ({"segmenter": finder} if finder else {}) | saliency.BASELINES
    results = saliency.evaluate(
        methods,
        masked.read(folder),
        limit=limit,
        picture=mask_writer(pictures, next(iter(methods))) if pictures else None,
    )
    print(region_report.saliency_table(name, results, config.each_image), end="\n\n", flush=True)
    if config.plot:
        path = path_for(config.plot, name, len(folders_in(config.data)))
        write_bytes(path, plot.precision_recall(name, results))
    return results


def gain(
    config, folder: str, name: str, finder, process, limit, pictures
) -> list[region_quality.Result]:
    """Measures the restorer on a folder and shows it."""
    results = region_quality.evaluate(
        process,
        restorers.regions(folder, finder),
        config.degradations,
        seed=config.seed,
        limit=limit,
        picture=result_writer(pictures) if pictures else None,
    )
    print(region_report.quality_table(name, results, config.each_image), end="\n\n", flush=True)
    return results


def mask_writer(folder: Path, method: str) -> Callable:
    """A function that keeps image, truth and ``method``'s mask, side by side, as ``folder/NAME.png``."""

    def write(name, image, truth, masks):
        gray = (from_float(mask.astype(np.float32)) for mask in (truth, masks[method]))
        save(folder / f"{name}.png", [image, *(np.stack([x] * 3, -1) for x in gray)])

    return write


def result_writer(folder: Path) -> Callable:
    """A function that keeps global, restored and original, as ``folder/NAME_DEGRADATION.png``."""

    def write(name, degradation, *images):
        save(folder / f"{name}_{degradation}.png", images)

    return write


def save(path: Path, images) -> None:
    """Images of one height, side by side."""
    make_folder(path.parent)
    gap = np.full((images[0].shape[0], GAP, 3), 255, np.uint8)
    parts = [part for image in images for part in (image, gap)][:-1]
    files.write(path, files.Picture(np.concatenate(parts, axis=1)))
