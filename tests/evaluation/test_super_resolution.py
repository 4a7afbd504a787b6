"""The super-resolution protocol: against scikit-image, against published figures, and its edges."""

import math

import numpy as np
import pytest
import skimage.data
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from jaxsr.evaluation.upscalers.protocol import bicubic, ensemble, evaluate
from jaxsr.image.resize import imresize_uint8


def crops(count=2, height=50, width=46):
    image = skimage.data.astronaut()
    return [(f"crop{i}", image[60 * i :, 150:][:height, :width]) for i in range(count)]


def nearest(scale):
    """An upscaler with no weights and visible errors, some outside [0, 1]."""
    return lambda images: [1.1 * x.repeat(scale, 0).repeat(scale, 1) - 0.03 for x in images]


def by_scikit_image(output, original, scale):
    """PSNR and SSIM of Y as the papers' MATLAB code computes them, with no metrics of ours."""
    original = original[: len(original) // scale * scale, : original.shape[1] // scale * scale]
    output = np.floor(np.clip(output, 0, 1) * 255 + 0.5)
    coefficients = np.array([65.481, 128.553, 24.966]) / 255
    a, b = (
        (16 + x.astype(float) @ coefficients)[scale:-scale, scale:-scale]
        for x in (output, original)
    )
    psnr = peak_signal_noise_ratio(a, b, data_range=255)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return psnr, structural_similarity(a, b, data_range=255, **options)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_scores_are_those_of_scikit_image(scale):
    images = crops()
    result = evaluate(nearest(scale), images, scale)
    for (name, original), row in zip(images, result.rows, strict=True):
        height, width = (n // scale * scale for n in original.shape[:2])
        low = imresize_uint8(original[:height, :width], 1 / scale)
        (output,) = nearest(scale)([low.astype(np.float32) / 255])
        psnr, ssim = by_scikit_image(output, original, scale)
        assert row.name == name
        np.testing.assert_allclose(row.score.psnr, psnr, atol=1e-3)
        np.testing.assert_allclose(row.score.ssim, ssim, atol=5e-5)
    assert result.mean.psnr == pytest.approx(np.mean([row.score.psnr for row in result.rows]))


@pytest.mark.parametrize("inputs", ["noise", "jpeg", "blur", "mix"])
def test_degraded_inputs_are_the_same_every_time_and_cost_decibels(inputs):
    clean, degraded, alone = (
        evaluate(bicubic(2), images, 2, inputs=sort)
        for images, sort in ((crops(), "clean"), (crops(), inputs), (crops()[1:], inputs))
    )
    assert degraded.mean.psnr < clean.mean.psnr - 0.2 and degraded.inputs == inputs
    assert degraded.rows[1:] == alone.rows and degraded.mean == degraded.bicubic


def test_unknown_inputs_are_refused():
    with pytest.raises(ValueError, match="unknown degradation 'fog'; there are: clean, noise"):
        evaluate(bicubic(2), crops(), 2, inputs="fog")


def test_bicubic_as_an_upscaler_has_the_scores_of_the_bicubic_rows():
    result = evaluate(bicubic(3), crops(), 3)
    assert all(row.score == row.bicubic for row in result.rows)
    assert result.mean == result.bicubic


def test_a_gray_original_is_measured_as_rgb():
    gray = skimage.data.camera()[100:148, 100:148]
    result = evaluate(bicubic(2), [("gray", gray), ("rgb", np.stack([gray] * 3, -1))], 2)
    assert result.rows[0].score == result.rows[1].score


def test_the_ensemble_is_the_mean_of_the_eight_turned_and_turned_back():
    rng = np.random.default_rng(0)
    weights = rng.random((4, 4, 3), np.float32)

    def upscale(images):  # depends on where a pixel lies in its 2×2 block: no symmetry
        return [x.repeat(4, 0).repeat(4, 1) * np.tile(weights, (*x.shape[:2], 1)) for x in images]

    image = rng.random((3, 5, 3), np.float32)
    outputs = []
    for flip in (False, True):
        for quarters in range(4):
            x = np.rot90(np.fliplr(image) if flip else image, quarters)
            (y,) = upscale([x])
            y = np.rot90(y, -quarters)
            outputs.append(np.fliplr(y) if flip else y)
    (averaged,) = ensemble(upscale)([image])
    assert averaged.dtype == np.float32
    np.testing.assert_allclose(averaged, np.mean(outputs, 0), rtol=1e-6)
    assert not np.allclose(averaged, upscale([image])[0])


def test_an_identical_image_scores_infinite_decibels():
    flat = np.full((40, 40, 3), 128, np.uint8)
    result = evaluate(bicubic(2), [("flat", flat), *crops(1)], 2)
    assert result.identical == ("flat",)
    same, other = (row.score for row in result.rows)
    assert math.isinf(same.psnr) and same.ssim == pytest.approx(1)
    assert math.isinf(result.mean.psnr) and math.isfinite(other.psnr)


def test_a_folder_is_read_in_order_and_other_files_are_left_alone(tmp_path):
    for name, image in reversed(crops(3)):
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    (tmp_path / "readme.txt").write_text("not an image")
    seen = []
    result = evaluate(
        bicubic(4), tmp_path, 4, limit=2, group=1, picture=lambda *pair: seen.append(pair)
    )
    assert [(name, y.shape, y.dtype) for name, y in seen] == [
        ("crop0", (48, 44, 3), np.uint8),
        ("crop1", (48, 44, 3), np.uint8),
    ]
    assert result.rows == evaluate(bicubic(4), crops(), 4).rows


def test_what_cannot_be_evaluated_is_said_in_one_line(tmp_path):
    with pytest.raises(ValueError, match="its own scale"):
        evaluate(nearest(2), crops(1), 4)
    with pytest.raises(ValueError, match="too few to measure"):
        evaluate(bicubic(4), [("tiny", np.zeros((16, 40, 3), np.uint8))], 4)
    with pytest.raises(ValueError, match="no images to evaluate"):
        evaluate(bicubic(4), tmp_path, 4)
    with pytest.raises(ValueError, match="no such folder"):
        evaluate(bicubic(4), tmp_path / "absent", 4)


@pytest.mark.parametrize(
    ("scale", "psnr", "ssim"), [(2, 33.673, 0.9303), (3, 30.403, 0.8689), (4, 28.429, 0.8111)]
)
def test_bicubic_has_its_published_scores_on_set5(shared, scale, psnr, ssim):
    result = evaluate(bicubic(scale), shared / "data" / "test" / "set5", scale)
    assert round(result.mean.psnr, 3) == psnr
    assert round(result.mean.ssim, 4) == ssim
