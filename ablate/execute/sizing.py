"""How many runs a cohort should hold: as many as pay on this machine, and never more than memory allows."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ablate.execute.estimate import Speeds
from ablate.plan.cohorts import LEVELS_WORTH_A_COHORT
from ablate.task.run import Run

SIZES = (1, 5, 10, 20)
"""Tried in this order, for as long as more members pay."""

GAIN = 1.05
"""A larger cohort must be at least so many times as fast."""

WORTH_SECONDS = 450.0
"""Shapes whose runs take one core less than so long, by what is known or guessed, are not measured: that takes 7 to 20
seconds during which nothing is trained, and the size that is found is seldom more than 5 % faster than the default."""

PROBE_SECONDS = 1.0
"""How long the steps of one measurement take."""


@dataclass
class Probe:
    """One shape of cohort on its way to a size."""

    runs: tuple[Run, ...]
    """All runs of the shape, as :func:`ablate.plan.cohorts.form_cohorts` would line them up; the first are tried."""
    size: int
    speeds: dict[int, float] = field(default_factory=dict)

    @property
    def shared(self) -> bool:
        """Whether the members of the next measurement have one seed."""
        return len({run.seed for run in self.members}) == 1

    @property
    def members(self) -> tuple[Run, ...]:
        """The members of the next measurement."""
        return tuple(self.runs[i % len(self.runs)] for i in range(self.size))


class Sizing:
    """Measurements to make before a sweep, and what follows from them.

    Args:
        runs: The runs to train.
        speeds: What is known of this host; shapes with a measured size are not measured again.
        room: Bytes that a worker may take; None: any number.
        measure_all: Whether short work is measured, too.
    """

    def __init__(self, runs: Iterable[Run], speeds: Speeds, room: int | None, *, measure_all: bool = False) -> None:
        groups: dict[str, list[Run]] = {}
        for run in runs:
            groups.setdefault(run.cohort_key, []).append(run)
        self._room = math.inf if room is None else room
        self.waiting: list[Probe] = []
        for group in groups.values():
            cost = sum(speeds.seconds(run, run.samples) for run in group)
            known = speeds.measured(group[0], 10, True) is not None
            if not known and len(group) > 1 and (measure_all or cost > WORTH_SECONDS):
                self.waiting.append(_probe(group))

    def next(self) -> Probe | None:
        """The next measurement to make."""
        return self.waiting.pop() if self.waiting else None

    def learn(self, probe: Probe, samples_per_second: float, used: int) -> None:
        """Take in a measurement, and go on with a larger size where that may pay.

        Args:
            probe: What was measured.
            samples_per_second: Speed of one worker while the others were busy.
            used: Bytes that the cohort took.
        """
        before = max(probe.speeds.values(), default=0.0)
        probe.speeds[probe.size] = samples_per_second
        larger = [size for size in SIZES if size > probe.size and size <= _most(probe.runs)]
        if larger and samples_per_second >= GAIN * before and used / probe.size * larger[0] <= self._room:
            probe.size = larger[0]
            self.waiting.append(probe)


def members_by(speeds: Speeds, default: Callable[[Run], int], most: int | None = None) -> Callable[[Run], int]:
    """How many members a cohort should have: the fastest size measured here, else a default.

    Args:
        speeds: What is known of this host.
        default: For shapes that were not measured at two sizes.
        most: As many, whatever is known; None: nobody said so.
    """

    def members(run: Run) -> int:
        if most is not None:
            return most
        known = speeds.sizes(run)
        return max(known, key=lambda size: known[size]) if len(known) > 1 else default(run)

    return members


def _probe(group: Sequence[Run]) -> Probe:
    seeds = {run.seed for run in group}
    runs = sorted(group, key=lambda run: run.seed) if len(group) >= LEVELS_WORTH_A_COHORT * len(seeds) else group
    return Probe(tuple(runs), size=min(SIZES[1], _most(runs)))


def _most(runs: Sequence[Run]) -> int:
    """The largest size worth trying: the first of :data:`SIZES` that holds all runs."""
    return next((size for size in SIZES if size >= len(runs)), SIZES[-1])
