"""What a region gains at equal bytes and what the rest pays: PSNR inside, outside and overall.

    python benchmarks/region_bytes.py --images=KODAK

Each photograph is coded to every rate without a region, and with it to no more bytes than that
took. The regions are the segmenter's, or of images of masks named as the photographs are
(`--masks=FOLDER`).
"""

import argparse
from pathlib import Path

import numpy as np

from jaxsr import codec, pipeline, zoo
from jaxsr.evaluation.regions.quality import masked_psnr
from jaxsr.image import files
from jaxsr.image.values import to_float
from jaxsr.regions import masks

# Kodak's photographs with a clear subject, chosen by looking at them before anything was measured:
# caps, a portrait, a boat, sails, sails, a couple, a raft, a girl, a statue, a woman, a plane,
# parrots. Left out are façades, landscapes, and those that show many things at once.
CLEAR = (3, 4, 6, 9, 10, 12, 14, 15, 17, 18, 20, 23)
GOAL = 1.5  # dB


def main():
    flags = parsed()
    mask_of = read_masks(flags.masks) if flags.masks else segmented(flags.segmenter)
    photos = {}
    for name in flags.names.split(","):
        pixels = files.read(flags.images / f"{name}.png").pixels
        photos[name] = pixels, mask_of(name, pixels)
    share = np.mean([(mask > masks.REGION).mean() for _, mask in photos.values()])
    print(f"{len(photos)} photographs, {100 * share:.0f} % of each on average the region")
    print(
        "PSNR with the region less PSNR without, at equal bytes; means over the photographs, in dB"
    )
    print("    bpp   gain  inside  outside   whole   gain of the region: least, most, below 1.5 dB")
    model = codec.load(flags.model)
    for bpp in flags.bpp:
        for gain in flags.gains:
            rows = {
                name: compare(model, pixels, mask, bpp, gain)
                for name, (pixels, mask) in photos.items()
            }
            print(line(bpp, gain, np.array(list(rows.values()))), flush=True)
            for name, row in rows.items() if flags.each else ():
                share = (photos[name][1] > masks.REGION).mean()
                print(f"{name:>14}{row[0]:+8.2f}{row[1]:+9.2f}{row[2]:+8.2f}{100 * share:6.0f} %")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, required=True, help="folder of NAME.png")
    parser.add_argument("--names", default=",".join(map(str, CLEAR)))
    parser.add_argument("--masks", type=Path, help="folder of NAME.png, white where the region is")
    parser.add_argument("--segmenter", default=zoo.DEFAULT_SEGMENTER)
    parser.add_argument("--model", default=codec.DEFAULT)
    parser.add_argument("--bpp", type=floats, default=[0.25, 0.5, 1.0], help="rates, by commas")
    parser.add_argument("--gains", type=floats, default=[codec.ROI_GAIN], help="dB, by commas")
    parser.add_argument("--each", action="store_true", help="a line for every photograph, too")
    return parser.parse_args()


def floats(text: str) -> list[float]:
    return [float(number) for number in text.split(",")]


def read_masks(folder: Path):
    """Return (name, pixels) → mask, from images."""
    return lambda name, _: to_float(files.read(folder / f"{name}.png").pixels).mean(-1)


def segmented(name: str):
    """Return (name, pixels) → mask, by a segmenter."""
    segment = pipeline.load_segmenter(name)
    return lambda _, pixels: segment(pixels).mask > masks.REGION


def compare(model, pixels, mask, bpp: float, gain: float) -> list[float]:
    """Return what a region changes inside, outside and over the whole, in dB."""
    plain = codec.encode(pixels, bpp=bpp, model=model)
    finer = codec.encode(pixels, max_bytes=len(plain), roi=mask, roi_gain=gain, model=model)
    inside = mask > masks.REGION
    places = inside, ~inside, np.ones_like(inside)
    before, after = (psnrs(codec.decode(x, model=model), pixels, places) for x in (plain, finer))
    return [a - b for a, b in zip(after, before, strict=True)]


def psnrs(decoded, pixels, places) -> list[float]:
    errors = ((decoded.astype(np.float32) - pixels) ** 2).mean(-1)
    return [masked_psnr(errors, place) for place in places]


def line(bpp: float, gain: float, rows: np.ndarray) -> str:
    inside, outside, whole = rows.mean(0)
    lowest, highest, below = rows[:, 0].min(), rows[:, 0].max(), (rows[:, 0] < GOAL).sum()
    return (
        f"{bpp:7.2f}{gain:7.1f}{inside:+8.2f}{outside:+9.2f}{whole:+8.2f}"
        f"{lowest:+30.2f}{highest:+7.2f}{below:6d}"
    )


if __name__ == "__main__":
    main()
