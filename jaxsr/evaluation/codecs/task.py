"""Codecs: rate and distortion, ours beside the classical and the published ones.

``configs/eval/codec.py`` has the options.
"""

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxsr import codec
from jaxsr.atomic import make_folder, write_bytes
from jaxsr.codec.export import export
from jaxsr.codec.model import Model
from jaxsr.codec.tiles import Analysed
from jaxsr.errors import UserError
from jaxsr.evaluation import originals, plot
from jaxsr.evaluation.codecs import classical, protocol, published, report
from jaxsr.evaluation.codecs.learned import learned
from jaxsr.evaluation.codecs.protocol import Codec, MeasuredCurve, Pixels
from jaxsr.evaluation.evaluator import Evaluator, Figures, Show, make_evaluator
from jaxsr.evaluation.gallery import Gallery, all_of
from jaxsr.evaluation.options import check_output, folders_of, limit_of, path_for
from jaxsr.evaluation.report import names_of, save_json
from jaxsr.image import files
from jaxsr.image.page import figures
from jaxsr.zoo.weights import Weights


def run(config, weights: Weights | None, called: dict[str, Any]) -> None:
    """Evaluate codecs; see :func:`jaxsr.evaluation.tasks.run`."""
    names = names_of(folders_of(config.data))
    check_output(config.out, "out", ".json")
    check_output(config.plot, "plot", ".png")
    if config.plot:
        plot.check_available()
    gallery = Gallery(config.report, "coded")
    limit = limit_of(config.limit)
    others = published_curves(config)
    codecs = codecs_of(config, weights)
    check_anchor(config.anchor, [each.name for each in (*(codec for codec, _ in codecs), *others)])
    results = {}
    for folder, name in names.items():
        results[folder] = protocol.evaluate(
            codecs,
            folder,
            limit=limit,
            picture=all_of(
                writer(Path(config.pictures, name)) if config.pictures else None,
                by_image(gallery, folder, name) if config.report else None,
            ),
        )
        show(config, name, results[folder], others)
        if config.plot:
            path = path_for(config.plot, name, len(names))
            write_bytes(path, plot.rate_distortion(name, results[folder], others))
    gallery.write()
    if config.out:
        save_json(config.out, report.as_json(results, others, config.anchor, called))


def evaluator(folder: str | os.PathLike, qualities: Sequence[int], pictures: int = 2) -> Evaluator:
    """Return what measures codecs while they train, by complete files of a folder of originals.

    At each quality Q: ``bpp_qQ``, ``psnr_qQ`` in dB, and ``bytes_above_estimate_qQ``: by what share
    files are larger than estimated by the densities that training counts bits with.

    Raises:
      UserError: there are no images in the folder, or a quality is not of 1 to 100.
    """
    originals.check_folder(folder)
    levels = {quality: codec.level_of(quality) for quality in qualities}

    def measure(model: Model, show: Show) -> Figures:
        excess = {quality: [] for quality in qualities}
        ours = learned("jaxsr", model)

        def encode(pixels: Pixels, quality: int) -> bytes:
            data = ours.encode(pixels, quality)
            colours = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
            bits = Analysed(model, colours, None).estimate(levels[quality])
            excess[quality].append(8 * len(data) / bits - 1)
            return data

        def picture(name: str, _: str, quality: int, output: Pixels) -> None:
            show(f"{name} at quality {quality}", np.broadcast_to(output, (*output.shape[:2], 3)))

        counted = dataclasses.replace(ours, encode=encode, compiles=False)  # nothing is timed
        (curve,) = protocol.evaluate([(counted, qualities)], folder, picture=picture)
        figures = {}
        for point in curve.points:
            figures[f"bpp_q{point.quality}"] = point.mean.bpp
            figures[f"psnr_q{point.quality}"] = point.mean.psnr
            figures[f"bytes_above_estimate_q{point.quality}"] = float(
                np.mean(excess[point.quality])
            )
        return figures

    return make_evaluator(built, measure, pictures)


def built(weights: Weights, before: Model | None = None) -> Model:
    """Return the codec of a run's weights, with the programs of ``before``."""
    model = export(weights)
    return dataclasses.replace(model, programs=before.programs) if before else model


def codecs_of(config, weights: Weights | None) -> list[tuple[Codec, Sequence[int]]]:
    """Return the codecs, each with its qualities: ours, where one is given; the classical ones."""
    codecs = []
    if weights is not None or config.model:
        model = built(weights) if weights is not None else codec.load(config.model)
        codecs += [(learned(named(mode), model, mode), config.qualities) for mode in config.modes]
    for key in classical.CODECS:
        if qualities := config.classical[key]:
            codecs.append((classical.create(key), qualities))
    if not codecs:
        raise UserError(
            "nothing to measure; give --config.model, --workdir or qualities of a classical codec"
        )
    for each, qualities in codecs:
        protocol.check_qualities(each, qualities)
    return codecs


def named(mode: str) -> str:
    """Return the name of our curve of a mode; raise UserError where there is no such mode."""
    if mode not in codec.MODES:
        raise UserError(f"config.modes are of {', '.join(codec.MODES)}, got {mode!r}")
    return "jaxsr" if mode == "full" else f"jaxsr {mode}"


def published_curves(config) -> list[published.PublishedCurve]:
    """Return the curves of the CSV file, where one is given."""
    names = [name.strip() for name in config.curve_names.split(",") if name.strip()]
    if not config.curves and names:
        raise UserError("config.curve_names selects from a table: give it, --config.curves=FILE")
    return published.read(config.curves, names) if config.curves else []


def check_anchor(name: str, names: Sequence[str]) -> None:
    """Raise UserError where the anchor is none of the curves."""
    if name and name not in names:
        raise UserError(
            f"config.anchor is {name!r}, which is no curve of this evaluation; there are:"
            f" {', '.join(dict.fromkeys(names))}"
        )


def show(
    config, name: str, curves: list[MeasuredCurve], others: list[published.PublishedCurve]
) -> None:
    """Print a folder's tables."""
    print(report.table(name, curves, config.each_image), end="\n\n")
    if anchor := report.find(config.anchor, curves, others):
        print(report.delta_table(anchor, curves, others), end="\n\n")
    if others:
        print(report.published_table(curves, others), end="\n\n", flush=True)


def writer(folder: Path) -> Callable[[str, str, int, Pixels], None]:
    """Return a function that keeps reconstructions as ``folder/NAME_CODEC_QUALITY.png``."""

    def write(name: str, codec_name: str, quality: int, pixels: Pixels) -> None:
        path = folder / f"{name}_{codec_name.replace(' ', '-').lower()}_{quality}.png"
        make_folder(path.parent)
        files.write(path, files.Picture(pixels))

    return write


def by_image(gallery: Gallery, folder: str | os.PathLike, name: str):
    """Return what shows an image's reconstructions in the gallery, the original first."""
    paths = originals.named(folder)
    begun = set()

    def show(image: str, codec_name: str, quality: int, pixels: Pixels) -> None:
        original = files.Picture(originals.pixels_of(paths[image]))
        scene = f"{name}/{image}"
        if scene not in begun:
            begun.add(scene)
            gallery.add(scene, "original", original.pixels)
        close = figures(files.Picture(pixels), original)
        gallery.add(scene, f"{codec_name} {quality}", pixels, close)

    return show
