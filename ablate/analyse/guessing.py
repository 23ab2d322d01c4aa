"""What guessing scores on a run's data, and which runs did no better.

Nothing is known of the data here: what guessing scores comes with the frame of runs, run by run, from whoever trained
them. The column ``guess.<metric>`` holds the value, ``guess_samples.<metric>`` the number of samples behind one value
of the metric; NaN, or no such column, where it is not known, and then no run is at chance.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy import special

from ablate.analyse.bootstrap import Floats
from ablate.task.metric import Metric

LUCK = 0.001
"""Share of guessing runs that may lie beyond what counts as at chance."""


def guess_columns(metric: str) -> tuple[str, str]:
    """Names of the columns with what guessing scores in a metric, and with the samples behind it."""
    return f"guess.{metric}", f"guess_samples.{metric}"


def guesses(runs: pd.DataFrame, metric: Metric) -> Floats:
    """What guessing scores on the data of each run, [rows]; NaN where it is not known."""
    return _column(runs, guess_columns(metric.name)[0])


def at_chance(runs: pd.DataFrame, metric: Metric, declared: Iterable[Metric] = ()) -> Floats:
    """Which runs did no better than guessing, as far as the metric's part of the data tells.

    A share of samples (a metric in [0, 1] with known samples) tells best, as it is known how far guessing strays by
    luck: at most one guessing run in a thousand is beyond the binomial quantile. So where the metric itself is no share
    (a loss), a share of the same part of the data is asked instead, if there is one; without any, the metric's value
    must be better than guessing.

    Args:
        runs: frame of runs.
        metric: a metric column.
        declared: further metrics whose columns may be there.

    Returns:
        [rows]: 1 at chance, 0 better, NaN where it is not known (not measured, or what guessing scores is not).
    """
    shares = [
        other
        for other in (metric, *declared)
        if other.name in runs.columns
        and (other == metric or (metric.split is not None and other.split == metric.split))
        and is_share(other)
    ]
    told = np.full(len(runs), np.nan)
    for asked in (*shares, metric):
        found = _no_better(runs, asked)
        told = np.where(np.isnan(told), found, told)
    return told


def bound_of_luck(metric: Metric, guess: Floats, samples: Floats) -> Floats:
    """The best value that cannot be told from guessing; the guess itself where luck is not known.

    Args:
        metric: with its direction and range.
        guess: what guessing scores, [...].
        samples: behind one value of the metric, [...]; NaN: not known.
    """
    if not is_share(metric):
        return guess
    known = np.isfinite(guess) & np.isfinite(samples) & (samples >= 1) & (guess >= 0) & (guess <= 1)
    quantile = 1 - LUCK if metric.goal == "max" else LUCK
    with np.errstate(invalid="ignore"):
        right = _binomial_quantile(quantile, np.where(known, samples, 1), np.where(known, guess, 0.5))
    return np.where(known, right / np.where(known, samples, 1), guess)


def _binomial_quantile(quantile: float, n: Floats, p: Floats) -> Floats:
    """The smallest count that draws of n trials do not exceed with a probability of ``quantile``, by halving; [...].

    As ``scipy.stats.binom.ppf``, whose module takes a second to import.
    """
    trials = n.astype(np.int64)
    below, found = np.full(trials.shape, -1), trials
    while (found - below > 1).any():
        middle = (below + found) // 2
        reached = (special.bdtr(middle, trials, p) >= quantile) & (middle >= 0)
        below, found = np.where(reached, below, middle), np.where(reached, middle, found)
    return np.asarray(found, dtype=np.float64)


def _no_better(runs: pd.DataFrame, metric: Metric) -> Floats:
    value = _column(runs, metric.name)
    guess, samples = (_column(runs, name) for name in guess_columns(metric.name))
    bound = bound_of_luck(metric, guess, samples)
    known = np.isfinite(value) & np.isfinite(bound)
    return np.where(known, (value * metric.sign <= bound * metric.sign).astype(np.float64), np.nan)


def is_share(metric: Metric) -> bool:
    """Whether the metric is a share of samples, as far as its range tells."""
    return metric.low == 0.0 and metric.high == 1.0


def samples_of(runs: pd.DataFrame, metric: Metric) -> Floats:
    """How many samples are behind one value of the metric, [rows]; NaN where it is not known."""
    return _column(runs, guess_columns(metric.name)[1])


def _column(runs: pd.DataFrame, name: str) -> Floats:
    if name not in runs.columns:
        return np.full(len(runs), np.nan)
    return np.asarray(runs[name].to_numpy(dtype=np.float64))
