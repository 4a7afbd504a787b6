"""What restoring a region gains: against scikit-image, by hand, and the degradations."""

import dataclasses
import math

import numpy as np
import pytest
import skimage.data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from jaxsr import codec
from jaxsr.evaluation.degradation import generator
from jaxsr.evaluation.regions import quality
from jaxsr.evaluation.regions.quality import DEGRADATIONS, compare, evaluate
from jaxsr.image.resize import imresize_uint8

PHOTO = skimage.data.astronaut()[20:116, 170:290]
MASK = quality.centred_box(PHOTO)


def noisy(where):
    noise = np.random.default_rng(0).integers(-20, 21, PHOTO.shape)
    return np.where(where[..., None], np.clip(PHOTO + noise, 0, 255), PHOTO).astype(np.uint8)


def half_way(low, mask, scale):
    """Nearest as the global result; restored is it inside the mask, half-way to the original."""
    plain = low.repeat(scale, 0).repeat(scale, 1)
    original = PHOTO[: mask.shape[0], : mask.shape[1]]
    better = (plain.astype(int) + original + 1) // 2
    return plain, np.where(mask[..., None], better, plain).astype(np.uint8)


def test_over_the_whole_image_the_figures_are_those_of_scikit_image():
    output = noisy(np.ones_like(MASK))
    whole = compare(output, PHOTO, MASK)["whole"]
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    _, similarity = structural_similarity(output, PHOTO, channel_axis=-1, full=True, **options)
    assert whole.psnr == pytest.approx(peak_signal_noise_ratio(PHOTO, output), abs=1e-4)
    assert whole.ssim == pytest.approx(similarity[5:-5, 5:-5].mean(), abs=1e-5)


def test_inside_and_outside_count_their_own_pixels():
    output = noisy(MASK)
    measured = compare(output, PHOTO, MASK)
    error = (output.astype(float) - PHOTO)[MASK]
    assert measured["inside"].psnr == pytest.approx(10 * math.log10(255**2 / np.mean(error**2)))
    assert measured["outside"].psnr == math.inf
    assert measured["outside"].ssim < 1  # windows reach across the outline
    shares = MASK.mean(), MASK[5:-5, 5:-5].mean()
    mse = 10 ** (-measured["inside"].psnr / 10) * shares[0]
    assert measured["whole"].psnr == pytest.approx(-10 * math.log10(mse))
    both = shares[1] * measured["inside"].ssim + (1 - shares[1]) * measured["outside"].ssim
    assert measured["whole"].ssim == pytest.approx(both, abs=1e-6)


def test_a_place_without_pixels_has_no_figures():
    measured = compare(noisy(MASK), PHOTO, np.ones_like(MASK))
    assert math.isnan(measured["outside"].psnr) and math.isnan(measured["outside"].ssim)
    assert measured["inside"] == measured["whole"]


def test_gains_are_restored_minus_global_in_every_place():
    images = [("photo", PHOTO, MASK)]
    seen = []
    results = evaluate(
        half_way, images, ("x2", "noise"), picture=lambda *args: seen.append(args[:2])
    )
    assert seen == [("photo", "x2"), ("photo", "noise")]
    for result in results:
        (row,) = result.rows
        assert row.share == result.share == MASK.mean()
        assert result.gain("inside").psnr == pytest.approx(20 * math.log10(2), abs=0.3)
        assert result.gain("inside").psnr == row.restored["inside"].psnr - row.plain["inside"].psnr
        assert result.gain("outside").psnr == 0
        assert 0 < result.gain("whole").psnr < result.gain("inside").psnr
        assert result.lost == 0


def test_a_restorer_that_harms_is_seen_even_where_the_global_result_was_exact():
    def harm(low, mask, scale):
        return low, np.where(mask[..., None], low ^ 4, low)

    (result,) = evaluate(harm, [("photo", PHOTO, MASK)], ("clean",))
    assert result.plain("inside").psnr == math.inf
    assert result.restored("inside").psnr == pytest.approx(20 * math.log10(255 / 4))
    assert result.gain("inside").psnr == -math.inf and result.gain("outside").psnr == 0
    assert result.lost == 1


def test_noise_is_the_same_whatever_else_is_evaluated():
    first, again, other = (
        evaluate(half_way, images, names, seed=seed)[-1].rows[-1]
        for images, names, seed in [
            ([("photo", PHOTO, MASK)], ("noise",), 0),
            ([("earlier", PHOTO, MASK), ("photo", PHOTO, MASK)], ("x2", "noise"), 0),
            ([("photo", PHOTO, MASK)], ("noise",), 1),
        ]
    )
    assert first == again != other


def test_every_degradation_does_what_it_says():
    original = PHOTO.astype(float)
    given = {name: d(PHOTO, generator(0, name)) for name, d in DEGRADATIONS.items()}
    for name, low in given.items():
        scale = DEGRADATIONS[name].scale
        assert low.shape == (96 // scale, 120 // scale, 3)
    np.testing.assert_array_equal(given["clean"], PHOTO)
    np.testing.assert_array_equal(given["x4"], imresize_uint8(PHOTO, 1 / 4))
    inner = (original > 40) & (original < 215)  # where noise isn't clipped
    assert np.std((given["noise"] - original)[inner]) == pytest.approx(15, rel=0.05)
    assert np.abs(np.diff(given["blur"].astype(int), axis=0)).mean() < 0.7 * (
        np.abs(np.diff(PHOTO.astype(int), axis=0)).mean()
    )
    file = codec.encode(PHOTO, DEGRADATIONS["codec"].codec)
    np.testing.assert_array_equal(given["codec"], codec.decode(file))
    better = dataclasses.replace(DEGRADATIONS["jpeg"], jpeg=95)(PHOTO, generator(0))
    assert 0 < np.mean((better - original) ** 2) < np.mean((given["jpeg"] - original) ** 2)


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ValueError, match="unknown degradation 'fog'; there are: x4, x2"):
        evaluate(half_way, [], ("fog",))
    with pytest.raises(ValueError, match="no images"):
        evaluate(half_way, [], ("x2",))
    small = PHOTO[:30, :60]
    with pytest.raises(ValueError, match=r"tiny: 60×30 pixels are too few .* it takes 44"):
        evaluate(half_way, [("tiny", small, MASK[:30, :60])], ("x4",))
