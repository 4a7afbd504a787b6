"""The first figures of the field: MATLAB's low-res images and the bicubic row of every table."""

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from jaxsr.image.colour import rgb_to_y
from jaxsr.image.metrics import psnr, shave, ssim
from jaxsr.image.resize import imresize, imresize_uint8, modcrop


def load(path):
    return np.asarray(Image.open(path))


def low_res(shared, dataset, name, scale):
    return load(shared / f"data/test/{dataset}_lr_matlab/X{scale}/{name}x{scale}.png")


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(("dataset", "count"), [("set5", 5), ("set14", 14)])
def test_every_pixel_of_matlabs_low_res_images_is_reproduced(shared, dataset, count, scale):
    originals = sorted((shared / "data/test" / dataset).glob("*.png"))
    assert len(originals) == count
    for path in originals:
        mine = imresize_uint8(modcrop(load(path), scale), Fraction(1, scale))
        np.testing.assert_array_equal(mine, low_res(shared, dataset, path.stem, scale), path.stem)


@pytest.mark.parametrize(
    ("scale", "expected_psnr", "expected_ssim"),
    [(2, 33.673, 0.9303), (3, 30.403, 0.8689), (4, 28.429, 0.8111)],
)
def test_the_bicubic_row_of_set5_is_reproduced(shared, scale, expected_psnr, expected_ssim):
    scores = []
    for path in sorted((shared / "data/test/set5").glob("*.png")):
        original = modcrop(load(path), scale)
        up = imresize_uint8(low_res(shared, "set5", path.stem, scale), scale)
        ours, truth = (
            shave(np.asarray(rgb_to_y(np.float32(image) / 255)), scale) for image in (up, original)
        )
        scores.append((psnr(ours, truth), ssim(ours, truth)))
    mean_psnr, mean_ssim = np.mean(scores, axis=0)
    assert round(float(mean_psnr), 3) == expected_psnr
    assert round(float(mean_ssim), 4) == expected_ssim


def test_the_jax_path_agrees_with_matlab_to_its_roundings(shared):
    original = modcrop(load(shared / "data/test/set5/butterfly.png"), 2)
    mine = np.clip(imresize(original.astype(np.float32), 0.5), 0, 255)
    # Clipping and rounding between MATLAB's passes is all that separates the two.
    assert np.abs(mine - low_res(shared, "set5", "butterfly", 2)).mean() < 0.5
