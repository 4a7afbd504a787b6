"""Codecs' measurements as people read them (tables) and as programs do (JSON)."""

import dataclasses
import importlib.metadata
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jaxsr.evaluation.codecs import bd
from jaxsr.evaluation.codecs.protocol import MeasuredCurve, Measurement, Point
from jaxsr.evaluation.codecs.published import PublishedCurve
from jaxsr.evaluation.report import aligned, envelope, names_of, number

PROTOCOL = (
    "bpp of the complete file; PSNR and MS-SSIM of 8-bit RGB, the mean over images; wall-clock"
    " times, compilation left out; BD figures by pchip of the means, log-rate over PSNR"
)
COLUMNS = ("codec", "quality", "image", "bytes", "bpp", "PSNR", "MS-SSIM", "enc ms", "dec ms")


def table(title: str, curves: Sequence[MeasuredCurve], each_image: bool = False) -> str:
    """Return every codec's mean at every quality as aligned text; each image too, on demand."""
    groups = [
        [row for point in curve.points for row in _rows(curve.name, point, each_image)]
        for curve in curves
    ]
    images = len(curves[0].points[0].images)
    return f"{title}, images: {images}\n{aligned(COLUMNS, groups, texts=(0, 2))}"


def _rows(name: str, point: Point, each_image: bool) -> Iterator[list[str]]:
    for image, measurement in point.images.items() if each_image else ():
        yield [name, str(point.quality), image, *_cells(measurement)]
    yield [name, str(point.quality), "mean", *_cells(point.mean)]


def _cells(m: Measurement) -> list[str]:
    ms_ssim = "–" if math.isnan(m.ms_ssim) else f"{m.ms_ssim:.4f}"
    times = (f"{1000 * seconds:.1f}" for seconds in (m.encode_seconds, m.decode_seconds))
    return [f"{m.bytes:.0f}", f"{m.bpp:.4f}", f"{m.psnr:.3f}", ms_ssim, *times]


def delta_table(
    anchor: bd.Curve, curves: Sequence[bd.Curve], published: Sequence[bd.Curve] = ()
) -> str:
    """Return every curve against one anchor: BD-rate, BD-PSNR, and the PSNRs averaged over."""
    header = (f"against {anchor.name}", "BD-rate", "BD-PSNR", "over PSNR")
    groups = [
        [_delta_row(bd.delta(curve, anchor)) for curve in group if curve is not anchor]
        for group in (curves, published)
    ]
    return aligned(header, groups)


def _delta_row(delta: bd.Delta) -> list[str]:
    if delta.shared is None:
        return [delta.name, "–", "–", "nothing shared"]
    low, high = delta.shared
    return [delta.name, _percent(delta.rate), _decibel(delta.psnr), f"{low:.1f}–{high:.1f} dB"]


def published_table(curves: Sequence[MeasuredCurve], published: Sequence[PublishedCurve]) -> str:
    """Return BD-rates: a column for each measured codec, a line for each published one."""
    header = ("BD-rate against published", *(curve.name for curve in curves))
    rows = [
        [anchor.name, *(_percent(bd.delta(curve, anchor).rate) for curve in curves)]
        for anchor in published
    ]
    return aligned(header, [rows])


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:+.1f} %"


def _decibel(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:+.2f} dB"


def find(name: str, curves: Sequence[bd.Curve], published: Sequence[bd.Curve]) -> bd.Curve | None:
    """Return the curve of this name, the measured one if a published one has it too, or None."""
    return next((curve for curve in (*curves, *published) if curve.name == name), None)


def as_json(
    sets: Mapping[str, Sequence[MeasuredCurve]],
    published: Sequence[PublishedCurve],
    anchor: str,
    config: Mapping[str, Any],
) -> dict[str, Any]:
    """Return everything about an evaluation, as values that JSON has.

    Args:
      sets: curves by the folder they were measured on.
      published: curves to compare with.
      anchor: name of the curve that BD figures are against; empty: none.
      config: how the evaluation was called; it is written as it is.
    """
    names = names_of(sets)
    written = envelope(PROTOCOL, config)
    written["versions"] |= {
        name: importlib.metadata.version(name) for name in ("pillow", "imagecodecs")
    }
    return written | {
        "published": [dataclasses.asdict(curve) for curve in published],
        "sets": [
            {"name": names[folder], "path": folder} | _set_as_json(curves, published, anchor)
            for folder, curves in sets.items()
        ],
    }


def _set_as_json(
    curves: Sequence[MeasuredCurve], published: Sequence[PublishedCurve], anchor: str
) -> dict[str, Any]:
    chosen = find(anchor, curves, published)
    every = [*curves, *published] if chosen else []
    return {
        "codecs": [_curve_as_json(curve) for curve in curves],
        "against_anchor": [_delta_as_json(c, chosen) for c in every if chosen and c is not chosen],
        "against_published": [_delta_as_json(c, other) for other in published for c in curves],
    }


def _curve_as_json(curve: MeasuredCurve) -> dict[str, Any]:
    return {
        "name": curve.name,
        "about": curve.about,
        "points": [
            {
                "quality": point.quality,
                "mean": _measurement_as_json(point.mean),
                "images": {name: _measurement_as_json(one) for name, one in point.images.items()},
            }
            for point in curve.points
        ],
    }


def _measurement_as_json(measurement: Measurement) -> dict[str, Any]:
    return {name: number(value) for name, value in dataclasses.asdict(measurement).items()}


def _delta_as_json(curve: bd.Curve, anchor: bd.Curve) -> dict[str, Any]:
    delta = bd.delta(curve, anchor)
    return {
        "codec": delta.name,
        "published": isinstance(curve, PublishedCurve),
        "anchor": delta.anchor,
        "bd_rate_percent": number(delta.rate),
        "bd_psnr_db": number(delta.psnr),
        "psnr_range_db": delta.shared,
    }
