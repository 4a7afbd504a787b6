"""How well every pixel's class is found: a confusion matrix, and the mean IoU of it."""

import numpy as np
from jaxtyping import Float, Int, Integer

Matrix = Int[np.ndarray, "n n"]


def confusion(
    found: Integer[np.ndarray, "*k"], truth: Integer[np.ndarray, "*k"], classes: int
) -> Matrix:
    """Count how many pixels of each class (row) were taken for each class (column)."""
    pairs = truth.astype(np.int64).ravel() * classes + found.ravel()
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def ious(matrix: Matrix) -> Float[np.ndarray, "n"]:
    """Return each class's intersection over union; NaN where no pixel is of it or taken for it."""
    hits = np.diag(matrix)
    either = matrix.sum(0) + matrix.sum(1) - hits
    return np.where(either > 0, hits / np.maximum(either, 1), np.nan)


def mean_iou(matrix: Matrix) -> float:
    """Return the mean IoU of the classes that occur, of all images' pixels together.

    Source: Everingham et al., "The Pascal Visual Object Classes Challenge: A Retrospective"
      (2015), 3.3.
    """
    return float(np.nanmean(ious(matrix)))
