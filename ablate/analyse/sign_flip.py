"""The sign-flip permutation test of paired differences, for many pairs of levels at once.

Under the hypothesis that two levels are alike, a seed's difference is as likely d as -d. The p of a mean difference is
the share of all 2^n choices of signs that give a mean at least as large. This is exact at any n and needs no normal
distribution (Fisher 1935, *The Design of Experiments*, 21;
``scipy.stats.permutation_test(permutation_type="samples")``). Its resolution is the price: the smallest one-sided p is
1/2^n, the smallest two-sided one 2/2^n, so that five seeds cannot reach 0.05 two-sided.
"""

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ablate.analyse.bootstrap import Floats

EXACT_UP_TO = 14
"""Pairs up to which all sign vectors are enumerated (16,384)."""

FLIPS = 19_999
"""Random sign vectors beyond; with the observed one p is a multiple of 1/20,000 (Phipson and Smyth 2010)."""

_BLOCK = 200_000


@dataclass(frozen=True)
class SignFlip:
    """p of each sample of differences, [samples]."""

    greater: Floats
    """Against: the mean is at most 0."""
    less: Floats
    two_sided: Floats
    exact: bool


def sign_flip(differences: Floats, seed: int = 0) -> SignFlip:
    """Test whether mean differences are 0.

    Args:
        differences: [samples, n], finite; n = 0 gives p = 1.
        seed: of the random sign vectors, used beyond ``EXACT_UP_TO`` pairs.
    """
    greater, less = _greater(differences, seed), _greater(-differences, seed)
    return SignFlip(greater, less, np.minimum(1.0, 2 * np.minimum(greater, less)), differences.shape[1] <= EXACT_UP_TO)


def _greater(differences: Floats, seed: int) -> Floats:
    """One-sided p of each sample of [samples, n]."""
    samples, n = differences.shape
    signs, exact = sign_vectors(n, seed)
    sums = differences.sum(axis=1, keepdims=True)
    least = sums - 1e-9 * np.abs(differences).sum(axis=1, keepdims=True)  # equal sums differ by rounding
    counts = np.empty(samples)
    step = max(1, _BLOCK // len(signs))
    for start in range(0, samples, step):
        rows = slice(start, start + step)
        flipped = differences[rows] @ signs.T
        counts[rows] = (flipped >= least[rows]).sum(axis=1)
        if exact:  # the other half of the signs
            counts[rows] += (flipped <= -least[rows]).sum(axis=1)
    return counts / (2 * len(signs)) if exact else (counts + 1) / (FLIPS + 1)


def is_found(differences: Floats, alpha: float, *, two_sided: bool) -> NDArray[np.bool_]:
    """Whether :func:`sign_flip` gives p <= ``alpha``, at half of its cost where two-sided. [samples].

    Args:
        differences: [samples, n], finite, n up to ``EXACT_UP_TO``.
        alpha: below 1.
        two_sided: else against: the mean is at most 0.
    """
    if two_sided:  # The smaller one-sided p is that of the side on which the mean lies.
        differences = differences * np.where(differences.sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
        alpha /= 2
    # Where all differences are positive, no other choice of signs gives a mean as large.
    found = np.full(len(differences), 0.5 ** differences.shape[1] <= alpha)
    rest = ~(differences > 1e-9 * np.abs(differences).sum(axis=1, keepdims=True)).all(axis=1)
    found[rest] = _greater(differences[rest], 0) <= alpha
    return found


@dataclass(frozen=True)
class Pairwise:
    """Every level against every other: [levels, levels], entry [i, j] of i minus j over their common seeds."""

    p: Floats
    """One-sided, against: level i is better than level j by at most the margin."""
    difference: Floats
    """Mean, positive where the first is better; NaN without a common seed."""
    sd: Floats
    """Standard deviation of the differences; NaN below two common seeds."""
    n: NDArray[np.int64]


def pairwise(
    values: Floats,
    *,
    margin: float = 0.0,
    seed: int = 0,
    wanted: NDArray[np.bool_] | None = None,
) -> Pairwise:
    """Test for every pair of levels whether the first is better by more than a margin.

    With ``margin`` 0 the test is exact. With another margin it takes the differences to be symmetric about their mean.

    Args:
        values: [levels, seeds], higher is better; NaN where there is no run. A pair is tested on the seeds that
            both levels have.
        margin: in the metric's unit; may be negative (better by more than -m: worse by less than m).
        seed: of the random sign vectors.
        wanted: [levels, levels], pairs to test, to save time; the others get p = 1. None: all.
    """
    levels, seeds = values.shape
    differences = (values[:, None, :] - values[None, :, :]).reshape(levels * levels, seeds)
    known = np.isfinite(differences)
    p, mean, sd = np.ones(levels**2), np.full(levels**2, np.nan), np.full(levels**2, np.nan)
    for pattern, rows in patterns(known):
        sample = differences[rows][:, pattern]
        if sample.shape[1] == 0:
            continue
        mean[rows] = sample.mean(axis=1)
        tested = np.ones(len(rows), dtype=bool) if wanted is None else wanted.reshape(-1)[rows]
        p[rows[tested]] = _greater(sample[tested] - margin, seed)
        if sample.shape[1] > 1:
            sd[rows] = sample.std(axis=1, ddof=1)
    shape = (levels, levels)
    counts = known.sum(axis=1).astype(np.int64)
    return Pairwise(p.reshape(shape), mean.reshape(shape), sd.reshape(shape), counts.reshape(shape))


def with_exact(tests: Pairwise, exact: NDArray[np.bool_], margin: float = 0.0) -> Pairwise:
    """The tests with p of 0 or 1 for pairs of levels whose values are exact.

    Args:
        tests: as :func:`pairwise` gives them, with the same margin.
        exact: whether a level's value is, [levels].
        margin: as there.
    """
    if not exact.any():
        return tests
    known = np.outer(exact, exact) & (tests.n > 0)
    return replace(tests, p=np.where(known, np.where(tests.difference > margin, 0.0, 1.0), tests.p))


def least_pairs(alpha: float, *, two_sided: bool) -> int:
    """The fewest pairs with which the exact test can reach p <= alpha."""
    return max(1, math.ceil(math.log2((2 if two_sided else 1) / alpha) - 1e-9))


def sign_vectors(n: int, seed: int) -> tuple[Floats, bool]:
    """Sign vectors of ``n`` pairs, [vectors, n], and whether they with their negatives are all there are.

    Args:
        n: pairs.
        seed: of ``FLIPS`` random ones, beyond ``EXACT_UP_TO`` pairs.
    """
    if n <= EXACT_UP_TO:
        return _half_of_signs(n), True
    return np.random.default_rng(seed).choice([-1.0, 1.0], (FLIPS, n)), False


@cache
def _half_of_signs(n: int) -> Floats:
    """Sign vectors of n pairs that keep the last sign; with their negatives they are all. [2^(n - 1), n]."""
    bits = (np.arange(2 ** max(0, n - 1))[:, None] >> np.arange(n)) & 1
    signs = (1 - 2 * bits).astype(np.float64)
    signs.flags.writeable = False
    return signs


def patterns(known: NDArray[np.bool_]) -> list[tuple[NDArray[np.bool_], NDArray[np.intp]]]:
    """Rows grouped by which columns they have."""
    if len(known) and (known == known[0]).all():  # most often, and far faster
        return [(known[0], np.arange(len(known)))]
    patterns, which = np.unique(known, axis=0, return_inverse=True)
    which = which.reshape(-1)
    return [(pattern, np.flatnonzero(which == index)) for index, pattern in enumerate(patterns)]
