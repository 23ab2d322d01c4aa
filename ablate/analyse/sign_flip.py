"""The sign-flip permutation test of paired differences, for many pairs of levels at once.

Under the hypothesis that two levels are alike, a seed's difference is as likely d as -d. The p of a mean difference is
the share of all 2^n choices of signs that give a mean at least as large. This is exact at any n and needs no normal
distribution (Fisher 1935, *The Design of Experiments*, 21;
``scipy.stats.permutation_test(permutation_type="samples")``). Its resolution is the price: the smallest one-sided p is
1/2^n, the smallest two-sided one 2/2^n, so that five seeds cannot reach 0.05 two-sided.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ablate.analyse.bootstrap import Floats

EXACT_UP_TO = 14
"""Pairs up to which all sign vectors are enumerated (16,384)."""

FLIPS = 19_999
"""Random sign vectors beyond; with the observed one p is a multiple of 1/20,000 (Phipson and Smyth 2010)."""

_BLOCK = 4_000_000


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
    samples, n = differences.shape
    exact = n <= EXACT_UP_TO
    signs = _all_signs(n) if exact else np.random.default_rng(seed).choice([-1.0, 1.0], (FLIPS, n))
    sums = differences.sum(axis=1, keepdims=True)
    slack = 1e-9 * np.abs(differences).sum(axis=1, keepdims=True)  # equal sums differ by rounding
    counts = np.zeros((3, samples), dtype=np.int64)
    step = max(1, _BLOCK // len(signs))
    for start in range(0, samples, step):
        rows = slice(start, start + step)
        flipped = differences[rows] @ signs.T
        counts[0, rows] = (flipped >= sums[rows] - slack[rows]).sum(axis=1)
        counts[1, rows] = (flipped <= sums[rows] + slack[rows]).sum(axis=1)
        counts[2, rows] = (np.abs(flipped) >= np.abs(sums[rows]) - slack[rows]).sum(axis=1)
    p = counts / len(signs) if exact else (counts + 1) / (FLIPS + 1)
    return SignFlip(p[0], p[1], p[2], exact)


@dataclass(frozen=True)
class Pairwise:
    """Every level against every other: [levels, levels], entry [i, j] of i minus j over their common seeds."""

    p: Floats
    """One-sided, against: level i is better than level j by at most the margin."""
    difference: Floats
    """Mean; NaN without a common seed."""
    sd: Floats
    """Of the differences; NaN below two common seeds."""
    n: NDArray[np.int64]


def pairwise(values: Floats, *, higher: bool, margin: float = 0.0, seed: int = 0) -> Pairwise:
    """Test for every pair of levels whether the first is better by more than a margin.

    With ``margin`` 0 the test is exact. With another margin it takes the differences to be symmetric about their mean.

    Args:
        values: [levels, seeds]; NaN where there is no run. A pair is tested on the seeds that both levels have.
        higher: whether higher is better.
        margin: in the metric's unit; may be negative (better by more than -m: worse by less than m).
        seed: of the random sign vectors.
    """
    levels, seeds = values.shape
    differences = (values[:, None, :] - values[None, :, :]).reshape(levels * levels, seeds)
    known = np.isfinite(differences)
    p, mean, sd = np.ones(levels**2), np.full(levels**2, np.nan), np.full(levels**2, np.nan)
    for pattern, rows in _patterns(known):
        sample = differences[rows][:, pattern]
        if sample.shape[1] == 0:
            continue
        oriented = (sample if higher else -sample) - margin
        p[rows], mean[rows] = sign_flip(oriented, seed).greater, sample.mean(axis=1)
        if sample.shape[1] > 1:
            sd[rows] = sample.std(axis=1, ddof=1)
    shape = (levels, levels)
    counts = known.sum(axis=1).astype(np.int64)
    return Pairwise(p.reshape(shape), mean.reshape(shape), sd.reshape(shape), counts.reshape(shape))


def least_pairs(alpha: float, *, two_sided: bool) -> int:
    """The fewest pairs with which the exact test can reach p <= alpha."""
    return max(1, math.ceil(math.log2((2 if two_sided else 1) / alpha) - 1e-9))


def _all_signs(n: int) -> Floats:
    bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    return (1 - 2 * bits).astype(np.float64)


def _patterns(known: NDArray[np.bool_]) -> list[tuple[NDArray[np.bool_], NDArray[np.intp]]]:
    """Rows grouped by which columns they have."""
    patterns, which = np.unique(known, axis=0, return_inverse=True)
    which = which.reshape(-1)
    return [(pattern, np.flatnonzero(which == index)) for index, pattern in enumerate(patterns)]
