"""Regions: how well they are found, and what restoring them gains.

``configs/eval/regions.py`` has the options.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxsr import zoo
from jaxsr.atomic import make_folder, write_bytes
from jaxsr.errors import UserError
from jaxsr.evaluation import plot
from jaxsr.evaluation.degradation import check_names
from jaxsr.evaluation.gallery import Gallery, Pixels, all_of
from jaxsr.evaluation.options import check_output, folders_in, limit_of, path_for
from jaxsr.evaluation.regions import masked, quality, report, restorers, saliency, segmenters
from jaxsr.evaluation.report import names_of, save_json
from jaxsr.image import files
from jaxsr.image.values import from_float
from jaxsr.zoo.kinds import RESTORER, SEGMENTER, kind_of
from jaxsr.zoo.weights import Weights

GAP = 4  # white pixels between the images of a picture


def run(config, weights: Weights | None, called: dict[str, Any]) -> None:
    """Evaluate a segmenter, a restorer or both; see :func:`jaxsr.evaluation.tasks.run`."""
    folders = folders_in(config.data)
    for folder in folders:
        restorers.check_folder(folder)
    for option, suffix in (("out", ".json"), ("plot", ".png")):
        check_output(config[option], option, suffix)
    if config.plot:
        plot.check_available()
    gallery = Gallery(config.report, "regions")
    limit = limit_of(config.limit)
    check_names(config.degradations, quality.DEGRADATIONS)
    finder, process = stages(config, weights)
    with_masks = folders_to_find_in(folders, finder, process)
    found, restored = {}, {}
    for folder, name in names_of(folders).items():
        pictures = Path(config.pictures, name) if config.pictures else None
        if folder in with_masks:
            found[folder] = find(config, folder, name, finder, limit, pictures, gallery)
        if process:
            restored[folder] = gain(config, folder, name, finder, process, limit, pictures, gallery)
    gallery.write()
    if config.out:
        save_json(config.out, report.as_json(found, restored, called))


def folders_to_find_in(
    folders: Sequence[str],
    finder: saliency.FindMask | None,
    process: quality.Process | None,
) -> list[str]:
    """Return the folders that a segmenter is measured on: those with masks. Names the others.

    Raises:
      UserError: none has masks, and there is no restorer to measure on the folders either.
    """
    if process and not finder:
        return []
    with_masks = [folder for folder in folders if masked.has_masks(folder)]
    if not with_masks and not process:
        raise UserError(
            f"{','.join(folders)}: no masks/ beside images/ to measure a segmenter by; "
            "give such a folder, or --config.restorer"
        )
    for folder in folders:
        if folder not in with_masks:
            print(f"{folder}: no masks/ beside images/, so no segmenter is measured on it\n")
    return with_masks


def stages(
    config, weights: Weights | None
) -> tuple[saliency.FindMask | None, quality.Process | None]:
    """Return the segmenter and the restorer, each by name or file or of a training run, or None.

    Raises:
      UserError: the run trained neither, one is given twice, or there are no such weights.
    """
    segmenter = zoo.read_segmenter(config.model) if config.model else None
    restorer = zoo.read_restorer(config.restorer) if config.restorer else None
    if weights is not None:
        kind = kind_of(weights.network)
        if kind not in (SEGMENTER, RESTORER):
            raise UserError(
                f"the run trained {weights.network!r}, which is no segmenter and no restorer"
            )
        option, given = ("model", segmenter) if kind is SEGMENTER else ("restorer", restorer)
        if given is not None:
            raise UserError(
                f"say which {kind.name} to evaluate, by either --config.{option} or --workdir"
            )
        segmenter = weights if kind is SEGMENTER else segmenter
        restorer = weights if kind is RESTORER else restorer
    return (
        segmenters.finder(segmenter) if segmenter else None,
        restorers.Restoration(restorer, config.upscaler) if restorer else None,
    )


def find(
    config,
    folder: str,
    name: str,
    finder: saliency.FindMask | None,
    limit: int | None,
    pictures: Path | None,
    gallery: Gallery,
) -> list[saliency.MaskScores]:
    """Measure the segmenter on a folder, beside the baselines, and print the table."""
    methods = ({"segmenter": finder} if finder else {}) | saliency.BASELINES
    results = saliency.evaluate(
        methods,
        masked.read(folder),
        limit=limit,
        picture=all_of(
            mask_writer(pictures, next(iter(methods))) if pictures else None,
            functools.partial(show_masks, gallery, name),
        ),
    )
    print(report.saliency_table(name, results, config.each_image), end="\n\n", flush=True)
    if config.plot:
        path = path_for(config.plot, name, len(folders_in(config.data)))
        write_bytes(path, plot.precision_recall(name, results))
    return results


def gain(
    config,
    folder: str,
    name: str,
    finder: saliency.FindMask | None,
    process: quality.Process,
    limit: int | None,
    pictures: Path | None,
    gallery: Gallery,
) -> list[quality.RestorationGain]:
    """Measure the restorer on a folder and print the table."""
    results = quality.evaluate(
        process,
        restorers.regions(folder, finder),
        config.degradations,
        seed=config.seed,
        limit=limit,
        picture=all_of(
            result_writer(pictures) if pictures else None,
            functools.partial(show_result, gallery, name),
        ),
    )
    print(report.quality_table(name, results, config.each_image), end="\n\n", flush=True)
    return results


def mask_writer(folder: Path, method: str) -> Callable:
    """Return a function that keeps image, truth and ``method``'s mask, as ``folder/NAME.png``."""

    def write(
        name: str,
        image: saliency.Image,
        truth: saliency.Truth,
        masks: dict[str, saliency.Mask],
    ) -> None:
        gray = (from_float(mask.astype(np.float32)) for mask in (truth, masks[method]))
        save(folder / f"{name}.png", [image, *(np.stack([x] * 3, -1) for x in gray)])

    return write


def result_writer(folder: Path) -> Callable:
    """Return a function that keeps three images as ``folder/NAME_DEGRADATION.png``.

    They are the global result, the restored one and the original.
    """

    def write(name: str, degradation: str, *images: quality.Image) -> None:
        save(folder / f"{name}_{degradation}.png", images)

    return write


def show_masks(
    gallery: Gallery,
    folder: str,
    name: str,
    image: Pixels,
    truth: np.ndarray,
    masks: Mapping[str, np.ndarray],
) -> None:
    """Show an image in the gallery with its true mask and those that were found."""
    gallery.add(f"{folder}/{name}", "image", image)
    for method, mask in {"true mask": truth, **masks}.items():
        gray = from_float(mask.astype(np.float32))[..., None]
        gallery.add(f"{folder}/{name}", method, gray)


def show_result(
    gallery: Gallery, folder: str, name: str, degradation: str, *images: Pixels
) -> None:
    """Show in the gallery what was restored, of what, and the original."""
    before, restored, original = images
    scene = f"{folder}/{name}, {degradation}"
    gallery.compare(scene, {"before": before, "restored": restored}, original)


def save(path: Path, images: Sequence[quality.Image]) -> None:
    """Write images of one height side by side."""
    make_folder(path.parent)
    gap = np.full((images[0].shape[0], GAP, 3), 255, np.uint8)
    parts = [part for image in images for part in (image, gap)][:-1]
    files.write(path, files.Picture(np.concatenate(parts, axis=1)))
