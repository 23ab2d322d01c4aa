"""Which level is the best, how sure is that, and which levels cannot be told from it."""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ablate.analyse.bootstrap import Floats
from ablate.analyse.errors import AnalysisError
from ablate.analyse.panel import Panel, diverged_text, make_panel
from ablate.analyse.power import ALPHA
from ablate.analyse.results import Best, LevelChance
from ablate.analyse.sign_flip import least_pairs, pairwise, with_exact
from ablate.task.metric import Metric

DRAWS = 10_000
LEAST_FOR_PROBABILITY = 5
MOST_LEVELS = 200
"""All pairs of levels are tested: 200 levels are 40,000 pairs."""


def best(
    runs: pd.DataFrame,
    *,
    metric: Metric,
    factor: str | None = None,
    seed: int = 0,
    declared: Iterable[Metric] = (),
) -> Best:
    """Rank the levels of a factor.

    The probability of being best is that of the posterior of the means, multivariate t with the seeds' covariance (no
    prior knowledge, normal noise; of two levels it is the paired t test's one-sided p turned round). Below five seeds
    there is none: two levels that are alike would often be told "100 %".

    The set of levels that cannot be told from the best is a 95 % confidence set of the truly best level: it holds every
    level for which "no other level is better" is not rejected at 5 %. Choosing the best from the same data therefore
    biases nothing (subset selection, Gupta 1965, *Technometrics* 7; multiple comparisons with the best, Hsu 1984,
    *Annals of Statistics* 12). Departures from these: the comparisons are paired sign-flip tests instead of t tests
    with a pooled variance, as levels spread very differently, and a level's several comparisons are combined by Simes'
    rule (``simes``). So that the analysis of a whole study does not contradict itself, its set also holds what its
    two-sided comparisons with the baseline, of all factors together, do not tell from the best.

    A diverged run ranks below every finished one (:func:`ablate.analyse.panel.worst_of`). Two levels that learned
    nothing, or whose seeds do not differ, are not told from each other. Levels with less than half of the seeds of the
    fullest level are left out.

    Args:
        runs: frame of runs of one study.
        metric: a metric with a column of its name.
        factor: may be None where the frame has one only.
        seed: of the posterior draws and of the random sign flips.
        declared: further metrics, which may tell whether a run is at chance.

    Raises:
        AnalysisError: fewer than two levels or two common seeds, or more than ``MOST_LEVELS`` levels.
    """
    return best_of(make_panel(runs, metric, factor, declared), seed=seed)


def best_of(panel: Panel, *, seed: int = 0) -> Best:
    """What :func:`best` does, with the factor and metric as a matrix."""
    metric = panel.metric
    counted = panel.counted
    kept, seeds = _rankable(panel, np.isfinite(counted))
    values = counted[kept][:, seeds]
    n = values.shape[1]
    oriented = values * metric.sign
    shares = _probabilities(oriented, seed)
    exact = panel.exact[kept]
    tests = with_exact(pairwise(oriented, seed=seed), exact)
    told = panel.told[np.ix_(kept, kept)]
    tests.p[~told] = 1.0
    others = [np.delete(tests.p[:, row], row) for row in range(len(kept))]
    levels = tuple(
        LevelChance(
            level.value,
            level.label,
            level.order,
            float(mean),
            None if n < LEAST_FOR_PROBABILITY or exact.all() else float(share),
            p,
            p > ALPHA,
        )
        for level, mean, share, p in zip(
            (panel.levels[row] for row in kept), values.mean(axis=1), shares, map(simes, others), strict=True
        )
    )
    warnings = list(panel.warnings)
    left_out = tuple(level.label for row, level in enumerate(panel.levels) if row not in kept)
    if left_out:
        warnings.append(f"Not ranked for lack of runs: {', '.join(left_out)}.")
    diverged = int(panel.diverged[kept][:, seeds].sum())
    if diverged:
        warnings.append(diverged_text(panel, diverged))
    if n < least_pairs(ALPHA, two_sided=False) and not exact.all():
        warnings.append(f"{n} seeds cannot tell any two levels apart at 5 %: it takes 5.")
    lost = int(np.isfinite(counted[kept]).any(axis=0).sum()) - n
    if lost:
        warnings.append(f"{lost} seed(s) are not there at every level and are left out of the ranking.")
    return Best(
        *(panel.study, panel.factor, metric.name, n, levels),
        best=levels[int(np.argmax(oriented.mean(axis=1)))].label,
        indistinguishable=tuple(level.label for level in levels if level.in_set),
        left_out=left_out,
        warnings=tuple(warnings),
    )


def simes(p: Floats) -> float:
    """One p for "none of these hypotheses is false" (Simes 1986, *Biometrika* 73).

    The smallest of m p_(k) / k over the ascending p_(1..m). Valid for independent and positively dependent tests
    (Sarkar 1998, *Annals of Statistics* 26); comparisons of several levels with one common level are positively
    dependent. Stronger than Bonferroni where many agree: if all m are below 5 %, so is the result.

    Args:
        p: [m], m >= 1.
    """
    return float(np.min(np.sort(p) * (len(p) / np.arange(1, len(p) + 1))))


def _rankable(panel: Panel, there: NDArray[np.bool_]) -> tuple[list[int], NDArray[np.intp]]:
    """Rows of the levels to rank, and the columns of the seeds that all of them have."""
    if len(panel.levels) > MOST_LEVELS:
        raise AnalysisError(f"{panel.factor}: {len(panel.levels)} levels; ranking compares at most {MOST_LEVELS}")
    counts = there.sum(axis=1)
    kept = [row for row, count in enumerate(counts) if count >= max(2, counts.max() / 2)]
    if len(kept) < 2:
        raise AnalysisError(f"{panel.factor}: {len(kept)} level(s) with two runs; ranking needs two")
    seeds = np.flatnonzero(there[kept].all(axis=0))
    if len(seeds) < 2:
        raise AnalysisError(f"{panel.factor}: {len(seeds)} seed(s) common to all levels; ranking needs two")
    return kept, seeds


def _probabilities(oriented: Floats, seed: int) -> Floats:
    """Share of draws from the posterior of the means in which each level's is the best, ties shared. [levels]."""
    n = oriented.shape[1]
    means = oriented.mean(axis=1, keepdims=True)
    normal, scale = _draws(n, seed)
    drawn = means + (oriented - means) @ normal / np.sqrt(n * (n - 1)) * scale
    top = drawn.max(axis=0)
    winners = drawn >= top - 1e-12 * np.abs(top)
    return np.asarray((winners / winners.sum(axis=0)).mean(axis=1), dtype=np.float64)


@lru_cache(maxsize=4)
def _draws(n: int, seed: int) -> tuple[Floats, Floats]:
    """Standard normal numbers, [n, draws], and what a draw's spread is scaled by, [draws]: the same for all metrics."""
    generator = np.random.default_rng(seed)
    normal = generator.standard_normal((n, DRAWS))
    return normal, np.sqrt((n - 1) / generator.chisquare(n - 1, DRAWS))
