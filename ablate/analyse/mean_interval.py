"""The 95 % interval of a level's mean: Student's t, cut to where a mean can be.

Ends beyond the metric's range say nothing and are cut there. From eight seeds on an end beyond all observations is cut
to the outermost of them: that the mean lies beyond every one of n runs has a probability of 2 / 2^n where runs are
symmetric, less than 1 % then, and no coverage is lost by it (``results/benchmarks/intervals.md``). With fewer seeds it
would be, so there t is left as it is.

Neither a correction for skewness (Johnson 1978; Hall 1992) nor a bootstrap (BCa) is made: the first gains less than
half a per cent of coverage where it is smooth, and jumps where it gains more; the second covers far less at few seeds.
No interval can see bad seeds that did not occur: the share of runs that stand apart is said beside the mean
(:mod:`ablate.analyse.uneven`).
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ablate.analyse.bootstrap import CONFIDENCE, Floats
from ablate.task.metric import Metric

WITHIN_OBSERVATIONS_FROM = 8
"""Runs from which on an interval of the mean ends within the observations."""


def mean_interval(
    metric: Metric,
    n: ArrayLike,
    mean: ArrayLike,
    sd: ArrayLike,
    least: ArrayLike,
    greatest: ArrayLike,
    confidence: float = CONFIDENCE,
) -> tuple[Floats, Floats]:
    """The interval from the statistics of samples, element by element.

    Args:
        metric: with its range.
        n: sizes.
        mean: their means.
        sd: standard deviations (n - 1).
        least: smallest observations.
        greatest: largest observations.
        confidence: nominal coverage, a fraction.

    Returns:
        Lower and upper ends; NaN where n is below 2.
    """
    n, mean, sd, least, greatest = (np.asarray(values, dtype=np.float64) for values in (n, mean, sd, least, greatest))
    many = n >= WITHIN_OBSERVATIONS_FROM
    with np.errstate(invalid="ignore"):
        half = special.stdtrit(np.where(n >= 2, n - 1, np.nan), 0.5 + confidence / 2) * sd / np.sqrt(n)
    low = np.maximum(mean - half, np.where(many, least, -np.inf if metric.low is None else metric.low))
    high = np.minimum(mean + half, np.where(many, greatest, np.inf if metric.high is None else metric.high))
    return np.minimum(low, mean), np.maximum(high, mean)


def interval_of(metric: Metric, values: Floats, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """The interval of each sample's mean.

    Args:
        metric: with its range.
        values: [samples, n], finite, n >= 1.
        confidence: nominal coverage, a fraction.

    Returns:
        Lower and upper ends, each [samples]; NaN where n is 1.
    """
    n = values.shape[1]
    sd = values.std(axis=1, ddof=1) if n >= 2 else np.full(len(values), np.nan)
    return mean_interval(metric, n, values.mean(axis=1), sd, values.min(axis=1), values.max(axis=1), confidence)
