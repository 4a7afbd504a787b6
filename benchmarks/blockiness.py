"""How far a grid of blocks is seen in decoded photographs: steps across its lines over others.

    python benchmarks/blockiness.py --images=KODAK [--model=NAME-OR-FILE] [--qualities=1,10,20]

Printed are the means over the photographs of :func:`jaxsr.image.metrics.blockiness` at lines of 8
and of 16 pixels: of the originals, and of what the codec makes of them at each quality.
"""

import argparse
from collections.abc import Callable

import numpy as np

from jaxsr import codec
from jaxsr.evaluation import originals
from jaxsr.image.metrics import blockiness

PERIODS = 8, 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", required=True, help="folder of photographs")
    parser.add_argument("--model", default=codec.DEFAULT, help="a codec's name or file")
    parser.add_argument("--qualities", default="1,5,10,15,20,30,40", help="by commas")
    flags = parser.parse_args()
    model = codec.load(flags.model)
    photos = [pixels for _, pixels in originals.read(flags.images)]
    print(f"{len(photos)} photographs; lines of" + "".join(f"{n:>8}" for n in PERIODS))
    show("originals", photos, lambda pixels: pixels)
    for quality in map(int, flags.qualities.split(",")):

        def coded(pixels: np.ndarray, quality: int = quality) -> np.ndarray:
            return codec.decode(codec.encode(pixels, quality=quality, model=model), model=model)

        show(f"quality {quality}", photos, coded)


def show(name: str, photos: list[np.ndarray], change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Print the line of one kind of images."""
    each = [[float(blockiness(x, n)) for n in PERIODS] for x in map(change, photos)]
    print(f"{name:>25}" + "".join(f"{value:8.3f}" for value in np.mean(each, axis=0)), flush=True)


if __name__ == "__main__":
    main()
