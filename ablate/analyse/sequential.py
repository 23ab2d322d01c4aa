"""Seeds added only where they decide: looks that were fixed beforehand, and an error that holds over all of them.

Adding seeds until something is decided, with the test of a fixed number at every look, is wrong in 17 % of studies.
Here the looks, the cap and the error are fixed before the first run. Of B sign vectors, drawn once for all seeds up to
the cap (one of them leaves all signs as they are), a share may be rejected up to each look: alpha ln(1 + (e - 1) n /
cap) (Lan and DeMets 1983, *Biometrika* 70; Pocock's type). At a look the vectors with the largest statistics among
those still alive are rejected, as many as the share allows; a level is told from the baseline where its own statistic
is among them (the permutational form of Mehta et al. 1994, *Biometrics* 50). The statistic is the largest
of the levels not yet told, as in :mod:`ablate.analyse.max_t`, and after each level that is told the others are tried
again without it, from the first look on. So the probability that any level is told falsely, at any look, is at most
alpha where noise is symmetric.

Intervals are repeated ones (Jennison and Turnbull 1989, *J. R. Statist. Soc. B* 51): those of all levels and looks hold
together. A level whose interval lies within the margin is settled, too. Levels that are settled get no more seeds, and
nothing of theirs is looked at again: what is decided depends on the seeds up to its look alone. ``python -m
benchmarks.errors sequential`` simulates errors and costs (``results/benchmarks/errors_sequential.md``).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ablate.analyse.bootstrap import Floats
from ablate.analyse.max_t import Flips, Scale, exploded

Settled = Literal["told", "within", "undecided"]

VECTORS = 9_999
"""Random sign vectors beside the one that leaves all signs as they are."""


@dataclass(frozen=True)
class Looks:
    """When a study looks at its seeds."""

    at: tuple[int, ...]
    """Numbers of seeds, ascending; the last is the cap."""
    alpha: float = 0.05
    """Probability that any level is told falsely from the baseline, at any look."""
    margin: float = 0.0
    """A level within it of the baseline is settled, in the metric's unit; 0: none is."""

    def spent(self, look: int) -> float:
        """The error that may be spent up to a look, counted from 0."""
        return self.alpha * math.log(1 + (math.e - 1) * self.at[look] / self.at[-1])

    def shares(self) -> tuple[float, ...]:
        """The error that each look has for itself, for what is tested at each look alone (claims).

        A look whose seeds can decide nothing with its share, as the smallest two-sided p of sign flips of n pairs is
        2 / 2^n, has none and leaves it to the next.
        """
        found, used = [], 0.0
        for look, n in enumerate(self.at):
            share = self.spent(look) - used
            found.append(share if 2 / 2**n <= share else 0.0)
            used += found[-1]
        return tuple(found)


@dataclass(frozen=True)
class Path:
    """Where each level stands after the looks that could be made; [levels]."""

    settled: tuple[Settled, ...]
    counts: tuple[int, ...]
    """Seeds that count for it: those up to its look."""
    look: NDArray[np.int64]
    """The look at which it was settled, else the last one made, counted from 0; -1: none was made."""
    low: Floats
    high: Floats
    """Repeated intervals at that look; NaN where sign flips of so few seeds give none."""
    looks: int
    """Looks that were made."""


Observe = Callable[[tuple[int, ...]], tuple[Floats, NDArray[np.bool_]]]
"""Maps the number of seeds that count for each level to their differences from the baseline, [levels, seeds], seeds in
the order in which they are added, NaN where there is no value; and whether the runs of both have ended. Nothing of what
it gives may depend on other runs than those that count."""


def follow(levels: int, observe: Observe, looks: Looks, seed: int = 0) -> Path:
    """Look at a study, look after look, as far as its runs allow.

    A look is made where all runs have ended that count for it: those of every level that is not settled yet.

    Args:
        levels: compared with the baseline.
        observe: gives what is there.
        looks: as they were fixed.
        seed: of the sign vectors.
    """
    settled: list[Settled] = ["undecided"] * levels
    at = np.full(levels, -1)
    low, high = np.full((2, levels), np.nan)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (VECTORS + 1, looks.at[-1]))
    signs[0] = 1.0
    observed, centred = _Statistics(levels, signs), _Statistics(levels, signs, centred=True)
    counts, made = [0] * levels, 0
    for look, seeds in enumerate(looks.at):
        open_levels = [row for row in range(levels) if settled[row] == "undecided"]
        wanted = tuple(seeds if row in open_levels else counts[row] for row in range(levels))
        differences, there = observe(wanted)
        if not open_levels or there.shape[1] < seeds or not there[open_levels, :seeds].all():
            break
        counts = list(wanted)
        values = np.where(np.arange(seeds) < np.array(counts)[:, None], differences[:, :seeds], np.nan)
        made = look + 1
        at[open_levels] = look
        for statistics in (observed, centred):
            statistics.add(open_levels, values)
        told = _told(observed, settled, looks)
        for row in told:
            settled[row] = "told"
        limit = _limits(centred, list(range(levels)), looks)[-1]
        low[open_levels], high[open_levels] = _intervals(values[open_levels], limit)
        for row in open_levels:
            if settled[row] == "told":
                low[row], high[row] = _without_zero(low[row], high[row], float(np.nanmean(values[row])))
            elif np.isfinite(low[row]):
                low[row], high[row] = min(low[row], 0.0), max(high[row], 0.0)
                if -looks.margin < low[row] and high[row] < looks.margin:
                    settled[row] = "within"
    return Path(tuple(settled), tuple(counts), at, low, high, made)


