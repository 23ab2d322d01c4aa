"""Which classes a network confuses, and how far its probabilities can be trusted; pure NumPy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 15
"""The bins of the reliability diagram (as in Guo et al. 2017)."""

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class ClassScores:
    """How each class is recognised; NaN where a share has nothing below its line."""

    precision: Floats
    """``[classes]``: of the pictures that were taken for the class, the share that is of it."""
    recall: Floats
    """``[classes]``: of the pictures of the class, the share that was taken for it."""
    f1: Floats
    """``[classes]``: their harmonic mean."""
    support: Counts
    """``[classes]``: pictures of the class."""


@dataclass(frozen=True)
class Calibration:
    """Whether what a network is sure of is right as often as it says.

    Source: Guo et al., "On calibration of modern neural networks" (2017), equations 2 to 5.
    """

    count: Counts
    """``[bins]``: pictures whose class got a probability in the bin; bins are of equal width, (low, high]."""
    confidence: Floats
    """``[bins]``: their mean probability; NaN where there are none."""
    accuracy: Floats
    """``[bins]``: the share of them that is right; NaN where there are none."""
    ece: float
    """Expected calibration error: mean distance of the two, weighted by the pictures."""
    mce: float
    """Maximum calibration error: the largest distance."""
    excess: float
    """Mean probability less accuracy: above 0, the network is surer than it is right."""
    excess_error: float
    """Its standard error over the pictures; NaN of a single one."""


def confusion(labels: NDArray[np.integer], predicted: NDArray[np.integer], classes: int) -> Counts:
    """Counts of true and predicted classes.

    Args:
        labels: ``[N]``.
        predicted: ``[N]``.
        classes: Their number.

    Returns:
        int64 ``[classes, classes]``: rows are true classes, columns predicted ones.
    """
    pairs = np.asarray(labels, dtype=np.int64) * classes + predicted
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes).astype(np.int64)


def class_scores(counts: Counts) -> ClassScores:
    """Precision, recall and F1 of each class.

    Args:
        counts: The counts from :func:`confusion`.
    """
    hits, true, predicted = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return ClassScores(hits / predicted, hits / true, 2 * hits / (true + predicted), true)


def calibration(shares: NDArray[np.floating], labels: NDArray[np.integer], bins: int = BINS) -> Calibration:
    """Reliability of the probabilities that predicted classes get.

    Args:
        shares: Probabilities ``[N, classes]``, N at least 1.
        labels: ``[N]``.
        bins: The bins of equal width between 0 and 1.
    """
    confidence = np.asarray(shares, dtype=np.float64).max(axis=1)
    right = shares.argmax(axis=1) == labels
    inner = np.linspace(0.0, 1.0, bins + 1)[1:-1]
    places = np.searchsorted(inner, confidence, side="left")
    count = np.bincount(places, minlength=bins)
    with np.errstate(invalid="ignore"):
        sure = np.bincount(places, confidence, bins) / count
        accuracy = np.bincount(places, right, bins) / count
    gaps = np.abs(sure - accuracy)[count > 0]
    ece = float((gaps * count[count > 0]).sum() / len(labels))
    excess = confidence - right
    error = float(excess.std(ddof=1) / np.sqrt(len(excess))) if len(excess) > 1 else float("nan")
    return Calibration(count.astype(np.int64), sure, accuracy, ece, float(gaps.max()), float(excess.mean()), error)


def worst_errors(shares: NDArray[np.floating], labels: NDArray[np.integer], most: int) -> Counts:
    """The mistakes of which the network was surest.

    Args:
        shares: Probabilities ``[N, classes]``.
        labels: ``[N]``.
        most: So many at most.

    Returns:
        Positions, int64, by falling probability of the wrong class.
    """
    wrong = np.flatnonzero(shares.argmax(axis=1) != labels)
    order = np.argsort(-shares[wrong].max(axis=1), kind="stable")
    return wrong[order][:most].astype(np.int64)
