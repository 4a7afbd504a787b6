"""What the chain's stages cost, and a region beside the whole frame.

    python benchmarks/regions.py

Upscaling to a size, segmenting at it, restoring all of it and compact regions; all of a size take
turns, so that whatever else the machine does hits them alike. As the command line does it: every
core is a device, images are uint8 arrays on the host, and each run ends with one there.
"""

import argparse
import functools
import math
import os
import statistics
import time

from side import machine, pin

CENTRE = 0.45, 0.55  # of the regions, in heights and widths: on no border of tiles
GOAL = 10, 0.35  # percent of the frame, and what that may cost beside restoring all of it


def main() -> None:
    arguments = parse()
    pin(arguments.threads)
    os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(arguments.threads))
    import jax

    devices = f"{len(jax.devices())} {jax.devices()[0].platform} devices"
    print(f"{machine()}, {arguments.threads} used, {devices}; medians of {arguments.rounds}")
    for text in arguments.sizes.split(","):
        width, height = map(int, text.split("x"))
        print(f"\n{width}×{height}, upscaled from a {arguments.scale}th each way", flush=True)
        runs, tiles = runs_of(arguments, height, width)
        show(take_turns(runs, arguments.rounds), tiles, height * width / 1e6)


def runs_of(arguments: argparse.Namespace, height: int, width: int):
    """Return every run by its name, in the chain's order; and the tiles of those that restore."""
    from jaxsr import pipeline

    upscale = pipeline.load_upscaler(arguments.model, arguments.scale)
    segment = pipeline.load_segmenter(arguments.segmenter)
    low = photo_of(height // arguments.scale, width // arguments.scale)
    high = upscale(low).image
    runs = {
        "upscale": functools.partial(upscale, low),
        "segment": functools.partial(segment, high),
    }
    tiles = {}
    percents = [100.0, *map(float, arguments.regions.split(","))]
    for stage, image in (("restore", high), ("upscale and restore", low)):
        for percent in percents:
            # anew for each: what is compiled already is taken for other regions, too
            restore = pipeline.load_restorer(arguments.restorer, None)
            run = restore if stage == "restore" else pipeline.Chain(upscale, restore)
            name = f"{stage}, {percent:g} %"
            height, width = image.shape[:2]
            runs[name] = functools.partial(run, image, disk(height, width, percent / 100))
            tiles[name] = runs[name]().tiles  # and it is compiled
    return runs, tiles


def photo_of(height: int, width: int):
    """Return a photo of that size, uint8; what it shows does not change the times."""
    import numpy as np
    import skimage.data
    from PIL import Image

    return np.asarray(Image.fromarray(skimage.data.astronaut()).resize((width, height)))


def disk(height: int, width: int, share: float):
    """Return the mask of a disk with that share of the pixels; of all of them if that is 1."""
    import numpy as np

    if share == 1:
        return np.ones((height, width), np.float32)
    y, x = np.ogrid[:height, :width]
    distance = np.hypot(y - CENTRE[0] * height, x - CENTRE[1] * width)
    return (distance <= math.sqrt(share * height * width / math.pi)).astype(np.float32)


def take_turns(runs: dict, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of every run in every round; the first, which compiles, is not counted."""
    seconds = {name: [] for name in runs}
    for _ in range(rounds + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: values[1:] for name, values in seconds.items()}


def show(seconds: dict[str, list[float]], tiles: dict[str, int], megapixels: float) -> None:
    """Print medians, megapixels of the frame a second, and the ratio to the whole frame."""
    print(f"{'':<28} {'s':>8} {'MP/s':>7} {'tiles':>6} {'of the whole':>13}")
    for name, values in seconds.items():
        median = statistics.median(values)
        line = f"{name:<28} {median:8.3f} {megapixels / median:7.2f}"
        if name in tiles:
            whole = seconds[name.split(",")[0] + ", 100 %"]
            line += f" {tiles[name]:6d} {100 * ratio(values, whole):11.1f} %"
        print(line, flush=True)
    percent, most = GOAL
    for name in ("restore", "upscale and restore"):
        if region := seconds.get(f"{name}, {percent:g} %"):
            whole = seconds[f"{name}, 100 %"]
            upscale = seconds["upscale"] if name != "restore" else [0.0] * len(region)
            parts = zip(region, whole, upscale, strict=True)
            found = statistics.median((r - u) / (w - u) for r, w, u in parts)
            aside = ", upscaling aside," if name != "restore" else ""
            cost = f"costs {100 * found:.1f} % of the whole"
            print(f"{name}: {percent} %{aside} {cost}; goal {100 * most:.0f}")


def ratio(ours: list[float], theirs: list[float]) -> float:
    """Return the median over the rounds of one run's seconds over another's."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", default="1024x768,2048x1536", metavar="WxH,…")
    parser.add_argument("--regions", default="5,10,25", metavar="PERCENT,…")
    parser.add_argument("--scale", default=4, type=int, choices=(2, 4))
    parser.add_argument("--model", default="span-photo", metavar="NAME|FILE")
    parser.add_argument("--segmenter", default="attention-unet", metavar="NAME|FILE")
    parser.add_argument("--restorer", default="window-restorer", metavar="NAME|FILE")
    parser.add_argument("--threads", default=2, type=int, metavar="NUMBER")
    parser.add_argument("--rounds", default=5, type=int, metavar="NUMBER")
    return parser.parse_args()


if __name__ == "__main__":
    main()
