"""Effect size of a paired difference, and how many seeds would settle it."""

import math
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from scipy import special

from ablate.analyse.sign_flip import is_found, least_pairs

ALPHA = 0.05
POWER = 0.8

SIMULATED_UP_TO = 12
"""Pairs up to which the sign-flip test's power is simulated."""

MOST_SEEDS = 1000
"""A difference that needs more seeds than this is called unresolvable rather than given a number."""


def seeds_needed(
    effect: float,
    *,
    alpha: float = ALPHA,
    power: float = POWER,
    two_sided: bool = True,
    exact_alpha: float | None = None,
) -> int | None:
    """Pairs with which a test at ``alpha`` detects a paired effect of this size with probability ``power``.

    The paired t test's power by the noncentral t distribution, as ``statsmodels.stats.power.TTestPower``; for few
    seeds that of the sign-flip test itself, which has few possible p, and never fewer than it needs to reach ``alpha``.

    Args:
        effect: Cohen's d_z, any sign.
        alpha: level of the test.
        power: wanted, a fraction.
        two_sided: whether the test is.
        exact_alpha: level that the sign-flip test's own p has to reach, where it is corrected otherwise than ``alpha``
            says (max-T's floor does not fall with the number of levels); None: ``alpha``.

    Returns:
        Pairs, or None where the effect is 0 or not finite or more than ``MOST_SEEDS`` would be needed.
    """
    size, exact_alpha = abs(effect), alpha if exact_alpha is None else exact_alpha
    least = max(2, least_pairs(exact_alpha, two_sided=two_sided))
    if not math.isfinite(size) or size == 0 or least > MOST_SEEDS:
        return None
    candidates = range(least, MOST_SEEDS + 1)

    def reached(n: int) -> float:
        by_t = power_of(size, n, alpha=alpha, two_sided=two_sided)
        simulated = n <= SIMULATED_UP_TO and by_t >= power
        return min(by_t, power_of_flips(round(size, 1), n, exact_alpha, two_sided)) if simulated else by_t

    place = bisect_left(candidates, power, key=reached)
    return candidates[place] if place < len(candidates) else None


@dataclass(frozen=True)
class NeededSeeds:
    """How many seeds would settle a difference, as far as that is known."""

    seeds: int | None
    """If the effect is what it seems; None: no number, or more than ``MOST_SEEDS``."""
    fewest: int | None
    most: int | None
    """Seeds at the quartiles of what the effect may be; None: more than ``MOST_SEEDS``."""

    def __str__(self) -> str:
        most = f"{MOST_SEEDS} and more" if self.most is None else str(self.most)
        return f"{self.seeds}" if self.fewest == self.most else f"{self.seeds} ({self.fewest} to {most})"


def needed_range(
    effect: float,
    n: int,
    *,
    alpha: float = ALPHA,
    power: float = POWER,
    two_sided: bool = True,
    exact_alpha: float | None = None,
) -> NeededSeeds:
    """``seeds_needed`` for an effect that was estimated from ``n`` pairs, with its quartiles.

    The standard error of d_z is sqrt(1 / n + d^2 / (2 n)) (Hedges and Olkin 1985, *Statistical Methods for
    Meta-Analysis*, 5): for small effects the number needed is known within a factor of ten at best.
    """
    error = special.ndtri(0.75) * math.sqrt(1 / n + effect**2 / (2 * n))
    sizes = (abs(effect), abs(effect) + error, max(0.0, abs(effect) - error))
    seeds = partial(seeds_needed, alpha=alpha, power=power, two_sided=two_sided, exact_alpha=exact_alpha)
    return NeededSeeds(*map(seeds, sizes))


def half_width(n: int, sd: float) -> float:
    """Half of the 95 % t interval of a mean of ``n`` (at least 2) values with this standard deviation."""
    return float(special.stdtrit(n - 1, 0.975)) * sd / math.sqrt(n)


@lru_cache(maxsize=4096)
def power_of_flips(effect: float, n: int, alpha: float, two_sided: bool) -> float:
    """Power of the sign-flip test itself with few pairs, where its few possible p matter; by simulation.

    Args:
        effect: d_z of normal differences.
        n: pairs, at most ``SIMULATED_UP_TO``.
        alpha: level of the test.
        two_sided: whether it is.

    Returns:
        Share of 2,000 simulated studies, always the same ones.
    """
    noise = np.random.default_rng(n).standard_normal((2000, n))
    return float(np.mean(is_found(noise + abs(effect), alpha, two_sided=two_sided)))


def power_of(effect: float, n: int, *, alpha: float, two_sided: bool) -> float:
    """Power of the paired t test with ``n`` pairs (at least 2) to find an effect d_z."""
    critical = -float(special.stdtrit(n - 1, alpha / 2 if two_sided else alpha))
    shift = abs(effect) * math.sqrt(n)
    if shift - critical > 8:  # so far out the noncentral t fails numerically, and the power is 1 to many digits
        return 1.0
    above = 1 - float(special.nctdtr(n - 1, shift, critical))
    below = float(special.nctdtr(n - 1, shift, -critical)) if two_sided else 0.0
    return above + (0.0 if math.isnan(below) else below)  # it fails where there is next to nothing below


def hedges_correction(n: int) -> float:
    """Factor that takes the small-sample bias off d_z of n pairs (Hedges 1981, eq. 6e; exact, by gamma functions).

    Args:
        n: pairs, at least 3.
    """
    df = n - 1
    return math.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2)) / math.sqrt(df / 2)
