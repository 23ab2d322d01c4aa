"""Forming cohorts: which runs are trained together, and in which order."""

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

from ablate.images.config import AlexNet
from ablate.images.run import RunConfig
from ablate.plan.plan import training_images

T = TypeVar("T")

LEVELS_WORTH_A_COHORT = 3
"""From so many levels a seed on, a cohort holds whole seeds with all their levels, which share every batch."""

BALANCED = 1.05
"""A plan whose busiest worker has at most so many times the mean load is not split further."""

Cost = Callable[[RunConfig], float]


@dataclass(frozen=True)
class Cohort:
    """Runs that one worker trains together."""

    runs: tuple[RunConfig, ...]
    """With the same ``cohort_key``; longest first, then by seed."""

    @property
    def key(self) -> str:
        """Of what shapes a training step."""
        return self.runs[0].cohort_key

    @cached_property
    def shared(self) -> bool:
        """Whether all members have one seed (of the order and of the split), and so the same batches."""
        return len({_seeds(run) for run in self.runs}) == 1

    @cached_property
    def samples(self) -> int:
        """Training samples of all members over all their epochs."""
        return sum(map(training_samples, self.runs))

    @property
    def epochs(self) -> int:
        """Of the longest member."""
        return max(run.train.epochs for run in self.runs)


def training_samples(run: RunConfig) -> int:
    """Training images times epochs of a run."""
    return training_images(run) * run.train.epochs


def default_members(run: RunConfig) -> int:
    """How many runs a cohort holds unless told otherwise.

    Ten stacked LeNets were measured to pay; larger ones pay little more and lose more when one is killed. An
    AlexNet has hundreds of times the parameters, so that stacking many gains little and costs memory.
    """
    if not isinstance(run.model, AlexNet):
        return 10
    return 4 if run.model.form == "small" else 1


def form_cohorts(
    runs: Iterable[RunConfig],
    *,
    workers: int,
    max_members: int | None = None,
    members: Callable[[RunConfig], int] = default_members,
    cost: Cost = training_samples,
) -> list[Cohort]:
    """Split runs into cohorts that keep all workers busy to the end.

    Args:
        runs: To be trained, each once.
        workers: That train at the same time, at least 1.
        max_members: Of a cohort, at least 1; None: as many as ``members`` says.
        members: How many a cohort of runs like this one should have at most.
        cost: Of training one run, in any unit (samples; seconds, where speeds are known).

    Returns:
        The costliest first; the same for the same runs in whatever order.

    Raises:
        ValueError: ``workers`` or ``max_members`` is below 1.
    """
    if workers < 1 or (max_members is not None and max_members < 1):
        raise ValueError(f"workers = {workers}, max_members = {max_members}: must be at least 1")
    groups: dict[str, list[RunConfig]] = {}
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
        costs: Of the pieces.
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


def _by_seed(group: list[RunConfig], limit: int) -> list[list[RunConfig]]:
    """Runs that should stay together, like lengths beside each other; as many whole seeds as the limit holds."""
    seeds: dict[tuple[int, int], list[RunConfig]] = {}
    for run in sorted(group, key=lambda run: (-run.train.epochs, run.seed, run.digest)):
        seeds.setdefault(_seeds(run), []).append(run)
    if len(group) >= LEVELS_WORTH_A_COHORT * len(seeds):
        whole = max(1, limit // max(map(len, seeds.values())))
        packs = _even(sorted(seeds), whole)
        return [[run for seed in pack for run in seeds[seed]] for pack in packs]
    return [sorted(group, key=lambda run: (-run.train.epochs, run.seed, run.digest))]


def _seeds(run: RunConfig) -> tuple[int, int]:
    return run.seed, run.data.split_seed if run.data.split_seed is not None else run.seed


def _even(items: list[T], limit: int) -> list[list[T]]:
    """As few parts as ``limit`` allows, their sizes as equal as can be."""
    number = -(-len(items) // limit)
    bounds = [len(items) * part // number for part in range(number + 1)]
    return [items[start:end] for start, end in pairwise(bounds)]


def _balance(
    parts: list[list[RunConfig]], workers: int, cost: Callable[[list[RunConfig]], float]
) -> list[list[RunConfig]]:
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


def _costliest_first(parts: list[list[RunConfig]], cost: Callable[[list[RunConfig]], float]) -> list[list[RunConfig]]:
    return sorted(parts, key=lambda part: (-cost(part), part[0].digest))


def _unevenness(loads: list[Load]) -> float:
    return sum(load.cost**2 for load in loads)
