"""Saliency: by hand, against PySODMetrics, and its edges."""

import numpy as np
import pytest

from jaxsr.evaluation.regions import masked, saliency
from jaxsr.image.values import from_float

TRUTH = np.array([[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0]], bool)


def scenes():
    """Masks and truths of some sizes and kinds, without random numbers: the same on any machine."""
    y, x = np.mgrid[:37, :52] / 40
    disc = (x - 0.7) ** 2 + (y - 0.4) ** 2 < 0.05
    soft = np.clip(0.9 - 3 * ((x - 0.6) ** 2 + (y - 0.5) ** 2), 0, 1)
    waves = 0.5 + 0.5 * np.sin(9 * x) * np.cos(7 * y)
    pixel = np.zeros_like(disc)
    pixel[11, 30] = True
    yield "soft", soft, disc
    yield "waves", waves, disc
    yield "faint", 0.3 + 0.1 * waves, disc
    yield "inverse", 1 - soft, disc
    yield "exact", disc.astype(float), disc
    yield "one pixel", soft, pixel
    yield "blank", np.full_like(x, 0.25), disc
    yield "nothing to find", waves, np.zeros_like(disc)
    yield "all to find", waves, np.ones_like(disc)


# MAE and S-measure of each scene, then the means over scenes at every 51st threshold from 255, by
# PySODMetrics 1.6.2 (py_sod_metrics.MAE, Smeasure, Fmeasure) with NumPy 2.3.4.
EXPECTED = {
    "soft": (0.290958600741, 0.588540873345),
    "waves": (0.500672618320, 0.332164519797),
    "faint": (0.491829521830, 0.335334614746),
    "inverse": (0.708342790221, 0.095995355481),
    "exact": (0.000000000000, 1.000000000000),
    "one pixel": (0.380450601103, 0.360401451001),
    "blank": (0.314400146753, 0.448789310882),
    "nothing to find": (0.500568668216, 0.499431331784),
    "all to find": (0.499431331784, 0.500568668216),
}
EXPECTED_PRECISION = (
    0.374074074074,
    0.320808173624,
    0.297816108930,
    0.280319928910,
    0.292377288177,
    0.196061446061,
)
EXPECTED_RECALL = (
    0.115539244111,
    0.243859872431,
    0.447300833015,
    0.549764049764,
    0.754507804508,
    0.888888888889,
)


def by_py_sod_metrics(scenes):
    """MAEs, S-measures, mean precision and mean recall, both over falling thresholds."""
    py_sod_metrics = pytest.importorskip("py_sod_metrics")
    mae, s_measure, f = (
        getattr(py_sod_metrics, name)() for name in ("MAE", "Smeasure", "Fmeasure")
    )
    for _, mask, truth in scenes:
        for metric in (mae, s_measure, f):
            metric.step(from_float(mask), truth.astype(np.uint8) * 255)
    curves = f.get_results()["pr"]
    return mae.maes, s_measure.sms, curves["p"], curves["r"]


def scored(scenes):
    return saliency.MaskScores("ours", tuple(saliency.score(*scene) for scene in scenes))


def test_mae_s_measure_precision_and_recall_are_those_of_pysodmetrics():
    result = scored(scenes())
    for score in result.scores:
        expected = EXPECTED[score.name]
        np.testing.assert_allclose((score.mae, score.s_measure), expected, atol=1e-9)
    np.testing.assert_allclose(result.precision[::51], EXPECTED_PRECISION, atol=1e-9)
    np.testing.assert_allclose(result.recall[::51], EXPECTED_RECALL, atol=1e-9)


@pytest.mark.filterwarnings("ignore")
def test_real_truths_are_scored_as_the_installed_pysodmetrics_does(shared):
    def blurred():
        for name, image, truth in masked.read(shared / "data" / "roi" / "ecssd"):
            yield name, (0.6 * truth + 0.4 * image.mean(-1) / 255).astype(np.float32), truth

    some = [scene for scene, _ in zip(blurred(), range(8), strict=False)]
    some += scenes()
    mae, s_measure, precision, recall = by_py_sod_metrics(some)
    result = scored(some)
    np.testing.assert_allclose([s.mae for s in result.scores], mae, atol=1e-9)
    np.testing.assert_allclose([s.s_measure for s in result.scores], s_measure, atol=1e-9)
    np.testing.assert_allclose(result.precision, precision, atol=1e-9)
    np.testing.assert_allclose(result.recall, recall, atol=1e-9)


