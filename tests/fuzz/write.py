"""Writes the corpus, the good files that fuzzing begins with: python tests/fuzz/write.py

They are coded by the small codec of the golden files: write these first where the format changes.
"""

import dataclasses

import numpy as np
import skimage.data
from harness import HERE, load_small, read, written

from jaxsr import codec
from jaxsr.codec import container
from jaxsr.image.files import Picture

CAT = skimage.data.chelsea()[100:148, 100:164]
FLAT = np.broadcast_to(np.uint8(99), (16, 1536))


def files(model):
    """Name → file: all parts, alone and together, of images as small as show them."""
    rows, columns = np.indices(CAT.shape[:2])
    mask = (rows < 24) & (columns > 30)
    tags = b"Exif\0\0MM\0*" + bytes(range(60))
    clear, soft = np.full(mask.shape, 128, np.uint8), (4 * columns).astype(np.uint8)

    def encoded(image, quality, **options):
        return codec.encode(image, quality, model=model, **options)

    yield "colour", encoded(CAT, 40)
    yield "coarse", encoded(CAT, 1)
    yield "fine", encoded(CAT[:20, :24], 100)
    yield "gray", encoded(CAT[:33, :50, 1], 60)
    yield "pixel", encoded(CAT[:1, :1], 80)
    yield "row", encoded(CAT[:1], 30)
    yield "region", encoded(CAT, 20, roi=mask)
    yield "soft-region", encoded(CAT, 20, roi=soft, roi_gain=-20.0)
    yield "alpha", encoded(Picture(CAT, mask * np.uint8(255)), 20)
    yield "constant-alpha", encoded(Picture(CAT, clear), 20)
    yield "soft-alpha", encoded(Picture(CAT[..., :1], soft), 20)
    yield "profile", encoded(Picture(CAT[:16, :16], icc=b"profile" * 30), 20)
    yield "tags", encoded(Picture(CAT[:16, :16], exif=tags), 20, keep_metadata=True)
    rich = Picture(CAT, soft, b"profile" * 9, tags)
    yield "everything", encoded(rich, 30, roi=mask, keep_metadata=True)
    yield "half", encoded(CAT[:45, :63], 60, mode="half")
    yield "half-everything", encoded(rich, 30, roi=mask, keep_metadata=True, mode="half")
    yield "tiles", encoded(FLAT, 20)
    yield "lanes", in_lanes(encoded(CAT, 60), 8, model)


def in_lanes(data, lanes, model):
    """The same file in more lanes than a file so small has."""
    file = container.parse(data)
    more = tuple(dataclasses.replace(tile, lanes=lanes) for tile in file.tiles)
    found = read(model, file)
    return container.pack(written(model, dataclasses.replace(file, tiles=more), found))


def main():
    """Write the corpus anew."""
    folder = HERE / "corpus"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.jsr"):
        old.unlink()
    for name, data in files(load_small()):
        (folder / f"{name}.jsr").write_bytes(data)
        print(f"{len(data):6} {name}")


if __name__ == "__main__":
    main()
