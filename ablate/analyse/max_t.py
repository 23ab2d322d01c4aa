"""All levels against the baseline at once: joint sign flips, the largest statistic, step by step.

Under the hypothesis that no level differs from the baseline, a seed's differences at all levels may change their sign
together. So one set of sign vectors serves all levels, and a level's p is the share of them under which the *largest*
statistic of the levels not yet told from the baseline is as large as its own (Westfall and Young 1993,
*Resampling-Based Multiple Testing*, algorithm 2.8, step-down max-T). Levels share the baseline's noise, which Holm's
correction cannot use; and the smallest p is 2 / 2^n whatever the number of levels, where Holm's is as many times
larger.

The statistic is Student's |t| as a function of the signs. Each level uses its own seeds; levels with other numbers of
them are put on one scale, that of a normal deviate about as rare. Runs of an exploded level end at huge, finite values
that scatter as much as they are large: |t| stays small although each of them is worse. Where every difference of a
level is more than a hundred times as large as is usual among the levels, and they scatter (:func:`exploded`), its
statistic is the larger of |t| and, where most signs go the way of the mean, that of the signs of its differences, under
all sign vectors alike. Which levels these are depends on the sizes of differences alone, which sign flips leave as they
are: the error stays what it is, and other levels pay no more than the probability that all signs agree, 2 / 2^n.
Exactness: each level by itself is tested exactly
where its runs and the baseline's are exchangeable; several together where noise is symmetric; what happens elsewhere is
in ``results/benchmarks/errors_tables.md``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ablate.analyse.bootstrap import Floats
from ablate.analyse.power import ALPHA
from ablate.analyse.sign_flip import FLIPS, least_pairs, sign_vectors

LEAST_PAIRS = least_pairs(ALPHA, two_sided=True)
"""Pairs below which nothing can be decided at 5 %, however large the difference."""

HUGE = 100.0
"""Times the usual size beyond which a difference is huge."""
SCATTERED = 2.0
"""Times its smallest difference that an exploded level's largest is at least."""

