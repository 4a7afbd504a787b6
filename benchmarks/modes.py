"""Whole or at half its size: which picture is better for its bytes, and how few bytes can it be.

    python benchmarks/modes.py --images=KODAK

Each image is coded within every rate at its own size and at half of it, which the released
upscaler makes whole again; `auto` takes the one of higher PSNR. Comparisons are over the images
that can be coded both ways.
"""

import argparse
from pathlib import Path

import numpy as np

from jaxsr import codec
from jaxsr.codec import half, prepared
from jaxsr.evaluation import originals
from jaxsr.evaluation.codecs.protocol import compare
from jaxsr.image import files

RATES = "0.04,0.06,0.08,0.1,0.12,0.16,0.2,0.3"
HEADER = """\
       images coded     half, of all     full, of both     half − full   half is auto − full
  bpp  full half     PSNR  MS-SSIM     PSNR  MS-SSIM     PSNR  MS-SSIM  better      PSNR"""


def main():
    flags = parsed()
    rates = [float(rate) for rate in flags.bpp.split(",")]
    model, upscaler = codec.load(flags.model), half.load_enlarger(flags.upscaler)
    found = {rate: [] for rate in rates}
    for _, pixels in list(originals.read(flags.images))[: flags.limit]:
        for rate, row in measured(model, upscaler, pixels, rates):
            found[rate].append(row)
    print(HEADER)
    for rate, rows in found.items():
        print(line(rate, np.array(rows)))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, required=True, help="folder of images")
    parser.add_argument("--bpp", default=RATES, help="rates, separated by commas")
    parser.add_argument("--model", default=codec.DEFAULT)
    parser.add_argument("--upscaler", default=half.DEFAULT)
    parser.add_argument("--limit", type=int, help="only the first so many images")
    return parser.parse_args()


def measured(model, upscaler, pixels, rates):
    """Return (rate, PSNR and MS-SSIM of full and of half) of each rate; nan where it cannot be."""
    source = prepared.Original(files.Picture(pixels), None, 0.0, False)
    ways = [prepared.Prepared(model, source, enlarger) for enlarger in (None, upscaler)]
    for rate in rates:
        limit = int(rate * pixels.shape[0] * pixels.shape[1] / 8)
        row = [quality(way.within(limit), model, pixels) for way in ways]
        yield rate, np.concatenate(row)


def quality(data: bytes | None, model, pixels) -> tuple[float, float]:
    if data is None:
        return np.nan, np.nan
    return compare("jaxsr", codec.decode_picture(data, model=model).pixels, pixels)


def line(rate: float, rows: np.ndarray) -> str:
    full, small = (~np.isnan(rows[:, i]) for i in (0, 2))
    text = f"{rate:5.2f}{full.sum():6d}{small.sum():5d}"
    text += "{:9.3f}{:9.4f}".format(*rows[small, 2:].mean(0)) if small.any() else 18 * " "
    if not (both := rows[full & small]).size:
        return text
    gain = both[:, 2:] - both[:, :2]
    text += "{:9.3f}{:9.4f}".format(*both[:, :2].mean(0)) + "{:+9.3f}{:+9.4f}".format(*gain.mean(0))
    return text + f"{(gain[:, 0] > 0).sum():8d}{np.maximum(gain[:, 0], 0).mean():+10.3f}"


if __name__ == "__main__":
    main()
