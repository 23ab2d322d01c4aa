"""A difference for other seeds and other samples: both are drawn, and every seed meets every sample.

A run gets each sample right or wrong, and the difference of two levels in a share of right samples is the mean of the
differences d of seed s and sample i, +1, 0 or -1. Seeds and samples are crossed random effects. With S and I the
variances of the means of seeds and of samples and E the mean square of what is left, n seeds and N samples, the mean's
variance is S/n + I/N - E/(nN) (two-way analysis of variance; Searle, Casella and McCulloch 1992, *Variance
Components*, 4). An interval for other seeds alone is t times the root of S/n; what other samples add to the variance is
max(0, I/N - E/(nN)). Half lengths add up as squares, each with its own quantile of t (Graybill and Wang 1980, *J. Am.
Statist. Assoc.* 75; Zou and Donner 2008, *Statistics in Medicine* 27): with few seeds the interval stays as long as one
for seeds alone has to be, and it is never shorter.

Chosen by simulation (``python -m benchmarks.crossed_intervals``): it covers in 95 to 97 % of studies of 3, 5 and 10
seeds, whatever matters more. Satterthwaite's degrees of freedom can give a shorter interval than seeds alone have and
cover in 92 to 94 % with 3 seeds; the bootstrap of both (Owen 2007, *The Pigeonhole Bootstrap*, *Annals of Applied
Statistics* 1) covers in 82 to 94 % where seeds matter more and is too long where they do not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from ablate.analyse.bootstrap import CONFIDENCE
from ablate.analyse.results import Comparison, Interval
from ablate.task.correctness import Correctness


@dataclass(frozen=True)
class Components:
    """Variances of the mean of differences ``[seeds, samples]``, and the mean."""

    mean: float
    seeds: float
    """Of the mean over other seeds and the same samples, S/n."""
    samples: float
    """What other samples add, I/N - E/(nN), not below 0."""


def components(differences: NDArray[np.int8]) -> Components:
    """The parts of the variance of a mean of crossed differences.

    Args:
        differences: ``[seeds, samples]``, at least two of each.
    """
    n, count = differences.shape
    of_seeds, of_samples = differences.mean(axis=1), differences.mean(axis=0)
    mean = float(of_seeds.mean())
    total = float(np.square(differences, dtype=np.float64).sum()) - n * count * mean**2
    between_seeds, between_samples = of_seeds.var(ddof=1), of_samples.var(ddof=1)
    rest = total - count * (n - 1) * between_seeds - n * (count - 1) * between_samples
    left = max(0.0, rest) / ((n - 1) * (count - 1))
    return Components(mean, float(between_seeds / n), max(0.0, float(between_samples / count - left / (n * count))))


def crossed_interval(differences: NDArray[np.int8], confidence: float = CONFIDENCE) -> Interval:
    """An interval of the mean difference that is for other seeds and other samples.

    Args:
        differences: ``[seeds, samples]``, at least two of each.
        confidence: Nominal coverage, a fraction.
    """
    n, count = differences.shape
    parts = components(differences)
    tail = (1 + confidence) / 2
    half = np.sqrt(
        special.stdtrit(n - 1, tail) ** 2 * parts.seeds + special.stdtrit(count - 1, tail) ** 2 * parts.samples
    )
    return Interval(parts.mean - float(half), parts.mean + float(half), confidence, "crossed")


def with_samples(
    comparisons: Sequence[Comparison], runs: pd.DataFrame, kept: Mapping[str, Correctness]
) -> tuple[Comparison, ...]:
    """Comparisons with an interval for other samples, too, where it is known which samples their runs get right.

    Args:
        comparisons: Of one study.
        runs: Its frame of runs, with the column ``digest``.
        kept: By digest.
    """
    if not kept:
        return tuple(comparisons)
    keys = zip(runs["factor"], runs["order"], runs["seed"], strict=True)
    digests = dict(zip(keys, runs["digest"], strict=True))
    based = runs[runs["is_baseline"].astype(bool)]
    baselines = dict(zip(based["factor"], based["order"], strict=True))
    return tuple(_with_samples(one, baselines[one.factor], digests, kept) for one in comparisons)


def _with_samples(
    one: Comparison, baseline: int, digests: Mapping[tuple[str, int, int], str], kept: Mapping[str, Correctness]
) -> Comparison:
    if one.course is not None or one.n < 2:
        return one
    found = [
        (kept.get(digests[one.factor, one.order, seed]), kept.get(digests[one.factor, baseline, seed]))
        for seed in one.seeds
    ]
    pairs = [(a, b) for a, b in found if a and b and a.metric == b.metric == one.metric]
    if not pairs:
        return one
    if len(pairs) < one.n:
        return replace(one, samples_lack=f"kept of {len(pairs)} of {one.n} pairs of runs")
    if len({(run.samples, run.count) for pair in pairs for run in pair}) > 1 or pairs[0][0].count < 2:
        return replace(one, samples_lack="measured on other samples than the baseline")
    differences = np.array([a.right.astype(np.int8) - b.right.astype(np.int8) for a, b in pairs])
    return replace(one, with_samples=crossed_interval(differences), samples=pairs[0][0].count)