_BLOCK = 4_000_000
"""Statistics held at once."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Together:
    """All levels against the baseline; [levels], NaN where a level has fewer than two pairs."""

    p: Floats
    """Two-sided, for all levels together."""
    low: Floats
    high: Floats
    """Simultaneous 95 % intervals of the mean differences. From six pairs on they hold 0 exactly where p > 5 %."""
    each: Floats
    """Two-sided level at which a t interval of one difference is as long as the simultaneous one."""


def together(differences: Floats, seed: int = 0) -> Together:
    """Test whether mean differences are 0, and give them intervals, all levels together.

    The intervals are the means with the 95 % point of the largest |t| of the residuals under joint sign flips, times
    their standard errors; below six pairs, where sign flips have no 95 % point, with Bonferroni's quantile of t. Where
    the step-down test tells a level from the baseline and its interval still reaches across 0, it ends at 0, and it is
    drawn out to 0 where the test does not, so that intervals and p agree (Strassburger and Bretz 2008, *Statistics in
    Medicine* 27).

    Args:
        differences: [levels, seeds], level minus baseline; NaN where either has no run.
        seed: of the random sign vectors, used beyond 14 seeds.
    """
    known = np.isfinite(differences)
    counts = known.sum(axis=1)
    rows = np.flatnonzero(counts >= 2)
    p, low, high, each = np.full((4, len(differences)), np.nan)
    if len(rows):
        columns = known[rows].any(axis=0)
        filled, n = np.where(known, differences, 0.0)[np.ix_(rows, columns)], counts[rows]
        signs, exact = sign_vectors(filled.shape[1], seed)
        p[rows] = _step_down(Flips(filled, n, exploded(differences[rows])), signs, exact)
        p[rows[~filled.any(axis=1)]] = 1.0
        mean = filled.sum(axis=1) / n
        residuals = np.where(known[np.ix_(rows, columns)], filled - mean[:, None], 0.0)
        error = np.sqrt((residuals**2).sum(axis=1) / (n - 1) / n)
        each[rows] = ALPHA / len(rows)
        many = np.flatnonzero(n >= LEAST_PAIRS)
        if len(many):
            each[rows[many]] = _level(residuals[many], Scale(n[many]), signs)
        half = -special.stdtrit(n - 1, each[rows] / 2) * error
        low[rows], high[rows] = mean - half, mean + half
        _agree(p, low, high, rows[many], mean[many])
    return Together(p, low, high, each)


def exploded(differences: Floats) -> NDArray[np.bool_]:
    """Levels whose differences all are huge and scatter; [levels].

    A level's size is the median of its absolute differences, the usual one the median of those of all levels (of the
    two in the middle the smaller).

    Args:
        differences: [levels, seeds], level minus baseline; NaN where either has no run.
    """
    sizes, found = np.abs(differences), np.zeros(len(differences), dtype=bool)
    rows = np.flatnonzero((np.isfinite(sizes) & (sizes > 0)).any(axis=1))
    if len(rows) < 2:
        return found
    usual = np.sort(np.nanmedian(sizes[rows], axis=1))[(len(rows) - 1) // 2]
    least, most = np.nanmin(sizes[rows], axis=1), np.nanmax(sizes[rows], axis=1)
    found[rows] = (least > HUGE * usual) & (most > SCATTERED * least)
    return found


class Flips:
    """The statistics of levels under sign vectors."""

    def __init__(self, filled: Floats, n: NDArray[np.int64], exploded: NDArray[np.bool_]) -> None:
        """Args: differences with 0 for those that are not there, [levels, seeds]; pairs; by :func:`exploded`."""
        self._exploded = np.flatnonzero(exploded)
        self._rows = np.vstack([filled, np.sign(filled[self._exploded])])
        self._scale = Scale(np.r_[n, n[self._exploded]])
        self._norms = np.sqrt((self._rows**2).sum(axis=1))

    def under(self, signs: Floats) -> Floats:
        """The statistic of each level under each of [vectors, seeds]; [levels, vectors]."""
        sums = self._rows @ signs.T
        levels = len(sums) - len(self._exploded)
        is_one_way = sums[self._exploded] * sums[levels:] > 0
        found = self._scale.of(sums, self._norms)
        found[self._exploded] = np.maximum(found[self._exploded], np.where(is_one_way, found[levels:], 0.0))
        return found[:levels]


class Scale:
    """Student's t of levels with these numbers of pairs as the squared normal deviate that is about as rare.

    Wallace 1959 (*Annals of Mathematical Statistics* 30): df log(1 + t^2 / df) ((8 df + 1) / (8 df + 3))^2. As sign
    flips leave the sum of squares as it is, 1 + t^2 / df is n / (n - s^2) for s, the sum over the root sum of squares.
    """

    def __init__(self, n: NDArray[np.int64]) -> None:
        self.n = n[:, None].astype(np.float64)
        self.factor = (self.n - 1) * ((8 * self.n - 7) / (8 * self.n - 5)) ** 2

    def of(self, sums: Floats, norms: Floats) -> Floats:
        """The statistics from sums of signed differences [levels, flips] and their root sums of squares [levels]."""
        per_norm = np.divide(1.0, norms[:, None] * np.sqrt(self.n), out=np.zeros_like(self.n), where=norms[:, None] > 0)
        found = sums * per_norm
        found *= found  # in place: this is where the time goes
        np.subtract(1.0, found, out=found)
        np.maximum(found, _ROUNDING**2, out=found)
        np.log(found, out=found)
        found *= -self.factor
        return np.asarray(found)

    def level_of(self, statistic: float) -> Floats:
        """The two-sided tail probability of t that a statistic stands for, [levels]."""
        t = np.sqrt((self.n - 1) * np.expm1(statistic / self.factor))
        return np.asarray(2 * special.stdtr(self.n - 1, -t))[:, 0]


def _step_down(flips: Flips, signs: Floats, exact: bool) -> Floats:
    observed = flips.under(np.ones((1, signs.shape[1])))[:, 0]
    order = np.argsort(-observed, kind="stable")
    least = observed[order] * (1 - _ROUNDING) - 1e-300
    counts = np.zeros(len(observed))
    step = max(1, _BLOCK // len(observed))
    for start in range(0, len(signs), step):
        flipped = flips.under(signs[start : start + step])[order]
        largest = np.maximum.accumulate(flipped[::-1], axis=0)[::-1]
        counts += (largest >= least[:, None]).sum(axis=1)
    shares = counts / len(signs) if exact else (counts + 1) / (FLIPS + 1)
    p = np.empty(len(observed))
    p[order] = np.maximum.accumulate(shares)
    return p


def _level(residuals: Floats, scale: Scale, signs: Floats) -> Floats:
    """Two-sided level of t that the 95 % point of the largest statistic of the residuals stands for, [levels]."""
    norms = np.sqrt((residuals**2).sum(axis=1))
    step = max(1, _BLOCK // len(residuals))
    blocks = range(0, len(signs), step)
    largest = [scale.of(residuals @ signs[start : start + step].T, norms).max(axis=0) for start in blocks]
    return scale.level_of(float(np.quantile(np.concatenate(largest), 1 - ALPHA, method="higher")))


def _agree(p: Floats, low: Floats, high: Floats, rows: NDArray[np.intp], mean: Floats) -> None:
    """Let intervals hold 0 exactly where the test does not tell a level from the baseline."""
    for row, centre in zip(rows, mean, strict=True):
        if p[row] > ALPHA:
            low[row], high[row] = min(low[row], 0.0), max(high[row], 0.0)
        elif low[row] <= 0 <= high[row]:
            beside = np.nextafter(0.0, centre)
            low[row], high[row] = (beside, high[row]) if centre > 0 else (low[row], beside)
