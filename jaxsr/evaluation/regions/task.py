"""Regions: how well they are found, and what restoring them gains; ``configs/eval/regions.py`` has the options."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsr import zoo
from jaxsr.atomic import write_bytes
from jaxsr.errors import UserError
from jaxsr.evaluation import originals, plot, report
from jaxsr.evaluation.options import check_output, folders_in, limit_of, make_folder, path_for
from jaxsr.evaluation.regions import masked, saliency
from jaxsr.evaluation.regions import quality as region_quality
from jaxsr.evaluation.regions import report as region_report
from jaxsr.image import files
from jaxsr.image.values import from_float, to_float
from jaxsr.networks.window_restorer import features_at
from jaxsr.pipeline.stages import conditions
from jaxsr.regions import restore, segment
from jaxsr.regions.masks import REGION
from jaxsr.zoo.kinds import RESTORER, SEGMENTER, kind_of
from jaxsr.zoo.weights import Weights

GAP = 4  # white pixels between the images of a picture


def run(config, weights: Weights | None, called: dict[str, Any]) -> None:
    """See :func:`jaxsr.evaluation.tasks.run`."""
    folders = folders_in(config.data)
    for folder in folders:
        (masked.check_folder if masked.has_masks(folder) else originals.check_folder)(folder)
    for option, suffix in (("out", ".json"), ("plot", ".png")):
        check_output(config[option], option, suffix)
    if config.plot:
        plot.check_available()
    limit = limit_of(config.limit)
    region_quality.check_degradations(config.degradations)
    # figures are of float32; GPUs would take TF32, TPUs bf16
    jax.config.update("jax_default_matmul_precision", "highest")
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
        segmenting(segmenter) if segmenter else None,
        restoring(restorer, config.upscaler) if restorer else None,
    )


def segmenting(weights: Weights) -> saliency.Segment:
    """Images → masks, by a segmenter's weights; compiled once for all sizes of images."""
    network = zoo.build(weights)
    probabilities = jax.jit(functools.partial(segment.probabilities, network))

    def find_region(image):
        squares = segment.squares([to_float(image)], network.side)
        (p,) = np.asarray(probabilities(weights.params, squares))
        return np.clip(segment.salient(segment.fitted(p, *image.shape[:2])), 0, 1)

    return find_region


def restoring(weights: Weights, upscaler: str) -> region_quality.Process:
    """Degraded images → global and restored ones, by a restorer's weights: of whole images, untiled."""
    network = zoo.build(weights)

    @functools.cache
    def chain(scale: int):
        enlarger = zoo.read_upscaler(upscaler, scale) if scale > 1 else None
        enlarge = zoo.build(enlarger) if enlarger else None
        knows = enlarger is not None and conditions(weights, enlarger)

        @jax.jit
        def run(params, enlarger_params, low, mask):
            x, features = low, None
            if enlarge:
                x, f = enlarge.apply({"params": enlarger_params}, low, method="with_features")
                x = jnp.clip(x, 0, 1)
                grid = restore.grid(network, *mask.shape[1:])
                features = features_at(f, scale, *grid) if knows else None
            return x, restore.restore_whole(network, params, x, mask, features)

        return functools.partial(run, weights.params, enlarger.params if enlarger else None)

    def process(low, mask, scale):
        both = chain(scale)(to_float(low)[None], mask[None].astype(np.float32))
        return tuple(from_float(y[0]) for y in both)

    return process


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
        regions(folder, finder),
        config.degradations,
        seed=config.seed,
        limit=limit,
        picture=result_writer(pictures) if pictures else None,
    )
    print(region_report.quality_table(name, results, config.each_image), end="\n\n", flush=True)
    return results


def regions(
    folder: str, finder: saliency.Segment | None
) -> Iterator[tuple[str, region_quality.Image, region_quality.Mask]]:
    """Every image with its region: its mask's; else the segmenter's, if it finds one; else a box."""
    if masked.has_masks(folder):
        yield from masked.read(folder)
        return
    for name, image in masked.colour(folder):
        mask = finder(image) > REGION if finder else np.zeros(image.shape[:2], bool)
        yield name, image, mask if mask.any() else region_quality.centred_box(image)


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
