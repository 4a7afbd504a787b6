"""Published weights of PAN and RLFN, converted, give the published figures image by image.

A selection that compiles quickly; all of Set5 and Set14 at every scale agree as well.
"""

import json

import jax
import numpy as np
import pytest
from PIL import Image

from jaxsr.networks import create
from jaxsr.zoo.convert import convert
from jaxsr.zoo.pytorch import read_checkpoint

SETS = {
    "set5": ("baby", "bird", "butterfly", "head", "woman"),
    "set14": ("coastguard", "comic"),
}


def load(path):
    return np.asarray(Image.open(path).convert("RGB"))


def luma(image):
    return 16 + image.astype(np.float64) @ [65.481, 128.553, 24.966] / 255


def y_psnr(shared, checkpoint, scale, dataset, names):
    """PSNR of the Y of 8-bit outputs, ``scale`` pixels off a side, of MATLAB's low-res images."""
    weights = convert(read_checkpoint(shared / "peers" / checkpoint), scale=scale)
    network = create(weights.network, **weights.options)
    with jax.default_matmul_precision("highest"):
        upscale = jax.jit(network.apply)
        for name in names:
            low = load(shared / f"data/test/{dataset}_lr_matlab/X{scale}/{name}x{scale}.png")
            output = upscale({"params": weights.params}, low[None].astype(np.float32) / 255)[0]
            output = np.round(np.clip(output, 0, 1) * 255).astype(np.uint8)
            original = load(shared / f"data/test/{dataset}/{name}.png")
            height, width = output.shape[:2]
            error = luma(output) - luma(original[:height, :width])
            yield 10 * np.log10(255**2 / np.mean(error[scale:-scale, scale:-scale] ** 2))


@pytest.mark.parametrize(
    ("scale", "dataset", "names"),
    [
        (4, "set5", SETS["set5"]),
        (4, "set14", SETS["set14"]),
        (3, "set5", ("butterfly",)),
        (2, "set5", ("butterfly",)),
    ],
)
def test_pan_reproduces_its_published_log(shared, scale, dataset, names):
    logs = json.loads((shared / "peers/pan/published_logs.json").read_text())
    log = logs[f"x{scale}"][dataset.capitalize()]
    ours = list(y_psnr(shared, f"pan/PANx{scale}_DF2K.pth", scale, dataset, names))
    np.testing.assert_allclose(ours, [log[name]["psnr_y"] for name in names], atol=0.001)


def test_rlfn_reproduces_the_mean_of_its_paper(shared):
    ours = list(y_psnr(shared, "rlfn/rlfn_x4.pth", 4, "set5", SETS["set5"]))
    assert round(np.mean(ours), 2) == 32.24
