"""Cohorts that fit into memory: what their workers take, what there is, and smaller ones where it is too little."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from ablate.execute.devices import free_on
from ablate.plan.cohorts import Cohort
from ablate.task.executor import LOCAL, ExecutorChoice, WorkerSettings
from ablate.task.memory import available, in_words
from ablate.task.run import Run, SizedInMemory

SHARE = 0.9
"""Of the memory at hand, for all workers together: predictions are within a tenth."""

Effort = Literal["all", "needed", "nothing"]
Members = Callable[[Run], int]
"""Most members of a cohort of runs like this one."""


@dataclass(frozen=True)
class Fitted:
    """Cohorts, and what is known of their memory."""

    cohorts: list[Cohort]
    sizes: list[int | None]
    """Bytes that a worker takes at most while it trains each; None: not known."""
    smaller: dict[str, int]
    """By cohort key, the most members for which there is memory, where that is fewer than were wanted."""


def fit(
    form: Callable[[Members], list[Cohort]],
    members: Members,
    room: int | None,
    device: str,
    *,
    effort: Effort = "needed",
) -> Fitted:
    """Form cohorts for which there is memory.

    Args:
        form: Forms cohorts of so many members.
        members: How many are wanted.
        room: Bytes that a worker may take; None: any number.
        device: Where they are trained.
        effort: What is worked out that is not known yet, which takes seconds: the memory of ``all`` cohorts, that of
            those that are not surely small enough (``needed``), or ``nothing``.

    Returns:
        Runs that do not even fit alone are in cohorts of one.
    """
    cohorts = form(members)
    below = {"all": None, "needed": room if room is not None else math.inf, "nothing": math.inf}[effort]
    sizes = memory_of([cohort.runs for cohort in cohorts], device, below)
    large = _too_large(cohorts, sizes, room)
    if room is None or not large:
        return Fitted(cohorts, sizes, {})
    alone = memory_of(
        [cohort.runs[:1] for cohort, _ in large.values()], device, math.inf if effort == "nothing" else None
    )
    smaller = {
        key: _most(len(cohort.runs), size, single, room)
        for (key, (cohort, size)), single in zip(large.items(), alone, strict=True)
    }
    cohorts = form(lambda run: min(members(run), smaller.get(run.cohort_key, members(run))))
    return Fitted(cohorts, memory_of([c.runs for c in cohorts], device, below), smaller)


def memory_of(cohorts: Sequence[Sequence[Run]], device: str, below: float | None = None) -> list[int | None]:
    """See :class:`ablate.task.run.SizedInMemory`; None for runs of which it is not known."""
    found: list[int | None] = [None] * len(cohorts)
    kinds: dict[type, list[int]] = {}
    for place, runs in enumerate(cohorts):
        kinds.setdefault(type(runs[0]), []).append(place)
    for kind, places in kinds.items():
        if isinstance(cohorts[places[0]][0], SizedInMemory):
            sizes = kind.memory_of([cohorts[place] for place in places], device, below)  # type: ignore[attr-defined]
            for place, size in zip(places, sizes, strict=True):
                found[place] = size
    return found


@dataclass(frozen=True)
class Room:
    """Memory for workers, in bytes; None: it is not known here."""

    at_hand: int | None
    """What the workers of one machine have together, or those of the GPU that is known to have least for each."""
    workers: int
    """How many share it."""

    @property
    def worker(self) -> int | None:
        """What one of them may take of it."""
        return None if self.at_hand is None else int(SHARE * self.at_hand / self.workers)


def room_of(settings: Sequence[WorkerSettings], choice: ExecutorChoice, held: int = 0) -> Room:
    """The memory that there is for workers.

    Args:
        settings: Of each worker.
        choice: The executor: of others than the local one, only what is asked of them for each worker is known.
        held: Bytes of this machine's memory that such workers have already.
    """
    devices = Counter(one.device for one in settings)
    rooms = [Room(total, devices[device]) for device, total in _at_hand(devices, choice, held).items()]
    return min(rooms, key=lambda room: math.inf if room.worker is None else room.worker)


def _at_hand(devices: Mapping[str, int], choice: ExecutorChoice, held: int) -> dict[str, int | None]:
    """What there is for the workers of each device together."""
    if choice.name == LOCAL:
        return {"cpu": available() + held} if "cpu" in devices else dict(free_on(list(devices)))
    asked = choice.options.get("memory", "")
    with suppress(ValueError):
        return {device: int(float(asked) * 2**30) * n if device == "cpu" else None for device, n in devices.items()}
    return dict.fromkeys(devices)


def _too_large(
    cohorts: Sequence[Cohort], sizes: Sequence[int | None], room: int | None
) -> dict[str, tuple[Cohort, int]]:
    """The largest cohort of each shape for which there is too little room."""
    found: dict[str, tuple[Cohort, int]] = {}
    for cohort, size in zip(cohorts, sizes, strict=True):
        if room is not None and size is not None and size > room and len(cohort.runs) > 1:
            if cohort.key not in found or size > found[cohort.key][1]:
                found[cohort.key] = (cohort, size)
    return found


def _most(members: int, size: int, single: int | None, room: int) -> int:
    """How many members fit, by a line through what one takes and what all do."""
    if single is None or single >= size:
        return max(1, members * room // size)
    each = (size - single) / (members - 1)
    return max(1, min(members - 1, 1 + int((room - single) / each)))


def needs(runs: Sequence[Run], device: str) -> str:
    """What to add to the error of runs that memory ended: how much they need; nothing where that is not known."""
    (size,) = memory_of([runs], device)
    return "" if size is None else f"; it needs about {in_words(size)}, and {in_words(available())} are free here"
