"""Effect size of a paired difference, and how many seeds would settle it."""

import math
from bisect import bisect_left

from scipy import special

from ablate.analyse.sign_flip import least_pairs

ALPHA = 0.05
POWER = 0.8

MOST_SEEDS = 1000
"""A difference that needs more seeds than this is called unresolvable rather than given a number."""


def seeds_needed(effect: float, *, alpha: float = ALPHA, power: float = POWER, two_sided: bool = True) -> int | None:
    """Pairs with which a test at ``alpha`` detects a paired effect of this size with probability ``power``.

    The paired t test's power by the noncentral t distribution, as ``statsmodels.stats.power.TTestPower``; never fewer
    than the sign-flip test needs to reach ``alpha`` at all. An estimate: the effect itself is estimated from few seeds.

    Args:
        effect: Cohen's d_z, any sign.
        alpha: level of the test.
        power: wanted, a fraction.
        two_sided: whether the test is.

    Returns:
        Pairs, or None where the effect is 0 or not finite or more than ``MOST_SEEDS`` would be needed.
    """
    size = abs(effect)
    least = max(2, least_pairs(alpha, two_sided=two_sided))
    if not math.isfinite(size) or size == 0 or least > MOST_SEEDS:
        return None
    candidates = range(least, MOST_SEEDS + 1)
    place = bisect_left(candidates, power, key=lambda n: power_of(size, n, alpha=alpha, two_sided=two_sided))
    return candidates[place] if place < len(candidates) else None


def power_of(effect: float, n: int, *, alpha: float, two_sided: bool) -> float:
    """Power of the paired t test with ``n`` pairs (at least 2) to find an effect d_z."""
    critical = -float(special.stdtrit(n - 1, alpha / 2 if two_sided else alpha))
    shift = abs(effect) * math.sqrt(n)
    if shift - critical > 8:  # so far out the noncentral t fails numerically, and the power is 1 to many digits
        return 1.0
    above = 1 - float(special.nctdtr(n - 1, shift, critical))
    return above + (float(special.nctdtr(n - 1, shift, -critical)) if two_sided else 0.0)


def hedges_correction(n: int) -> float:
    """Factor that takes the small-sample bias off d_z of n pairs (Hedges 1981, eq. 6e; exact, by gamma functions).

    Args:
        n: pairs, at least 3.
    """
    df = n - 1
    return math.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2)) / math.sqrt(df / 2)