def test_a_perfect_mask_has_perfect_figures():
    score = saliency.score("perfect", TRUTH.astype(np.float32), TRUTH)
    assert (score.mae, score.iou, score.max_f) == (0, 1, 1)
    assert score.s_measure == pytest.approx(1)


def test_figures_are_those_computed_by_hand():
    mask = np.array([[0, 0, 0, 0.2], [0, 1, 0.6, 0], [0, 0.4, 1, 0]])
    score = saliency.score("by hand", mask, TRUTH)
    assert score.mae == pytest.approx((0.2 + 0.4 + 0.6) / 12)
    assert score.iou == 3 / 4
    at = lambda threshold: 255 - threshold  # noqa: E731
    assert (score.precision[at(128)], score.recall[at(128)]) == (1, 3 / 4)
    assert (score.precision[at(50)], score.recall[at(50)]) == (4 / 5, 1)
    assert (score.precision[at(0)], score.recall[at(0)]) == (1 / 3, 1)
    assert score.max_f == 1  # at 0.4 the region is the truth


def test_f_is_of_precision_and_recall_averaged_over_the_images():
    one = np.array([[1, 0.5, 0, 0]])  # finds one of one, then one too many
    two = np.array([[0.5, 0, 0, 1]])  # misses, then finds one of two
    truth = np.array([[True, False, False, False]])
    result = scored([("one", one, truth), ("two", two, truth)])
    strict = (1.3 * 0.5 * 0.5) / (0.3 * 0.5 + 0.5)
    loose = (1.3 * 0.5 * 1) / (0.3 * 0.5 + 1)
    assert result.max_f == pytest.approx(max(strict, loose))
    assert result.threshold == pytest.approx(127 / 255, abs=1 / 255)


def test_masks_are_stretched_for_all_figures_but_iou():
    faint = 0.1 + 0.2 * TRUTH
    score = saliency.score("faint", faint, TRUTH)
    assert score.mae == pytest.approx(0, abs=1e-6)
    assert score.iou == 0


def test_nothing_found_where_nothing_is_counts_as_found():
    nothing = np.zeros((4, 4), bool)
    score = saliency.score("nothing", nothing.astype(np.float32), nothing)
    assert (score.iou, score.mae, score.s_measure) == (1, 0, 1)


def test_a_centroid_in_the_last_column_leaves_two_parts_out():
    truth = np.zeros((6, 5), bool)
    truth[2:4, 4] = True
    assert saliency.centroid(truth) == (4, 5)  # rows' mean 2.5, halves up as in MATLAB
    score = saliency.score("edge", truth.astype(np.float32), truth)
    assert score.s_measure == pytest.approx(1)


def test_masks_of_another_size_or_range_are_refused():
    for mask, message in [
        (np.zeros((4, 3), np.float32), r"photo: a mask of \(4, 3\) for an image of \(3, 4\)"),
        (np.full((3, 4), 1.5, np.float32), r"in \[0, 1\], got 1.5 to 1.5"),
        (np.full((3, 4), np.nan, np.float32), "got nan to nan"),
    ]:
        with pytest.raises(ValueError, match=message):
            saliency.score("photo", mask, TRUTH)


def test_methods_are_measured_on_the_same_images_and_shown():
    image = np.zeros((3, 4, 3), np.uint8)
    seen = []
    results = saliency.evaluate(
        saliency.BASELINES,
        [("a", image, TRUTH), ("b", image, TRUTH), ("c", image, TRUTH)],
        limit=2,
        picture=lambda name, image, truth, masks: seen.append((name, list(masks))),
    )
    gaussian, everything = results
    assert seen == [(name, ["centred Gaussian", "everything"]) for name in "ab"]
    assert everything.mae == pytest.approx(8 / 12)
    assert everything.max_f == pytest.approx(1.3 / 3 / (0.3 / 3 + 1))
    assert gaussian.mae < everything.mae and gaussian.s_measure > everything.s_measure
    with pytest.raises(ValueError, match="no images with masks"):
        saliency.evaluate(saliency.BASELINES, [])
