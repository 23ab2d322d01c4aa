"""Races: which runs leave early, and which settings get further seeds. Pure.

Along the steps (epochs of images, trees of a boosted model, ...), asynchronous successive halving in its stopping form
(Li et al. 2020, *A System for Massively Parallel Hyperparameter Tuning*, MLSys): a run is stopped at a rung where it is
not among the best 1/``reduction`` of those that have been there. It departs from the paper in three ways. Rungs are
shares of a run's own length, because a schedule may depend on the length: a one-cycle run after 5 of 20 epochs is a
quarter done, not as good as a run of 5 epochs. Only runs of one kind (such as with the same schedule) are compared. And
a limit is fixed when a run starts, from those that have ended before, so that a run's fate depends neither on the runs
beside it nor on who is faster. A rung at which nothing is measured counts at the next step at which something is.

No run is ever taken up again: a task need not be able to. Its engine stops a run by the rule that it gets with it (a
function is asked to by ``report``, a program is ended), and the values up to there are what is known of it. A task that
does not say how many steps a run has, or that measures only at the end, is raced over seeds alone.

Along the seeds, every setting gets the first; ``reduction`` times as many get those that may still be the best. That
is decided by pairs: seed s has the same split and data order at every setting, so the difference from the best
setting so far is taken seed by seed. (Optuna's WilcoxonPruner tests the same pairs, but cannot reject before the
fourth seed.)
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ablate.search.settings import Racing, Search
from ablate.task.metric import Metric
from ablate.task.record import StopRule


@dataclass(frozen=True)
class Lap:
    """How far the first seed of a setting came."""

    kind: str
    length: int
    """Steps to its end."""
    values: Mapping[int, float] = field(default_factory=dict)
    """The metric at the rungs that it reached, by step."""

    def at(self, rung: int, racing: Racing) -> float | None:
        """The value at a rung, or where that is not measured, at the first step from there to the next rung.

        Args:
            rung: Its number, from 0 for the lowest.
            racing: The rules.

        Returns:
            None: it was not there, or nothing was measured.
        """
        steps = [*rung_steps(self.length, racing), self.length]
        reached = [step for step in self.values if steps[rung] <= step < steps[rung + 1]]
        return self.values[min(reached)] if reached else None


def rung_steps(length: int, racing: Racing) -> list[int]:
    """The steps after which a run may be stopped.

    Args:
        length: Steps of the whole run.
        racing: How many rungs, and how far apart.

    Returns:
        One for each rung from the lowest, at least 1 and not above ``length``; equal ones where a run is short.
    """
    shares = [racing.reduction**-rung for rung in range(racing.rungs, 0, -1)]
    return [max(1, math.ceil(length * share - 1e-9)) for share in shares]


def stop_rule(length: int | None, kind: str, racing: Racing, metric: Metric, laps: Sequence[Lap]) -> StopRule | None:
    """What a run that is to be started must reach at its rungs.

    Args:
        length: Its steps; None: not known.
        kind: Only laps of the same kind are compared with it.
        racing: The rules.
        metric: What is optimised.
        laps: Laps of all settings that have ended.

    Returns:
        None where nothing can be said yet, or steps are not raced.
    """
    if not racing.steps or length is None:
        return None
    limits: dict[int, float] = {}
    for rung, step in enumerate(rung_steps(length, racing)):
        if step >= length:
            continue
        found = [lap.at(rung, racing) for lap in laps if lap.kind == kind]
        seen = [value for value in found if value is not None]
        if len(seen) >= racing.least:
            limits[step] = _last_to_go_on(seen, racing.reduction, metric)
    return StopRule(metric.name, metric.goal, tuple(sorted(limits.items())), length) if limits else None


def seed_counts(total: int, racing: Racing) -> list[int]:
    """After how many seeds it is decided who goes on; the last is ``total``.

    Args:
        total: Seeds of a setting that is a contender to the end.
        racing: The rules; without a race over seeds all of them are trained at once.
    """
    counts = [total]
    if racing.seeds:
        counts, next_count = [], 1
        while next_count < total:
            counts.append(next_count)
            next_count = max(next_count + 1, round(next_count * racing.reduction))
        counts.append(total)
    return counts


def first_seeds(search: Search) -> int:
    """So many seeds of a setting are trained as soon as it is proposed."""
    return seed_counts(len(search.seeds), search.races)[0]


def contenders(
    settings: Mapping[int, Sequence[float]], finished: Mapping[int, Sequence[float]], racing: Racing, *, higher: bool
) -> list[int]:
    """Which settings of a batch get more seeds, the best first.

    Args:
        settings: The values of the seeds that each trial has, the same seeds for all.
        finished: The values of the trials that have all seeds, in the same order.
        racing: The rules.
        higher: Whether higher is better.

    Returns:
        Trials that are behind the best finished one by at most ``patience`` standard errors of the paired difference
        (its spread pooled over the finished ones); while fewer than three have finished, the best 1/``reduction``.
    """
    sign = 1.0 if higher else -1.0
    ranked = sorted(settings, key=lambda trial: (-sign * _mean(settings[trial]), trial))
    if len(finished) < 3:
        return ranked[: math.ceil(len(ranked) / racing.reduction)]
    best = max(finished, key=lambda trial: (sign * _mean(finished[trial]), -trial))
    spread = _spread_of_pairs([values for trial, values in finished.items() if trial != best], finished[best])
    going_on = []
    for trial in ranked:
        values = settings[trial]
        behind = sign * (_mean(finished[best][: len(values)]) - _mean(values))
        if behind <= racing.patience * spread / math.sqrt(len(values)):
            going_on.append(trial)
    return going_on


def _spread_of_pairs(others: Sequence[Sequence[float]], best: Sequence[float]) -> float:
    """Standard deviation over seeds of the difference from the best, pooled over settings; 0 with one seed."""
    squares, freedom = 0.0, 0
    for values in others:
        differences = [a - b for a, b in zip(values, best, strict=True)]
        middle = _mean(differences)
        squares += sum((d - middle) ** 2 for d in differences)
        freedom += len(differences) - 1
    return math.sqrt(squares / freedom) if freedom else 0.0


def _last_to_go_on(values: Sequence[float], reduction: float, metric: Metric) -> float:
    """The value of the last of the best 1/reduction; NaN counts as worst."""
    worst = -metric.sign * math.inf
    ranked = sorted((worst if math.isnan(v) else v for v in values), reverse=metric.goal == "max")
    return ranked[max(1, math.floor(len(ranked) / reduction)) - 1]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
