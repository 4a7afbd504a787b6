"""A slice of a magnetic resonance scan, 16-bit gray, twice as large, one organ restored.

    pip install 'jaxsr[demo]' pydicom
    python examples/medical.py OUT

The slice is one of pydicom's own test files, inside its wheel. Half of it, with noise, goes in; the
whole is what the results are measured by. All of it is 16-bit gray, from reading to writing.
"""

import sys
from pathlib import Path

import numpy as np
import pydicom
from pydicom.data import get_testdata_file

from jaxsr import pipeline
from jaxsr.image import files
from jaxsr.image.resize import imresize
from jaxsr.image.sheet import side_by_side
from jaxsr.image.values import from_float, to_float

KIDNEYS = [(60, 85, 130, 55)]  # x, y, width, height, in pixels of the small image
NOISE = 0.02  # standard deviation, of white


def main(out: Path) -> None:
    original = slice_of("examples_overlay.dcm")
    low = np.asarray(imresize(to_float(original)[..., None], 1 / 2))[..., 0]
    noise = np.random.default_rng(0).normal(0, NOISE, low.shape)
    low = from_float(np.clip(low + noise, 0, 1).astype(np.float32), np.uint16)

    chain = pipeline.load_chain(scale=2, segmenter=None)
    known = pipeline.Degraded(noise=255 * NOISE)  # a scanner's noise can be measured
    fused, result = chain.upscale(low).image, chain(low, KIDNEYS, known=known)
    image, mask = result.image, result.mask

    print(f"{image.dtype}, {len(np.unique(image))} different levels, {result.tiles} tiles restored")
    inside = mask > 0.5
    for name, result in (("upscaled", fused), ("restored", image)):
        figures = (psnr(result, original, place) for place in (inside, ~inside, inside | ~inside))
        print(name + ": inside {:.2f} dB, outside {:.2f}, whole {:.2f}".format(*figures))
    out.mkdir(parents=True, exist_ok=True)
    files.write(out / "medical-16bit.png", files.Picture(image[..., None]))
    large = low.repeat(2, 0).repeat(2, 1)
    columns = [("half the size, noisy", large), ("upscaled", fused), ("its box restored", image)]
    columns = [(title, shown(x)) for title, x in [*columns, ("original", original)]]
    sheet = side_by_side(columns, detail=(slice(180, 280), slice(120, 281)))
    files.write(out / "medical.png", files.Picture(sheet))


def slice_of(name: str) -> np.ndarray:
    """Return a scan, (h, w) uint16 of even sizes, its values stretched over all 16 bits."""
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str), f"pydicom comes without {name}"
    pixels = pydicom.dcmread(path).pixel_array.astype(float)
    pixels = (pixels - pixels.min()) / np.ptp(pixels)
    height, width = (n // 2 * 2 for n in pixels.shape)
    return from_float(pixels[:height, :width].astype(np.float32), np.uint16)


def psnr(x: np.ndarray, y: np.ndarray, place: np.ndarray) -> float:
    """Return the PSNR of 16-bit images in dB, over the pixels where ``place`` is True."""
    return -10 * np.log10(np.mean((to_float(x) - to_float(y))[place] ** 2))


def shown(x: np.ndarray) -> np.ndarray:
    """Convert to 8-bit RGB for looking at, brightened: most of the slice is dark."""
    return np.repeat(from_float(np.sqrt(to_float(x)))[..., None], 3, axis=-1)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "examples-out"))
