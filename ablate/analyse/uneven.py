"""Levels of which a mean says too little: a few runs stand apart, or one tail is long.

Now and then a seed does badly: it stays at chance, or ends far below all others. Then the mean is that of two groups,
which the interval cannot see where too few seeds were drawn, and two levels with equal means but different shapes
are told apart falsely by any test of means. Such levels are marked, and the mean of the middle half and the share of
runs that stand apart are printed beside their mean.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ablate.analyse.bootstrap import CONFIDENCE, Floats

LEAST_RUNS = 5
"""Fewest runs of which anything can be said of a shape."""
GAP = 2.0
"""A run stands apart below a gap that is more than so many times as wide as all runs above it are spread."""
UNEVEN = (
    "lie far from the rest: verdicts about their means may be wrong more often than stated; look at the single runs."
)
"""What follows from it, after "Runs of ...". Where a tenth of one level's runs collapse, equal means look different in
a third of studies of 10 seeds."""
UNEVEN_LEVEL = f"Some runs {UNEVEN}"
UNEVEN_BASELINE = f"Some runs of the baseline, with which every level is compared, {UNEVEN}"
"""Warnings of a comparison: about its level, and about what it is compared with."""
LONG_TAIL = 2.5
"""Standard errors of the skewness of normal samples beyond which a tail is long."""


def apart(values: Floats, sign: float) -> NDArray[np.bool_]:
    """Runs of each sample that stand apart from a better majority.

    Sorted from the best, the runs below the first gap that is more than twice as wide as the runs above it are spread,
    if those are at least half of all: the ratio of Dixon's test for outliers (Dixon 1950, *Annals of Mathematical
    Statistics* 21), for groups as well. With :func:`has_long_tail` it marks 2 % of normal samples at 10 runs and 11 %
    at 5 (``results/benchmarks/intervals.md``).

    Args:
        values: [samples, n], finite.
        sign: 1 where higher is better, else -1.

    Returns:
        [samples, n]; none below ``LEAST_RUNS`` runs.
    """
    samples, n = values.shape
    if n < LEAST_RUNS:
        return np.zeros((samples, n), dtype=bool)
    ordered = -np.sort(-values * sign, axis=1)
    first = (n + 1) // 2
    above = ordered[:, [0]] - ordered[:, first - 1 : -1]
    gaps = ordered[:, first - 1 : -1] - ordered[:, first:]
    wide: NDArray[np.bool_] = gaps > GAP * above + 1e-12 * np.abs(ordered[:, [0]])
    edge = ordered[np.arange(samples), first + np.argmax(wide, axis=1)]
    edge[~wide.any(axis=1)] = -np.inf
    return np.asarray(values * sign <= edge[:, None])


def has_long_tail(values: Floats) -> NDArray[np.bool_]:
    """Whether the skewness of each sample of [samples, n] is beyond what normal samples have by chance."""
    samples, n = values.shape
    found = np.zeros(samples, dtype=bool)
    if n < LEAST_RUNS:
        return found
    spread = np.ptp(values, axis=1) > 1e-9 * np.abs(values).max(axis=1)
    if spread.any():
        error = np.sqrt(6 * n * (n - 1) / ((n - 2) * (n + 1) * (n + 3)))
        skewness = _skewness(values[spread])
        found[spread] = np.abs(skewness) > LONG_TAIL * error
    return found


def _skewness(values: Floats) -> Floats:
    """The adjusted Fisher-Pearson coefficient (G1 of Joanes and Gill 1998, *The Statistician* 47) of each row."""
    n = values.shape[1]
    apart = values - values.mean(axis=1, keepdims=True)
    g1 = (apart**3).mean(axis=1) / (apart**2).mean(axis=1) ** 1.5
    return np.asarray(g1 * math.sqrt(n * (n - 1)) / (n - 2), dtype=np.float64)


def wilson(count: float, of: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson 1927, *JASA* 22).

    Args:
        count: how many, 0 to ``of``; what counts half makes it no whole number.
        of: at least 1; that of an average of shares may be no whole number.
    """
    z2 = float(special.ndtri(0.5 + CONFIDENCE / 2)) ** 2
    middle, half = count + z2 / 2, math.sqrt(z2 * (count * (of - count) / of + z2 / 4))
    return max(0.0, (middle - half) / (of + z2)), min(1.0, (middle + half) / (of + z2))
