"""How much of the time of ``jaxsr upscale FOLDER`` is the network's, not reading and writing.

    python benchmarks/command_line.py [--photos 50] [--size 192x128] [--scale 4] [--format png]

Makes a folder of photographs, which scikit-image brings, upscales it as the command line does,
twice, the second time with everything compiled, and prints the second's wall time and the network's
share of it: the time in which tiles are computed. What else is done (files decoded, encoded and
written) costs nothing where it fits beside that.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from unittest import mock

import numpy as np
import skimage.data

from jaxsr.cli import main
from jaxsr.cli.environment import cores, prepare_jax
from jaxsr.image import files

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee")


def photographs(folder: Path, count: int, width: int, height: int) -> None:
    """Write ``count`` different crops of photographs as JPEG."""
    rng = np.random.default_rng(0)
    sources = [getattr(skimage.data, name)() for name in PHOTOGRAPHS]
    for number in range(count):
        source = sources[number % len(sources)]
        tall, wide = (-(-side // n) for side, n in zip((height, width), source.shape, strict=False))
        source = np.tile(source, (tall, wide, 1))
        top, left = (
            rng.integers(0, n - side + 1)
            for n, side in zip(source.shape, (height, width), strict=False)
        )
        crop = source[top : top + height, left : left + width]
        files.write(folder / f"{number:03}.jpg", files.Picture(crop))


class Clock:
    """Adds up the seconds that a function takes."""

    def __init__(self, function):
        self.function, self.seconds = function, 0.0

    def __call__(self, *arguments):
        start = time.perf_counter()
        try:
            return self.function(*arguments)
        finally:
            self.seconds += time.perf_counter() - start


def measured(arguments: list[str]) -> tuple[float, float]:
    """Return the seconds of a command, and those that its network computed."""
    from jaxsr.tiling.upscaling import TiledUpscaler

    clock = Clock(TiledUpscaler.__call__)
    start = time.perf_counter()
    with mock.patch.object(TiledUpscaler, "__call__", lambda *given: clock(*given)):
        code = main(arguments)
    assert code == 0
    return time.perf_counter() - start, clock.seconds


def run() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=50)
    parser.add_argument("--size", default="192x128", help="WIDTHxHEIGHT of the photographs")
    parser.add_argument("--scale", default="4")
    parser.add_argument("--format", default="png")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    prepare_jax()
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in"), Path(folder, "out")
        source.mkdir()
        photographs(source, options.photos, width, height)
        command = ["upscale", str(source), "-o", str(target), "--overwrite"]
        command += ["--scale", options.scale, "--format", options.format]
        for _ in range(2):
            wall, network = measured(command)
        written = sum(os.path.getsize(path) for path in target.iterdir())
    print(
        f"{options.photos} photographs of {width}×{height} at ×{options.scale} on {cores()} cores: "
        f"{wall:.1f} s, {100 * network / wall:.0f} % of it the network; "
        f"{written / 1e6:.1f} MB written"
    )


if __name__ == "__main__":
    run()
