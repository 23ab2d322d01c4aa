"""Forming cohorts: which runs are trained together, and in which order."""

import heapq
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

from ablate.task.run import Run

T = TypeVar("T")

LEVELS_WORTH_A_COHORT = 3
"""Levels a seed from which on a cohort holds whole seeds with all their levels, which share every batch."""

BALANCED = 1.05
"""A plan whose busiest worker has at most so many times the mean load is not split further."""

Cost = Callable[[Run], float]


@dataclass(frozen=True)
class Cohort:
    """Runs that one worker trains together."""

    runs: tuple[Run, ...]
    """The runs with the same ``cohort_key``; longest first, then by seed."""
    done: int = 0
    """Steps that they have behind them, from which they are gone on with."""

    @property
    def key(self) -> str:
        """What shapes a training step."""
        return self.runs[0].cohort_key

    @cached_property
    def shared(self) -> bool:
        """Whether all members have one seed (of the order and of the split), and so the same batches."""
        return len({run.data_order for run in self.runs}) == 1

    @cached_property
    def samples(self) -> int:
        """Training samples of all members over all their epochs."""
        return sum(run.samples for run in self.runs)

    @cached_property
    def samples_left(self) -> int:
        """Those that they have not behind them."""
        return self.samples - sum(samples_until(run, self.done) for run in self.runs)

    @property
    def length(self) -> int | None:
        """Steps of the longest member; None: not known."""
        lengths = [run.length for run in self.runs if run.length is not None]
        return max(lengths) if lengths else None


def cohort_of(members: int) -> str:
    """What runs that train together are called in a sentence; one that trains alone is a run."""
    return "a run" if members == 1 else f"a cohort of {members} runs"


def samples_until(run: Run, step: int) -> int:
    """The work of a run up to a step; none is counted where it is not known how long the run is."""
    return run.samples * min(step, run.length) // run.length if run.length else 0


def samples(run: Run) -> int:
    """The work of a run, for the balance between runs."""
    return run.samples


def default_members(run: Run) -> int:
    """How many runs a cohort holds unless told otherwise."""
    return run.default_members


def form_cohorts(
    runs: Iterable[Run],
    *,
    workers: int,
    max_members: int | None = None,
    members: Callable[[Run], int] = default_members,
    cost: Cost = samples,
) -> list[Cohort]:
    """Split runs into cohorts that keep all workers busy to the end.

    Args:
        runs: The runs to train, each once.
        workers: That train at the same time, at least 1.
        max_members: Most members of a cohort, at least 1; None: as many as ``members`` says.
        members: How many a cohort of runs like this one should have at most.
        cost: What training one run costs, in any unit (samples; seconds, where speeds are known).

    Returns:
        The costliest first; the same for the same runs in whatever order.

    Raises:
        ValueError: ``workers`` or ``max_members`` is below 1.
    """
    if workers < 1 or (max_members is not None and max_members < 1):
        raise ValueError(f"workers = {workers}, max_members = {max_members}: must be at least 1")
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.cohort_key, []).append(run)
    parts = []
    for group in groups.values():
        limit = max_members if max_members is not None else members(group[0])
        for together in _by_seed(group, limit):
            parts += _even(together, limit)
    costs = {run.digest: cost(run) for part in parts for run in part}
    parts = _balance(parts, workers, lambda part: sum(costs[run.digest] for run in part))
    return [Cohort(tuple(part)) for part in parts]


@dataclass(frozen=True)
class Load:
    """What one worker gets to do."""

    cost: float
    pieces: tuple[int, ...]


def hand_out(costs: Sequence[float], workers: int) -> list[Load]:
    """Hand out pieces of work in the order given, each to the worker that is free first.

    Args:
        costs: What the pieces cost.
        workers: At least 1.

    Returns:
        One load for each worker, the largest, which ends last, first.
    """
    free: list[tuple[float, int]] = [(0.0, worker) for worker in range(workers)]
    pieces: list[list[int]] = [[] for _ in range(workers)]
    for index, cost in enumerate(costs):
        load, worker = free[0]
        heapq.heapreplace(free, (load + cost, worker))
        pieces[worker].append(index)
    return [Load(cost, tuple(pieces[worker])) for cost, worker in sorted(free, reverse=True)]


def _by_seed(group: list[Run], limit: int) -> list[list[Run]]:
    """Runs that should stay together, like lengths beside each other; as many whole seeds as the limit holds."""
    seeds: dict[Hashable, list[Run]] = {}
    for run in sorted(group, key=_longest_first):
        seeds.setdefault(run.data_order, []).append(run)
    if len(group) >= LEVELS_WORTH_A_COHORT * len(seeds):
        whole = max(1, limit // max(map(len, seeds.values())))
        packs = _even(sorted(seeds, key=lambda order: min(run.seed for run in seeds[order])), whole)
        return [[run for seed in pack for run in seeds[seed]] for pack in packs]
    return [sorted(group, key=_longest_first)]


def _longest_first(run: Run) -> tuple[int, int, str]:
    return -(run.length or 0), run.seed, run.digest


def _even(items: list[T], limit: int) -> list[list[T]]:
    """As few parts as ``limit`` allows, their sizes as equal as can be."""
    number = -(-len(items) // limit)
    bounds = [len(items) * part // number for part in range(number + 1)]
    return [items[start:end] for start, end in pairwise(bounds)]


def _balance(parts: list[list[Run]], workers: int, cost: Callable[[list[Run]], float]) -> list[list[Run]]:
    """Halve parts of the busiest worker for as long as that spreads the work more evenly."""
    parts = _costliest_first(parts, cost)
    loads = hand_out([cost(part) for part in parts], workers)
    while loads[0].cost > BALANCED * sum(load.cost for load in loads) / workers:
        for index in reversed(loads[0].pieces):
            halves = _even(parts[index], -(-len(parts[index]) // 2))
            split = _costliest_first([*parts[:index], *halves, *parts[index + 1 :]], cost)
            after = hand_out([cost(part) for part in split], workers)
            if _unevenness(after) < _unevenness(loads):
                parts, loads = split, after
                break
        else:
            break
    return parts


def _costliest_first(parts: list[list[Run]], cost: Callable[[list[Run]], float]) -> list[list[Run]]:
    """In the order of cost; of one cost seed by seed, so that a study that is stopped has whole seeds."""
    return sorted(parts, key=lambda part: (-cost(part), min(run.seed for run in part), part[0].digest))


def _unevenness(loads: list[Load]) -> float:
    return sum(load.cost**2 for load in loads)
