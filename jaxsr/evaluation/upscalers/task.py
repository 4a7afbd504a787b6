"""Upscalers: PSNR and SSIM of Y beside bicubic's; ``configs/eval/sr.py`` has the options."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxsr import pipeline, zoo
from jaxsr.atomic import make_folder
from jaxsr.errors import UserError
from jaxsr.evaluation import originals
from jaxsr.evaluation.degradation import check_names
from jaxsr.evaluation.evaluator import Evaluator, Figures, Picture, Show, make_evaluator
from jaxsr.evaluation.gallery import Gallery, Pixels, all_of
from jaxsr.evaluation.options import check_output, folders_of, limit_of
from jaxsr.evaluation.report import names_of, save_json
from jaxsr.evaluation.upscalers import protocol, report
from jaxsr.image import files
from jaxsr.image.resize import imresize_uint8
from jaxsr.zoo.kinds import UPSCALER, kind_of
from jaxsr.zoo.weights import Weights


def run(config, weights: Weights | None, called: dict[str, Any]) -> None:
    """Evaluate an upscaler; see :func:`jaxsr.evaluation.tasks.run`."""
    folders = folders_of(config.data)
    sorts = config.inputs.split(",")
    check_names(sorts, protocol.INPUTS)
    check_output(config.out, "out", ".json")
    limit = limit_of(config.limit)
    gallery = Gallery(config.report, "upscaled")
    upscale = upscaler(config.model, weights, config.scale)
    results: dict[str, list[protocol.UpscalerScores]] = {folder: [] for folder in folders}
    for folder, name in names_of(folders).items():
        for inputs in sorts:
            shown = name if inputs == protocol.CLEAN else f"{name}-{inputs}"
            save = writer(Path(config.pictures, shown), config.scale) if config.pictures else None
            show = (
                beside_bicubic(gallery, folder, shown, config.scale, inputs)
                if config.report
                else None
            )
            result = protocol.evaluate(
                upscale,
                folder,
                config.scale,
                self_ensemble=config.self_ensemble,
                limit=limit,
                inputs=inputs,
                picture=all_of(save, show),
            )
            results[folder].append(result)
            print(report.table(name, result), end="\n\n", flush=True)
    gallery.write()
    if config.out:
        save_json(config.out, report.as_json(results, called))


def evaluator(folder: str | os.PathLike, scale: int, pictures: int = 2) -> Evaluator:
    """Return what measures upscalers while they train: ``psnr_y`` in dB and ``ssim_y``.

    Args:
      folder: of originals.

    Raises:
      UserError: there are no images in the folder, or one is damaged or too small.
    """
    protocol.check_originals(folder, scale)

    def measure(upscale: pipeline.Upscale, show: Show) -> Figures:
        mean = protocol.evaluate(upscale.tiled, folder, scale, picture=show).mean
        return {"psnr_y": mean.psnr, "ssim_y": mean.ssim}

    return make_evaluator(built, measure, pictures)


def upscaler(model: str, weights: Weights | None, scale: int) -> protocol.Enlarge:
    """Return the upscaler of ``model`` (a name, a weights file, "bicubic"), or of ``weights``."""
    if not model and weights is None:
        raise UserError("say what to evaluate, by either --config.model or --workdir")
    if model == "bicubic":
        return protocol.bicubic(scale)
    if weights is None:
        return pipeline.load_upscaler(model, scale).tiled
    if kind_of(weights.network) is not UPSCALER:
        raise UserError(f"the run trained {weights.network!r}, which is no upscaler")
    if weights.options["scale"] != scale:
        raise UserError(f"the run was trained for ×{weights.options['scale']}, not ×{scale}")
    return built(weights).tiled


def built(weights: Weights, before: pipeline.Upscale | None = None) -> pipeline.Upscale:
    """Return the upscaler of weights in the form it is run in, with the programs of ``before``."""
    weights = zoo.folded(weights)
    if before is not None:
        return before.with_params(weights.params)
    return pipeline.Upscale(zoo.build(weights), weights.params)


def writer(folder: Path, scale: int) -> Callable[[str, Picture], None]:
    """Return a function that keeps outputs as ``folder/NAME_xSCALE.png``."""

    def write(name: str, pixels: Picture) -> None:
        path = folder / f"{name}_x{scale}.png"
        make_folder(path.parent)
        files.write(path, files.Picture(pixels))

    return write


def beside_bicubic(
    gallery: Gallery, folder: str | os.PathLike, name: str, scale: int, inputs: str
) -> Callable[[str, Pixels], None]:
    """Return a function that shows an output in the gallery beside bicubic's and the original."""
    paths = originals.named(folder)

    def show(image: str, output: Pixels) -> None:
        original, low = protocol.degrade(image, originals.pixels_of(paths[image]), scale, inputs)
        scene = f"{name}/{image}"
        for title, shown in (("bicubic", imresize_uint8(low, scale)), ("upscaled", output)):
            figures = protocol.score(shown, original, scale)
            gallery.add(scene, title, shown, f"Y: {figures.psnr:.2f} dB, SSIM {figures.ssim:.4f}")
        gallery.add(scene, "original", original)

    return show
