"""Intervals of a mean: Student's t and the bootstrap, for many samples of equal size at once.

Sources: Efron and Tibshirani 1993, *An Introduction to the Bootstrap*, 14.3 (BCa, as in ``scipy.stats.bootstrap``,
which the tests hold it against); Agarwal et al. 2021, *Deep Reinforcement Learning at the Edge of the Statistical
Precipice* (interquartile mean and its stratified percentile bootstrap, as in rliable).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

Floats = NDArray[np.float64]

CONFIDENCE = 0.95

_BLOCK = 4_000_000
"""Numbers held at once while resampling."""


def t_interval(values: Floats, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """Student's t interval of each sample's mean.

    Args:
        values: [samples, n], finite, n >= 2.
        confidence: nominal coverage, a fraction.

    Returns:
        Lower and upper ends, each [samples].
    """
    n = values.shape[1]
    half = special.stdtrit(n - 1, 0.5 + confidence / 2) * values.std(axis=1, ddof=1) / np.sqrt(n)
    mean = values.mean(axis=1)
    return mean - half, mean + half


def bca_interval(
    values: Floats, resamples: int, generator: np.random.Generator, confidence: float = CONFIDENCE
) -> tuple[Floats, Floats]:
    """Bias-corrected and accelerated bootstrap interval of each sample's mean.

    All samples are resampled with the same indices; each interval is what ``scipy.stats.bootstrap(method="BCa")`` gives
    with these indices.

    Args:
        values: [samples, n], finite, n >= 3.
        resamples: bootstrap resamples, e.g. 2000.
        generator: source of the indices.
        confidence: nominal coverage, a fraction.

    Returns:
        Lower and upper ends, each [samples]; NaN for a sample of equal values.
    """
    samples, n = values.shape
    weights = _weights(generator.integers(0, n, (resamples, n)), n)
    low, high = np.full(samples, np.nan), np.full(samples, np.nan)
    for rows in _blocks(samples, resamples):
        means = np.sort(values[rows] @ weights.T, axis=1)
        low[rows], high[rows] = _bca_ends(values[rows], means, confidence)
    constant = np.ptp(values, axis=1) == 0
    low[constant] = high[constant] = np.nan
    return low, high


def interquartile_mean(values: Floats) -> Floats:
    """Mean of the middle half of each sample: a quarter of the runs (rounded down) cut off at either end.

    Args:
        values: [..., n], finite, n >= 1.

    Returns:
        [...].
    """
    return np.asarray(stats.trim_mean(values, 0.25, axis=-1), dtype=np.float64)


def iqm_interval(
    values: Floats, resamples: int, generator: np.random.Generator, confidence: float = CONFIDENCE
) -> tuple[Floats, Floats]:
    """Percentile bootstrap interval of each sample's interquartile mean, all samples resampled with the same indices.

    Args:
        values: [samples, n], finite, n >= 4.
        resamples: bootstrap resamples.
        generator: source of the indices.
        confidence: nominal coverage, a fraction.

    Returns:
        Lower and upper ends, each [samples].
    """
    samples, n = values.shape
    indices = np.sort(generator.integers(0, n, (resamples, n)), axis=1)
    cut = int(0.25 * n)
    kept = indices[:, cut : n - cut]  # of the ranks, as every sample is sorted below: no sort per resample and sample
    weights = _weights(kept, n) * (n / (n - 2 * cut))
    ordered = np.sort(values, axis=1)
    tail = (1 - confidence) / 2
    low, high = np.empty(samples), np.empty(samples)
    for rows in _blocks(samples, resamples):
        means = np.sort(ordered[rows] @ weights.T, axis=1)
        ranks = np.array([[tail], [1 - tail]]) * np.full(len(means), resamples - 1)
        low[rows], high[rows] = _at_rank(means, ranks[0]), _at_rank(means, ranks[1])
    return low, high


def stratified_iqm_interval(
    values: Floats, resamples: int, generator: np.random.Generator, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Percentile bootstrap interval of the interquartile mean over several settings together, resampled within each.

    Args:
        values: [runs, settings], finite: rliable's "score matrix".
        resamples: bootstrap resamples.
        generator: source of the indices.
        confidence: nominal coverage, a fraction.

    Returns:
        Lower and upper end.
    """
    runs, settings = values.shape
    indices = generator.integers(0, runs, (resamples, runs, settings))
    scores = interquartile_mean(values[indices, np.arange(settings)].reshape(resamples, -1))
    tail = (1 - confidence) / 2
    low, high = np.quantile(scores, [tail, 1 - tail])
    return float(low), float(high)


def _bca_ends(values: Floats, means: Floats, confidence: float) -> tuple[Floats, Floats]:
    """BCa ends from sorted bootstrap means; ``values`` [samples, n], ``means`` [samples, resamples]."""
    resamples = means.shape[1]
    point = values.mean(axis=1, keepdims=True)
    close = 1e-12 * np.abs(values).max(axis=1, keepdims=True)  # a resample's mean equals the mean up to rounding
    below = (means < point - close).sum(axis=1)
    equal = (np.abs(means - point) <= close).sum(axis=1)
    bias = stats.norm.ppf((below + equal / 2) / resamples)
    centred = values - point  # jackknife influence, up to a factor that cancels
    with np.errstate(invalid="ignore", divide="ignore"):
        acceleration = (centred**3).sum(axis=1) / (centred**2).sum(axis=1) ** 1.5 / 6
        z = stats.norm.ppf(0.5 - confidence / 2)
        ranks = [
            stats.norm.cdf(bias + (bias + side) / (1 - acceleration * (bias + side))) * (resamples - 1)
            for side in (z, -z)
        ]
    return _at_rank(means, ranks[0]), _at_rank(means, ranks[1])


def _at_rank(means: Floats, rank: Floats) -> Floats:
    """Linear interpolation at a fractional rank of each sorted row; a NaN rank gives NaN."""
    known = np.nan_to_num(rank)
    left = np.floor(known).astype(np.intp)
    right = np.minimum(left + 1, means.shape[1] - 1)
    rows = np.arange(means.shape[0])
    value = means[rows, left] + (known - left) * (means[rows, right] - means[rows, left])
    return np.where(np.isnan(rank), np.nan, value)


def _weights(indices: NDArray[np.integer], n: int) -> Floats:
    """How often each of n entries was drawn, divided by n: a resampled mean is a product with it. [resamples, n]."""
    resamples = indices.shape[0]
    cells = indices + n * np.arange(resamples)[:, None]
    return np.bincount(cells.ravel(), minlength=n * resamples).reshape(resamples, n) / n


def _blocks(samples: int, resamples: int) -> Iterator[slice]:
    step = max(1, _BLOCK // resamples)
    return (slice(start, start + step) for start in range(0, samples, step))
