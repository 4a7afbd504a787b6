"""A night frame from a camera that sees little light: a box of it restored, and given the bytes.

    pip install 'jaxsr[demo]'
    python examples/night.py OUT

The photograph is scikit-image's rocket before dawn (SpaceX, public domain; inside its wheel). It is
exposed four times darker here, as a sensor would: so many photons, their shot noise, the noise of
reading them.
"""

import sys
from pathlib import Path

import numpy as np
import skimage.data

from jaxsr import codec, pipeline
from jaxsr.evaluation.regions.quality import in_decibels
from jaxsr.image import files
from jaxsr.image.sheet import side_by_side
from jaxsr.image.values import from_float, to_float

BOX = (270, 110, 110, 300)  # x, y, width, height: what the guard looks at
DARKER, PHOTONS, READING = 4, 2000, 2.0  # exposure, photons of white, their standard deviation
BPP = 0.3


def main(out: Path) -> None:
    photo = skimage.data.rocket()
    frame = exposed(photo, np.random.default_rng(0))
    bright = brightened(frame)
    restore = pipeline.load_restorer(segmenter=None)
    result = restore(bright, [BOX])
    restored, mask = result.image, result.mask
    tiles = "1 tile" if result.tiles == 1 else f"{result.tiles} tiles"
    print(f"the box is {(mask > 0.5).mean():.0%} of the frame, {tiles} restored")

    plain = codec.encode(restored, bpp=BPP)
    finer = codec.encode(restored, max_bytes=len(plain), roi=mask)
    columns = [("brightened", bright), ("the box restored", restored)]
    columns += [(f"{len(plain)} bytes", codec.decode(plain))]
    columns += [(f"{len(finer)} bytes, the box finer", codec.decode(finer))]
    for title, image in columns:
        print(f"{title}: {in_decibels(image, photo, mask > 0.5)}")
    out.mkdir(parents=True, exist_ok=True)
    (out / "night.jsr").write_bytes(finer)  # jaxsr decompress night.jsr … --scale 2
    columns = [("the frame", frame), *columns, ("by daylight's exposure", photo)]
    sheet = side_by_side(columns, detail=(slice(110, 250), slice(225, 438)))
    files.write(out / "night.png", files.Picture(sheet))


def exposed(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Take the photograph again with a fraction of its light, as 8-bit sRGB."""
    photons = linear(to_float(photo)) / DARKER * PHOTONS
    read = rng.poisson(photons) + rng.normal(0, READING, photons.shape)
    return from_float(srgb(read / PHOTONS).astype(np.float32))


def brightened(frame: np.ndarray) -> np.ndarray:
    """Multiply the light back to what it was."""
    return from_float(srgb(linear(to_float(frame)) * DARKER).astype(np.float32))


def linear(x: np.ndarray) -> np.ndarray:
    """Convert sRGB to light (IEC 61966-2-1)."""
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def srgb(x: np.ndarray) -> np.ndarray:
    """Convert light to sRGB, clipped to [0, 1]."""
    x = np.clip(x, 0, 1)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "examples-out"))
