"""Codecs: rate and distortion, ours beside the classical and the published ones.

``configs/eval/codec.py`` has the options.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxsr import codec
from jaxsr.atomic import write_bytes
from jaxsr.codec.export import export
from jaxsr.errors import UserError
from jaxsr.evaluation import plot, report
from jaxsr.evaluation.codecs import classical, published
from jaxsr.evaluation.codecs import protocol as rate_distortion
from jaxsr.evaluation.codecs import report as rate_report
from jaxsr.evaluation.codecs.learned import learned
from jaxsr.evaluation.codecs.protocol import Codec, Curve
from jaxsr.evaluation.options import check_output, folders_of, limit_of, make_folder, path_for
from jaxsr.image import files
from jaxsr.zoo.weights import Weights


def run(config, weights: Weights | None, called: dict[str, Any]) -> None:
    """See :func:`jaxsr.evaluation.tasks.run`."""
    names = report.names_of(folders_of(config.data))
    check_output(config.out, "out", ".json")
    check_output(config.plot, "plot", ".png")
    if config.plot:
        plot.check_available()
    limit = limit_of(config.limit)
    others = published_curves(config)
    codecs = codecs_of(config, weights)
    check_anchor(config.anchor, [each.name for each in (*(codec for codec, _ in codecs), *others)])
    results = {}
    for folder, name in names.items():
        results[folder] = rate_distortion.evaluate(
            codecs,
            folder,
            limit=limit,
            picture=writer(Path(config.pictures, name)) if config.pictures else None,
        )
        show(config, name, results[folder], others)
        if config.plot:
            path = path_for(config.plot, name, len(names))
            write_bytes(path, plot.rate_distortion(name, results[folder], others))
    if config.out:
        report.save_json(config.out, rate_report.as_json(results, others, config.anchor, called))


def codecs_of(config, weights: Weights | None) -> list[tuple[Codec, Sequence[int]]]:
    """What is measured, at which qualities: ours first, where one is given; then the classical."""
    codecs = []
    if weights is not None or config.model:
        model = export(weights) if weights is not None else codec.load(config.model)
        codecs += [(learned(named(mode), model, mode), config.qualities) for mode in config.modes]
    for key in classical.CODECS:
        if qualities := config.classical[key]:
            codecs.append((classical.create(key), qualities))
    if not codecs:
        raise UserError(
            "nothing to measure; give --config.model, --workdir or qualities of a classical codec"
        )
    for each, qualities in codecs:
        rate_distortion.check_qualities(each, qualities)
    return codecs


def named(mode: str) -> str:
    """What our curve of a mode is called."""
    if mode not in codec.MODES:
        raise UserError(f"config.modes are of {', '.join(codec.MODES)}, got {mode!r}")
    return "jaxsr" if mode == "full" else f"jaxsr {mode}"


def published_curves(config) -> list[published.PublishedCurve]:
    """Those of the CSV file, where one is given."""
    names = [name.strip() for name in config.curve_names.split(",") if name.strip()]
    if not config.curves and names:
        raise UserError("config.curve_names selects from a table: give it, --config.curves=FILE")
    return published.read(config.curves, names) if config.curves else []


def check_anchor(name: str, names: Sequence[str]) -> None:
    if name and name not in names:
        raise UserError(
            f"config.anchor is {name!r}, which is no curve of this evaluation; there are:"
            f" {', '.join(dict.fromkeys(names))}"
        )


def show(config, name: str, curves: list[Curve], others: list) -> None:
    """Prints the tables of a folder."""
    print(rate_report.table(name, curves, config.each_image), end="\n\n")
    if anchor := rate_report.find(config.anchor, curves, others):
        print(rate_report.delta_table(anchor, curves, others), end="\n\n")
    if others:
        print(rate_report.published_table(curves, others), end="\n\n", flush=True)


def writer(folder: Path):
    """A function that keeps reconstructions as ``folder/NAME_CODEC_QUALITY.png``."""

    def write(name, codec_name, quality, pixels):
        path = folder / f"{name}_{codec_name.replace(' ', '-').lower()}_{quality}.png"
        make_folder(path.parent)
        files.write(path, files.Picture(pixels))

    return write
