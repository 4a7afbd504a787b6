"""Rate–distortion curves that others published, from a CSV file."""

import csv
import dataclasses
import math
import os
from collections.abc import Sequence

from jaxsr.errors import UserError

COLUMNS = ("file", "codec", "q", "bpp", "psnr_rgb_db", "ms_ssim_rgb", "enc_s", "dec_s")
"""The columns that a table of curves may have; :data:`NEEDED` are those that it must."""
NEEDED = ("codec", "bpp", "psnr_rgb_db")

BPP_TOLERANCE, PSNR_TOLERANCE = 0.002, 0.1  # relative; dB: the same codec, measured twice


@dataclasses.dataclass(frozen=True)
class PublishedCurve:
    """Mean rates (bits per pixel) and mean PSNRs (dB) of a codec, in order of rate."""

    name: str
    bpp: tuple[float, ...]
    psnr: tuple[float, ...]


def read(path: str | os.PathLike, names: Sequence[str] = ()) -> list[PublishedCurve]:
    """Read the curves of a CSV file: a point a line, a header of :data:`COLUMNS` in any order.

    Lines of one ``codec`` and ``file`` are a curve. Left out are lines without PSNR and curves
    whose ``file`` says that they are tuned for MS-SSIM: their PSNR says nothing. Of several curves
    of one name the first counts. Without ``names`` a curve is left out too that equals an earlier
    one but for its name: the same codec, measured again.

    Args:
      names: the codecs to take, in this order; none: all.

    Raises:
      UserError: the file cannot be read or is no such table, or it has no curve of such a name.
    """
    curves = {}
    for (name, file), points in _points(path).items():
        if len(points) > 1 and "ms-ssim" not in file and name not in curves:
            curves[name] = PublishedCurve(name, *zip(*sorted(points), strict=True))
    if not curves:
        raise UserError(f"{path}: no curve in it of two points or more with rate and PSNR")
    for name in names:
        if name not in curves:
            raise UserError(f"{path}: no curve {name!r}; there are: {', '.join(curves)}")
    return [curves[name] for name in names] or _different(curves.values())


def _points(path: str | os.PathLike) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """Return (bpp, PSNR) of every line that has a PSNR, by codec and file."""
    points: dict[tuple[str, str], list[tuple[float, float]]] = {}
    try:
        with open(path, newline="", encoding="utf-8") as file:
            table = csv.DictReader(file)
            missing = [column for column in NEEDED if column not in (table.fieldnames or ())]
            if missing:
                raise UserError(
                    f"{path}: no column {', '.join(missing)} in the first line; a table of curves"
                    f" has the columns {','.join(COLUMNS)}"
                )
            for row in table:
                if row["psnr_rgb_db"]:
                    key = row["codec"], row.get("file") or ""
                    points.setdefault(key, []).append(_point(row, f"{path}:{table.line_num}"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a CSV table ({error})") from None
    return points


def _point(row: dict[str, str], where: str) -> tuple[float, float]:
    try:
        bpp, psnr = float(row["bpp"]), float(row["psnr_rgb_db"])
    except (TypeError, ValueError):
        raise UserError(
            f"{where}: bpp and psnr_rgb_db must be numbers, got {row['bpp']!r} and"
            f" {row['psnr_rgb_db']!r}"
        ) from None
    if not (0 < bpp < math.inf and math.isfinite(psnr)):
        raise UserError(f"{where}: a point of {bpp} bits per pixel and {psnr} dB cannot be")
    return bpp, psnr


def _different(curves) -> list[PublishedCurve]:
    kept: list[PublishedCurve] = []
    for curve in curves:
        if not any(_alike(curve, other) for other in kept):
            kept.append(curve)
    return kept


def _alike(a: PublishedCurve, b: PublishedCurve) -> bool:
    return len(a.bpp) == len(b.bpp) and all(
        math.isclose(bpp_a, bpp_b, rel_tol=BPP_TOLERANCE) and abs(psnr_a - psnr_b) < PSNR_TOLERANCE
        for bpp_a, bpp_b, psnr_a, psnr_b in zip(a.bpp, b.bpp, a.psnr, b.psnr, strict=True)
    )
