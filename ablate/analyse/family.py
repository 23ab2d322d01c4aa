"""Comparisons of one family corrected together: by joint sign flips, or on request by Holm's rule."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy import special

from ablate.analyse.bootstrap import Floats
from ablate.analyse.max_t import Together, together
from ablate.analyse.power import ALPHA
from ablate.analyse.sign_flip import patterns, sign_flip

Correction = Literal["max-t", "holm"]


def correct(differences: Floats, correction: Correction, seed: int = 0) -> Together:
    """Test all levels against the baseline together.

    Args:
        differences: [levels, seeds], level minus baseline; NaN where either has no run.
        correction: ``max-t`` (:mod:`ablate.analyse.max_t`), or ``holm``: each level's own sign-flip p after Holm's
            correction, with Bonferroni's t intervals.
        seed: of random sign vectors.
    """
    return together(differences, seed) if correction == "max-t" else _by_holm(differences, seed)


def floor_alpha(correction: Correction, comparisons: int) -> float:
    """What a level's own sign-flip p has to reach at least, for 5 % together."""
    return ALPHA if correction == "max-t" else ALPHA / max(1, comparisons)


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction of the p that are there (Holm 1979, *Scandinavian Journal of Statistics* 6).

    As ``statsmodels.stats.multitest.multipletests(method="holm")``, which collects garbage at every call and so takes
    longer than everything else here together.
    """
    there = np.array([value for value in p if value is not None])
    order = np.argsort(there)
    steps = np.maximum.accumulate(there[order] * (len(there) - np.arange(len(there))))
    there[order] = np.minimum(steps, 1.0)
    corrected = iter(there.tolist())
    return [None if value is None else next(corrected) for value in p]


def _by_holm(differences: Floats, seed: int) -> Together:
    known = np.isfinite(differences)
    tested = known.sum(axis=1) >= 2
    family = max(1, int(tested.sum()))
    single, low, high = np.full((3, len(differences)), np.nan)
    for pattern, rows in patterns(known):
        n = int(pattern.sum())
        if n < 2:
            continue
        sample = differences[rows][:, pattern]
        single[rows] = sign_flip(sample, seed).two_sided
        half = -special.stdtrit(n - 1, ALPHA / family / 2) * sample.std(axis=1, ddof=1) / np.sqrt(n)
        low[rows], high[rows] = sample.mean(axis=1) - half, sample.mean(axis=1) + half
    p = np.array([np.nan if v is None else v for v in holm([None if np.isnan(v) else float(v) for v in single])])
    return Together(p, low, high, np.where(tested, ALPHA / family, np.nan))
