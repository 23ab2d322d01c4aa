"""The 95 % interval of a level's mean: Student's t, stretched towards a long tail.

Accuracies over seeds are skewed: now and then a seed does badly. Then t is too short on that side. Hall's interval is
that of a monotone transformation of the t statistic which takes the skewness out, turned back: long where the tail is.
Ours is the hull of both, so that it is never shorter than t, and at most 2.6 times as long. Why not one of the
bootstraps: :mod:`ablate.analyse.describe`.

Source: Hall 1992, *On the Removal of Skewness by Transformation*, J. R. Statist. Soc. B 54(1), 221-228 (the cubic one,
T3 of its section 2). It departs from it in taking Student's quantile instead of the normal one, as n is small.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from ablate.analyse.bootstrap import CONFIDENCE, Floats

STRAIGHT = 1e-6
"""A smaller skewness is none: the transformation's limit is the identity."""


def mean_interval(
    n: ArrayLike, mean: ArrayLike, sd: ArrayLike, skewness: ArrayLike, confidence: float = CONFIDENCE
) -> tuple[Floats, Floats]:
    """The interval from the moments of samples, element by element.

    Args:
        n: sizes.
        mean: their means.
        sd: standard deviations (n - 1).
        skewness: bias-adjusted (G1, as pandas has it); NaN, as below three values or where all are equal, counts as 0.
        confidence: nominal coverage, a fraction.

    Returns:
        Lower and upper ends; NaN where n is below 2.
    """
    n, mean, sd = (np.asarray(values, dtype=np.float64) for values in (n, mean, sd))
    with np.errstate(invalid="ignore", divide="ignore"):
        # Hall's is the sample's own skewness; the adjusted one covers no better and is far longer at ten seeds.
        g = np.nan_to_num(np.asarray(skewness, dtype=np.float64) * (n - 2) / np.sqrt(n * (n - 1)))
        t = special.stdtrit(np.where(n >= 2, n - 1, np.nan), 0.5 + confidence / 2) / np.sqrt(n)
        low, high = (np.where(np.abs(g) < STRAIGHT, side, _untransformed(side, g, n)) for side in (-t, t))
    return mean - np.fmax(t, high) * sd, mean - np.fmin(-t, low) * sd


def moments(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean, standard deviation (n - 1) and bias-adjusted skewness of each sample, NaN where there is none.

    Args:
        values: [samples, n].
    """
    from scipy.stats import skew

    n, constant = values.shape[1], np.ptp(values, axis=1) == 0
    skewness = np.full(len(values), np.nan)
    if n >= 3:
        skewness[~constant] = skew(values[~constant], axis=1, bias=False)
    sd = values.std(axis=1, ddof=1) if n >= 2 else np.full(len(values), np.nan)
    return values.mean(axis=1), sd, skewness


def _untransformed(y: Floats, g: Floats, n: Floats) -> Floats:
    """What Hall's transformation x + g x**2 / 3 + g**2 x**3 / 27 + g / (6 n) turns into ``y``."""
    x: Floats = 3 / g * (np.cbrt(1 + g * (y - g / (6 * n))) - 1)
    return x
