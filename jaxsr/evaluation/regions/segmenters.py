"""Measuring segmenters: of a training run, or beside what needs no weights."""

import os
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt, UInt8

from jaxsr import pipeline, zoo
from jaxsr.data import masked, masks
from jaxsr.evaluation.evaluator import Evaluator, Figures, Show, make_evaluator
from jaxsr.evaluation.regions import saliency
from jaxsr.evaluation.regions.classes import confusion, mean_iou
from jaxsr.image.values import from_float
from jaxsr.zoo.weights import Weights

Labels = UInt8[np.ndarray, "h w"]


def evaluator(
    source: str,
    *,
    legend: masks.Brightness | masks.Legend,
    cache: str | os.PathLike = "",
    data_dir: str = "",
    pictures: int = 2,
) -> Evaluator:
    """Return what measures segmenters while they train, by masks such as training's.

    Of networks with one logit ``mae``, ``max_f`` and ``iou`` (:mod:`~.saliency`), of others
    ``mean_iou`` over the classes. Pixels labelled ``masks.IGNORED`` count for nothing.

    Args:
      source: a folder of ``images/`` and ``masks/``, or as ``config.data.source`` names one.
      legend, cache, data_dir: see :func:`jaxsr.data.masked.open_masked`.

    Raises:
      UserError: there is no such source, or an image in it has no mask.
    """
    spec = source if source.startswith(("folder:", "tfds:")) else f"folder:{source}"
    examples = masked.open_masked(spec, legend, cache, data_dir)

    def measure(segment: pipeline.Segment, show: Show) -> Figures:
        measured = []
        for index, name in enumerate(examples.names):
            image, mask = examples.pair(index)
            labels = legend.labels(mask)
            if np.all(labels == masks.IGNORED):
                continue
            found: Any = segment.labels(image) if segment.classes else segment(image).mask
            measured.append(measure_one(name, found, labels, len(segment.classes)))
            show(name, side_by_side(image, labels, found, len(segment.classes)))
        return summary(measured)

    return make_evaluator(built, measure, pictures)


def built(weights: Weights, before: pipeline.Segment | None = None) -> pipeline.Segment:
    """Return the segmenter of weights, with the programs of ``before``."""
    if before is not None:
        return before.with_params(weights.params)
    return pipeline.Segment(zoo.build(weights), weights.params)


def finder(weights: Weights) -> saliency.FindMask:
    """Return the segmenter of weights as a function from image to mask."""
    segment = built(weights)

    def find(image: Any) -> Any:
        return segment(image).mask

    return find


def measure_one(
    name: str,
    found: Float[np.ndarray, "h w"] | UInt[np.ndarray, "h w"],
    labels: Labels,
    classes: int,
) -> saliency.MaskScore | Int[np.ndarray, "classes classes"]:
    """Return an image's score where ``found`` is a mask, its confusion matrix where it is labels.

    Args:
      classes: how many there are; 0: a mask.
    """
    known = labels != masks.IGNORED
    found, labels = found[known], labels[known]
    if classes:
        return confusion(found, labels, classes)
    return saliency.score(name, found[None], labels[None] == 1)  # as images of one row


def summary(measured: list) -> Figures:
    """Return MAE, max-Fβ and IoU of scores; mean IoU of confusion matrices."""
    if isinstance(measured[0], np.ndarray):
        return {"mean_iou": mean_iou(np.sum(measured, axis=0))}
    result = saliency.MaskScores("", tuple(measured))
    return {"mae": result.mae, "max_f": result.max_f, "iou": result.iou}


def side_by_side(
    image: UInt8[np.ndarray, "h w 3"],
    labels: Labels,
    found: Float[np.ndarray, "h w"] | UInt[np.ndarray, "h w"],
    classes: int,
) -> UInt8[np.ndarray, "h w3 3"]:
    """Return image, truth and what was found; classes are grays, what is ignored is half gray."""
    last = max(1, classes - 1)
    truth = np.where(labels == masks.IGNORED, 0.5, labels / last)
    guess = found / last if classes else found
    grays = (np.repeat(from_float(x)[..., None], 3, axis=-1) for x in (truth, guess))
    return np.concatenate([image, *grays], axis=1)
