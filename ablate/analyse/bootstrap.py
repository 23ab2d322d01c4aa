"""Student's t interval of a mean and the bootstrap of the middle half's, for many samples of equal size at once.

Source of the second: Agarwal et al. 2021, *Deep Reinforcement Learning at the Edge of the Statistical Precipice*
(interquartile mean and its percentile bootstrap, as in rliable).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import special

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


def interquartile_mean(values: Floats) -> Floats:
    """Mean of the middle half of each sample: a quarter of the runs (rounded down) cut off at either end.

    Args:
        values: [..., n], finite, n >= 1.

    Returns:
        [...].
    """
    cut = values.shape[-1] // 4
    ascending = np.sort(values, axis=-1)
    return np.asarray(ascending[..., cut : values.shape[-1] - cut].mean(axis=-1), dtype=np.float64)


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
        low[rows], high[rows] = np.quantile(ordered[rows] @ weights.T, [tail, 1 - tail], axis=1)
    return low, high


def _weights(indices: NDArray[np.integer], n: int) -> Floats:
    """How often each of n entries was drawn, divided by n: a resampled mean is a product with it. [resamples, n]."""
    resamples = indices.shape[0]
    cells = indices + n * np.arange(resamples)[:, None]
    return np.bincount(cells.ravel(), minlength=n * resamples).reshape(resamples, n) / n


def _blocks(samples: int, resamples: int) -> Iterator[slice]:
    step = max(1, _BLOCK // resamples)
    return (slice(start, start + step) for start in range(0, samples, step))
