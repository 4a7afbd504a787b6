"""How well a soft mask finds the region of an image: MAE, max-Fβ, S-measure and IoU.

The field's protocol: the mask, at the size of the truth, is rounded to 8 bits and stretched to [0,
1] (:func:`normalised`) before MAE, Fβ and S-measure. IoU is of the mask as it is: where it is
above 0.5 is the region that the rest of this project works on. All of it is NumPy in float64.

Each figure but one equals that of PySODMetrics (``py_sod_metrics``, the field's reference in
Python). max-Fβ is that of BASNet's and U²-Net's evaluation: precision and recall are averaged over
the images at each of 256 thresholds, and the largest F of these means counts; PySODMetrics
averages the images' F.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable

import numpy as np
from jaxtyping import Bool, Float, UInt8

from jaxsr.errors import UserError
from jaxsr.image.values import from_float
from jaxsr.regions.masks import REGION

Mask = Float[np.ndarray, "h w"]
Truth = Bool[np.ndarray, "h w"]
ByThreshold = Float[np.ndarray, "256"]  # 255 first, 0 last

BETA2 = 0.3
EPS = np.spacing(1.0)


@dataclasses.dataclass(frozen=True, eq=False)
class MaskScore:
    """The figures of one mask; precision and recall are given at each of the 256 thresholds."""

    name: str
    mae: float
    s_measure: float
    iou: float
    precision: ByThreshold
    recall: ByThreshold

    @property
    def max_f(self) -> float:
        """The largest Fβ of this mask over the thresholds."""
        return float(f_measure(self.precision, self.recall).max())


@dataclasses.dataclass(frozen=True)
class MaskScores:
    """The scores of a method's masks of every image of a set."""

    method: str
    scores: tuple[MaskScore, ...]

    @property
    def mae(self) -> float:
        """Mean absolute error, the mean over images."""
        return float(np.mean([score.mae for score in self.scores]))

    @property
    def s_measure(self) -> float:
        """S-measure, the mean over images."""
        return float(np.mean([score.s_measure for score in self.scores]))

    @property
    def iou(self) -> float:
        """Intersection over union at 0.5, the mean over images."""
        return float(np.mean([score.iou for score in self.scores]))

    @property
    def precision(self) -> ByThreshold:
        """Precision at each threshold, the mean over images."""
        return np.mean([score.precision for score in self.scores], axis=0)

    @property
    def recall(self) -> ByThreshold:
        """Recall at each threshold, the mean over images."""
        return np.mean([score.recall for score in self.scores], axis=0)

    @property
    def max_f(self) -> float:
        """The largest Fβ, over the thresholds, of mean precision and mean recall."""
        return float(f_measure(self.precision, self.recall).max())

    @property
    def threshold(self) -> float:
        """The threshold, in [0, 1], where :attr:`max_f` is reached."""
        return (255 - int(f_measure(self.precision, self.recall).argmax())) / 255


Image = UInt8[np.ndarray, "h w 3"]
FindMask = Callable[[Image], Mask]
"""An 8-bit RGB image → its soft mask, in [0, 1] and of the image's size."""


def evaluate(
    methods: dict[str, FindMask],
    images: Iterable[tuple[str, Image, Truth]],
    *,
    limit: int | None = None,
    picture: Callable[[str, Image, Truth, dict[str, Mask]], None] | None = None,
) -> list[MaskScores]:
    """Measure methods on the same images.

    Args:
      methods: what finds masks, by name.
      images: name, pixels and true mask of each image.
      limit: how many images are taken, the first ones; None: all.
      picture: called with each image's name, pixels, true mask, and found masks by method.

    Raises:
      UserError: there are no images, or a mask is not in [0, 1] or of another size than the truth.
    """
    scores: dict[str, list[MaskScore]] = {method: [] for method in methods}
    for name, image, truth in itertools.islice(images, limit):
        masks = {method: segment(image) for method, segment in methods.items()}
        for method, mask in masks.items():
            scores[method].append(score(name, mask, truth))
        if picture is not None:
            picture(name, image, truth, masks)
    if methods and not all(scores.values()):
        raise UserError("no images with masks to evaluate on")
    return [MaskScores(method, tuple(of_images)) for method, of_images in scores.items()]


def score(name: str, mask: Float[np.ndarray, "_ _"], truth: Bool[np.ndarray, "_ _"]) -> MaskScore:
    """Return all figures of one mask.

    Raises:
      UserError: the mask is not in [0, 1] or not of the truth's size.
    """
    check(name, mask, truth)
    stretched = normalised(mask)
    return MaskScore(
        name,
        mean_absolute_error(stretched, truth),
        s_measure(stretched, truth),
        iou(mask, truth),
        *precision_recall(stretched, truth),
    )


def check(name: str, mask: np.ndarray, truth: np.ndarray) -> None:
    """Raise UserError where a mask is not in [0, 1] or not of the truth's size."""
    if mask.shape != truth.shape:
        raise UserError(f"{name}: a mask of {mask.shape} for an image of {truth.shape}")
    if not (mask.min() >= 0 and mask.max() <= 1):  # NaN fails too
        raise UserError(f"{name}: a mask is in [0, 1], got {mask.min():g} to {mask.max():g}")


