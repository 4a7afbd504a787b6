"""Writes golden files: pictures coded today, which every later version must decode to the same.

    python tests/codec/golden/write.py small              # a small model, and files coded with it
    python tests/codec/golden/write.py patch-hyperprior   # files of a released codec, by its name
    python tests/codec/golden/write.py patch-hyperprior-half    # and at half their size

Each makes a folder beside this script: ``NAME.jsr``, what it decodes to as ``NAME.png``, and the
weights unless they are released. The tests pick up whatever lies here. A folder is never written a
second time: its purpose is to be old. Where the format or a released model changes before anyone
has files of it, delete the folder first.
"""

import lzma
import sys
import tempfile
from pathlib import Path

import jax
import numpy as np
import skimage.data

from jaxsr import codec, networks
from jaxsr.codec import export, weights
from jaxsr.image import files
from jaxsr.zoo.weights import Weights

HERE = Path(__file__).parent
OPTIONS = {"features": 24, "latents": 96, "hyper": 4, "width": 8, "attention": 8}
OPTIONS |= {"context": 8, "analysis_blocks": 1, "synthesis_blocks": 1}
KEPT = 0.01  # part of a random kernel that is not 0: it compresses well


def small() -> weights.Model:
    """The codec of the release at a tenth of its width, untrained, with some noise.

    An untrained one is a DCT: its pictures are pictures.
    """
    network = networks.create_compressor("patch_hyperprior", **OPTIONS)
    shapes = (1, 128, 128, 3), (1,), (1, 8, 8)
    inputs = (np.zeros(shape, np.float32) for shape in shapes)
    params = jax.jit(network.init)(jax.random.key(0), *inputs, jax.random.key(1))["params"]
    params = jax.tree_util.tree_map_with_path(_sparse_noise(np.random.default_rng(0)), params)
    return export.export(Weights("patch_hyperprior", OPTIONS, params))


def _sparse_noise(rng):
    def change(path, leaf):
        leaf, (part, *_, name) = np.array(leaf), (key.key for key in path)
        if not name.startswith("kernel"):
            return leaf
        kept = rng.random(leaf.shape) < KEPT
        noise = rng.choice([-1, 1], leaf.shape) * kept / np.sqrt(KEPT * leaf[..., 0].size)
        if not leaf.any():  # starts as 0
            return noise / 16
        if part in ("analysis", "synthesis", "means"):  # the DCT, and what is small
            return leaf + noise / 20 * (leaf == 0)
        return noise

    return lambda path, leaf: change(path, leaf).astype(np.float32)


def pictures():
    """Name → picture, quality, and mask of a region."""
    cat = skimage.data.chelsea()[100:148, 100:164]
    mask = np.zeros(cat.shape[:2], bool)
    mask[:24, 30:] = True
    yield from ((f"cat-{q}", files.Picture(cat), q, None) for q in (5, 50, 95))
    yield (
        "region",
        files.Picture(skimage.data.astronaut()[60:108, 180:244], mask * np.uint8(9)),
        30,
        mask,
    )
    yield "gray", files.Picture(skimage.data.camera()[100:228, 150:290, None]), 90, None
    yield "pixel", files.Picture(cat[:1, :1]), 80, None


def halves():
    """Likewise: sides that are odd, one with everything, and gray."""
    for name, picture, quality, mask in pictures():
        if name in ("region", "gray"):
            pixels = picture.pixels[:45, :63]
            alpha = None if picture.alpha is None else picture.alpha[:45, :63]
            mask = None if mask is None else mask[:45, :63]
            yield name, files.Picture(pixels, alpha), quality, mask


def write(name: str) -> Path:
    """The folder of golden files of the small model or of a released one."""
    model = small() if name == "small" else codec.load(name.removesuffix("-half"))
    sources, mode = (halves(), "half") if name.endswith("-half") else (pictures(), "full")
    folder = HERE / name
    folder.mkdir()
    if name == "small":
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / "model.safetensors"
            weights.save(path, model)
            packed = lzma.compress(path.read_bytes(), preset=9 | lzma.PRESET_EXTREME)
            (folder / "model.safetensors.xz").write_bytes(packed)
    for stem, picture, quality, mask in sources:
        data = codec.encode(picture, quality, roi=mask, mode=mode, model=model)
        (folder / f"{stem}.jsr").write_bytes(data)
        files.write(folder / f"{stem}.png", codec.decode_picture(data, model=model))
    return folder


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(write(sys.argv[1]))
