"""What a design can see, before anything is trained: the fewest seeds that decide, the difference that is found.

In plain arithmetic, as planning has no need of the libraries of the analysis; the tests hold it against these.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, median, stdev

ALPHA = 0.05
"""Level of the tests that the analysis makes."""
POWER = 0.8
LEAST_PAIRS = 3
"""Seeds with which a spread is worth having."""
ROUNDING = 1e-12
"""A spread of differences that is less than this of the values is that of rounding."""


def fewest_seeds(comparisons: int, correction: str) -> int:
    """The fewest seeds with which any of a study's comparisons with the baseline can be decided at 5 %.

    The smallest two-sided p of sign flips over n pairs is 2 / 2^n, of all levels together by max-T too; Holm's
    correction multiplies it by the number of comparisons. With fewer seeds nothing is decided, however large the
    differences.

    Args:
        comparisons: Levels of all factors but the baselines, at least 1.
        correction: The correction of the study.
    """
    return math.ceil(math.log2(2 * (comparisons if correction == "holm" else 1) / ALPHA) - 1e-9)


def first_look(looks: Sequence[int], alpha: float) -> int:
    """The first look at which sign flips can decide anything, with what may be spent up to it.

    Args:
        looks: Numbers of seeds, ascending; the last is the cap.
        alpha: Error of all looks together, spent as :mod:`ablate.analyse.sequential` does.
    """
    return next((n for n, share in _spent(looks, alpha) if 2 / 2**n <= share), looks[-1])


def expected_runs(
    looks: Sequence[int],
    alpha: float,
    comparisons: int,
    effect: float,
    claims: Sequence[Collection[tuple[int, int]]] = (),
) -> float:
    """About how many runs a study with looks takes where every two levels that are compared differ by the same effect.

    A level is taken to be told by a look where a t test with what may be spent up to it would find the effect, as in
    :func:`visible_effect`; the baseline goes on as long as any level does; a level goes on for a claim until all pairs
    of it that the claim asks about are found, with the share of the error that a look has for itself; each by itself.
    Within 15 % of simulated studies where levels are settled at several looks.

    Args:
        looks: Numbers of seeds, ascending; the last is the cap.
        alpha: Error of all looks together.
        comparisons: Levels beside the baseline, at least 1.
        effect: Its size in standard deviations of a paired difference.
        claims: The pairs of levels that each asks about; the baseline is 0, the others count from 1.
    """
    pairs_of = {level: [sum(level in pair for pair in claim) for claim in claims] for level in range(comparisons + 1)}
    runs, told, found, before, used = 0.0, 0.0, 0.0, 0, 0.0
    for n, share in _spent(looks, alpha):
        done = [told ** (comparisons if level == 0 else 1) for level in pairs_of]
        by_claims = [math.prod(found**count for count in counts) for counts in pairs_of.values()]
        runs += (n - before) * sum(1 - one * other for one, other in zip(done, by_claims, strict=True))
        before = n
        if 2 / 2**n <= share:
            told = max(told, _power(effect, n, share / comparisons))
        if 2 / 2**n <= share - used:
            found, used = max(found, _power(effect, n, share - used)), share
    return runs


def _power(effect: float, n: int, alpha: float) -> float:
    """About the probability that a two-sided paired t test of n pairs finds an effect, on its own side."""
    critical = student_quantile(1 - alpha / 2, n - 1)
    return NormalDist().cdf((effect * math.sqrt(n) - critical) / math.sqrt(1 + critical**2 / (2 * (n - 1))))


def _spent(looks: Sequence[int], alpha: float) -> list[tuple[int, float]]:
    """The seeds of each look and what may be spent up to it."""
    return [(n, alpha * math.log(1 + (math.e - 1) * n / looks[-1])) for n in looks]


def visible_effect(seeds: int, comparisons: int, correction: str) -> float | None:
    """About which difference is found in 80 % of studies, in standard deviations of a paired difference.

    By the noncentral t distribution's normal approximation, with 5 % shared among the comparisons (max-T finds a little
    more), and never less than what makes all signs agree where they must.

    Args:
        seeds: Pairs.
        comparisons: Tested together, at least 1.
        correction: The correction of the study.

    Returns:
        None with too few seeds to decide anything.
    """
    least = fewest_seeds(comparisons, correction)
    if seeds < least:
        return None
    df, z = seeds - 1, NormalDist().inv_cdf
    critical = student_quantile(1 - ALPHA / comparisons / 2, df)
    shift = critical + z(POWER) * math.sqrt(1 + critical**2 / (2 * df))
    signs = z(POWER ** (1 / seeds)) if seeds == least else 0.0
    return max(shift / math.sqrt(seeds), signs)


def student_quantile(probability: float, df: int) -> float:
    """Student's quantile, about (Abramowitz and Stegun 1964, 26.7.5: within 3 % from 5 degrees of freedom on).

    Args:
        probability: Above 0.5.
        df: Degrees of freedom.
    """
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / df**power for power, term in enumerate(terms, start=1))


@dataclass(frozen=True)
class Spread:
    """How far paired differences scatter over seeds, as far as runs are there already."""

    sd: float
    """Standard deviation of a paired difference, in the metric's unit: the median over settings whose differences
    scatter; 0: none's do."""
    settings: int
    """Settings that it is of."""


def spread_of(baseline: Mapping[int, float], levels: Iterable[Mapping[int, float]]) -> Spread | None:
    """The spread of paired differences; None where too few runs are there.

    Args:
        baseline: Values by seed.
        levels: Each other setting's values by seed. Where none has three seeds with the baseline, each setting's own
            spread counts, times the root of two, as if pairing gained nothing.
    """
    others = list(levels)
    shared = [values.keys() & baseline.keys() for values in others]
    paired = [(values, seeds) for values, seeds in zip(others, shared, strict=True) if len(seeds) >= LEAST_PAIRS]
    found = [_deviation([values[seed] - baseline[seed] for seed in seeds], baseline) for values, seeds in paired]
    if not found:
        own: Sequence[Mapping[int, float]] = [baseline, *others]
        found = [math.sqrt(2) * _deviation(of.values(), of) for of in own if len(of) >= LEAST_PAIRS]
    if not found:
        return None
    scattered = [sd for sd in found if sd > 0] or found
    return Spread(median(scattered), len(scattered))


def _deviation(numbers: Collection[float], values: Mapping[int, float]) -> float:
    """The standard deviation of numbers that come from these values; 0 where they differ by rounding alone."""
    sd = stdev(numbers)
    return sd if sd > ROUNDING * max(map(abs, values.values())) else 0.0
