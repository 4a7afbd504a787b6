"""Upscalers: PSNR and SSIM of Y beside bicubic's; ``configs/eval/sr.py`` has the options."""

from pathlib import Path
from typing import Any

import jax

from jaxsr import networks, pipeline, zoo
from jaxsr.errors import UserError
from jaxsr.evaluation import report
from jaxsr.evaluation.options import check_output, folders_of, limit_of, make_folder
from jaxsr.evaluation.upscalers import protocol as super_resolution
from jaxsr.image import files
from jaxsr.zoo.weights import Weights


def run(config, weights: Weights | None, called: dict[str, Any]) -> None:
    """See :func:`jaxsr.evaluation.tasks.run`."""
    folders = folders_of(config.data)
    check_output(config.out, "out", ".json")
    limit = limit_of(config.limit)
    upscale = upscaler(config.model, weights, config.scale)
    results = {}
    for folder, name in report.names_of(folders).items():
        results[folder] = super_resolution.evaluate(
            upscale,
            folder,
            config.scale,
            self_ensemble=config.self_ensemble,
            limit=limit,
            picture=writer(Path(config.pictures, name), config.scale) if config.pictures else None,
        )
        print(report.table(name, results[folder]), end="\n\n", flush=True)
    if config.out:
        report.save_json(config.out, report.as_json(results, called))


def upscaler(model: str, weights: Weights | None, scale: int) -> super_resolution.Upscale:
    """That of ``model`` (a name, a weights file, "bicubic"), or of ``weights``."""
    if not model and weights is None:
        raise UserError("say what to evaluate, by either --config.model or --workdir")
    if model == "bicubic":
        return super_resolution.bicubic(scale)
    # published figures are of float32; GPUs would take TF32, TPUs bf16
    jax.config.update("jax_default_matmul_precision", "highest")
    if weights is None:
        return pipeline.load_upscaler(model, scale).tiled
    weights = zoo.folded(weights)
    if "scale" not in weights.options:
        raise UserError(f"the run trained {weights.network!r}, which is no upscaler")
    if weights.options["scale"] != scale:
        raise UserError(f"the run was trained for ×{weights.options['scale']}, not ×{scale}")
    network = networks.create(weights.network, **weights.options)
    return pipeline.Upscale(network, weights.params).tiled


def writer(folder: Path, scale: int):
    """A function that keeps the outputs as ``folder/NAME_xSCALE.png``."""

    def write(name, pixels):
        path = folder / f"{name}_x{scale}.png"
        make_folder(path.parent)
        files.write(path, files.Picture(pixels))

    return write