class _Statistics:
    """The statistics of all levels under all sign vectors, a look after the other; settled levels keep their last."""

    def __init__(self, levels: int, signs: Floats, *, centred: bool = False) -> None:
        self.levels, self.signs, self.centred = levels, signs, centred
        self.by_look: list[Floats] = []
        """Each [levels, vectors]."""

    def add(self, rows: list[int], differences: Floats) -> None:
        values, huge = differences[rows], exploded(differences)[rows]
        known = np.isfinite(values)
        counts = known.sum(axis=1)
        values = np.where(known, values, 0.0)
        if self.centred:
            values = np.where(known, values - (values.sum(axis=1) / np.maximum(counts, 1))[:, None], 0.0)
            huge = np.zeros_like(huge)
        last = self.by_look[-1] if self.by_look else np.zeros((self.levels, len(self.signs)))
        now = last.copy()
        now[rows] = Flips(values, np.maximum(counts, 2), huge).under(self.signs[:, : values.shape[1]])
        self.by_look.append(now)


def _intervals(values: Floats, limit: float) -> tuple[Floats, Floats]:
    """Means of [levels, seeds] with the t intervals that a statistic's limit stands for; NaN where there is none."""
    known = np.isfinite(values)
    counts = known.sum(axis=1)
    if not math.isfinite(limit):
        return np.full(len(values), np.nan), np.full(len(values), np.nan)
    n = np.where(counts >= 2, counts, 2)
    mean = np.where(counts >= 2, np.where(known, values, 0.0).sum(axis=1) / n, np.nan)
    spread = np.sqrt((np.where(known, values - mean[:, None], 0.0) ** 2).sum(axis=1) / (n - 1))
    half = -special.stdtrit(n - 1, Scale(n).level_of(limit) / 2) * spread / np.sqrt(n)
    return mean - half, mean + half


def _told(statistics: _Statistics, settled: list[Settled], looks: Looks) -> list[int]:
    """Levels that are told from the baseline now, step by step."""
    rows = [row for row, state in enumerate(settled) if state != "told"]
    found: list[int] = []
    while rows:
        limits = _limits(statistics, rows, looks)
        beyond = [
            row
            for row in rows
            if settled[row] == "undecided"
            and any(part[row, 0] >= limit for part, limit in zip(statistics.by_look, limits, strict=True))
        ]
        if not beyond:
            break
        found += beyond
        rows = [row for row in rows if row not in beyond]
    return found


def _limits(statistics: _Statistics, rows: list[int], looks: Looks) -> list[float]:
    """What a statistic of these levels must reach at each look made; infinite where no vector may be rejected."""
    alive = np.ones(len(statistics.signs), dtype=bool)
    limits = []
    for look, part in enumerate(statistics.by_look):
        allowed = math.floor(looks.spent(look) * len(alive) + 1e-9) - int((~alive).sum())
        largest = np.where(alive, part[rows].max(axis=0), -np.inf)
        limit = _limit(np.sort(largest[alive])[::-1], allowed)
        limits.append(limit)
        alive &= largest < limit
    return limits


def _limit(ordered: Floats, allowed: int) -> float:
    """The least value that at most ``allowed`` of these (descending) reach; what differs by rounding is equal."""
    if allowed <= 0 or not len(ordered):
        return math.inf
    if allowed >= len(ordered):
        return float(ordered[-1])
    beyond = ordered[allowed] + 1e-9 * (1 + abs(ordered[allowed]))
    above = ordered[:allowed][ordered[:allowed] > beyond]
    return float(above[-1]) - 1e-9 * (1 + abs(above[-1])) if len(above) else math.inf


def _without_zero(low: float, high: float, mean: float) -> tuple[float, float]:
    """The interval of a level that is told from the baseline, cut at 0 where it reaches across."""
    if not low <= 0 <= high:
        return low, high
    beside = float(np.nextafter(0.0, mean))
    return (beside, high) if mean > 0 else (low, beside)