def normalised(mask: Mask) -> Mask:
    """Round a mask to 8 bits, then stretch it to [0, 1] by its extremes, unless it is blank.

    Source: PySODMetrics, ``prepare_data``, after MATLAB's ``mapminmax(im2double(·))``.
    """
    x = from_float(mask) / 255
    low, high = x.min(), x.max()
    return x if low == high else (x - low) / (high - low)


def mean_absolute_error(mask: Mask, truth: Truth) -> float:
    """Return the mean absolute error.

    Source: Perazzi et al., "Saliency Filters" (2012), eq. 9.
    """
    return float(np.abs(mask - truth).mean())


def iou(mask: Mask, truth: Truth) -> float:
    """Return the IoU of the truth and where ``mask`` is above 0.5; 1 where both are empty."""
    region = mask > REGION
    either = np.count_nonzero(region | truth)
    return np.count_nonzero(region & truth) / either if either else 1.0


def precision_recall(mask: Mask, truth: Truth) -> tuple[ByThreshold, ByThreshold]:
    """Return precision and recall of the regions where ``⌊255 × mask⌋`` is at least 255, 254, … 0.

    An empty region has precision 0, an empty truth recall 0. Source: PySODMetrics, ``cal_pr``.
    """
    levels = (mask * 255).astype(np.uint8)
    inside, outside = (np.bincount(levels[at], minlength=256) for at in (truth, ~truth))
    hits, misses = (np.cumsum(counts[::-1]) for counts in (inside, outside))
    return hits / np.maximum(hits + misses, 1), hits / max(hits[-1], 1)


def f_measure(
    precision: Float[np.ndarray, "*n"], recall: Float[np.ndarray, "*n"]
) -> Float[np.ndarray, "*n"]:
    """Return ``(1 + β²) P R / (β² P + R)``, β² = 0.3; 0 where both P and R are 0.

    Source: Achanta et al., "Frequency-tuned Salient Region Detection" (2009), eq. 6.
    """
    return (1 + BETA2) * precision * recall / np.maximum(BETA2 * precision + recall, EPS)


# S-measure: Fan et al., "Structure-measure: A New Way to Evaluate Foreground Maps" (2017), as in
# the authors' StructureMeasure.m.


def s_measure(mask: Mask, truth: Truth, alpha: float = 0.5) -> float:
    """Return ``α S_object + (1 − α) S_region`` (eq. 1), not below 0.

    Where the truth is all region, it is the mask's mean; where it is none, one minus that.
    """
    share = truth.mean()
    if share in (0, 1):
        return float(mask.mean() if share else 1 - mask.mean())
    similarity = alpha * object_similarity(mask, truth)
    return max(0.0, float(similarity + (1 - alpha) * region_similarity(mask, truth)))


def object_similarity(mask: Mask, truth: Truth) -> float:
    """Return how even foreground and background are, weighted by area (eq. 8)."""
    share = truth.mean()
    return share * evenness(mask[truth]) + (1 - share) * evenness(1 - mask[~truth])


def evenness(x: Float[np.ndarray, "n"]) -> float:
    """Return how near all of ``x`` is to 1 (eq. 6; λ = 0.5)."""
    mean, deviation = x.mean(), x.std(ddof=1) if x.size > 1 else 0.0
    return 2 * mean / (mean**2 + 1 + deviation + EPS)


def region_similarity(mask: Mask, truth: Truth) -> float:
    """Return the SSIM of the four parts cut at the truth's centroid, weighted by area (eq. 4)."""
    row, column = centroid(truth)
    total = 0.0
    for rows in (slice(row), slice(row, None)):
        for columns in (slice(column), slice(column, None)):
            part = mask[rows, columns]
            if part.size:
                total += part.size / mask.size * similarity(part, truth[rows, columns])
    return total


def centroid(truth: Truth) -> tuple[int, int]:
    """Return how many rows and columns there are up to the foreground's mean place, with it.

    Halves are rounded up as in MATLAB; PySODMetrics rounds them to even.
    """
    return tuple(math.floor(mean + 1.5) for mean in np.argwhere(truth).mean(axis=0))


def similarity(x: Mask, y: Truth) -> float:
    """Return the SSIM of two whole images, without its constants (eq. 2-3)."""
    mean_x, mean_y = x.mean(), y.mean()
    count = x.size - 1 + EPS
    variances = (((x - mean_x) ** 2).sum() + ((y - mean_y) ** 2).sum()) / count
    covariance = ((x - mean_x) * (y - mean_y)).sum() / count
    numerator = 4 * mean_x * mean_y * covariance
    denominator = (mean_x**2 + mean_y**2) * variances
    if numerator == 0:
        return float(denominator == 0)
    return numerator / (denominator + EPS)


# Methods that need no weights, to compare with


def everything(image: Image) -> Mask:
    """Take the whole image for the region."""
    return np.ones(image.shape[:2], np.float32)


def centred_gaussian(image: Image) -> Mask:
    """Take the middle for the region: a Gaussian, σ a quarter of each side, 1 at the centre.

    Photographers put their subject there: a method has to be better than this.
    """
    down, across = ((np.arange(n) + 0.5) / n - 0.5 for n in image.shape[:2])
    return np.exp(-8 * (down[:, None] ** 2 + across**2)).astype(np.float32)


BASELINES: dict[str, FindMask] = {"centred Gaussian": centred_gaussian, "everything": everything}
