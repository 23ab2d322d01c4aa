"""How long training will take: from what was measured on this host, else from a guess that says so."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ablate.plan.cohorts import Cohort, hand_out
from ablate.store import Speed
from ablate.task.run import Run

STARTUP_SECONDS = 5.0
"""A worker's start: importing PyTorch and loading the data."""


@dataclass(frozen=True)
class Estimate:
    """What training some cohorts will take."""

    runs: int
    cohorts: int
    samples: int
    seconds: float
    """Wall time with all workers."""
    measured: float
    """Share of the samples whose speed was measured on this host, in [0, 1]; the rest is guessed."""


class Speeds:
    """Samples a second of one worker, by the shape of its cohort.

    Args:
        known: Measurements of this host.
        device: ``cpu`` or ``cuda``, with the threads of a worker if they are several (``cpu x2``).
    """

    def __init__(self, known: Iterable[Speed], device: str) -> None:
        self._known: dict[str, list[Speed]] = {}
        for speed in known:
            if speed.device == device:
                self.add(speed)

    def add(self, speed: Speed) -> None:
        """Learn a new measurement, which replaces that of the same shape."""
        others = self._known.setdefault(speed.cohort_key, [])
        others[:] = [s for s in others if (s.members, s.shared) != (speed.members, speed.shared)] + [speed]

    def measured(self, run: Run, members: int, shared: bool) -> float | None:
        """The speed of the most alike cohort that was measured; None: none is alike.

        Of those under the first of the run's keys that has any it is the one closest in size (then in sharing batches).
        """
        known = next((self._known[key] for key in run.speed_keys if key in self._known), None)
        if not known:
            return None
        alike = min(known, key=lambda s: (abs(math.log(s.members / members)), s.shared != shared, s.members))
        return alike.samples_per_second

    def sizes(self, run: Run) -> dict[int, float]:
        """Measured speeds of this run's shape by the number of members."""
        return {speed.members: speed.samples_per_second for speed in self._known.get(run.cohort_key, ())}

    def of(self, cohort: Cohort) -> float:
        """Measured or guessed."""
        run = cohort.runs[0]
        return self.measured(run, len(cohort.runs), cohort.shared) or run.guessed_speed

    def seconds(self, run: Run, samples: int) -> float:
        """One worker's time for so many training samples of a run like this."""
        return samples / (self.measured(run, 10, True) or run.guessed_speed)


def estimate(cohorts: Sequence[Cohort], speeds: Speeds, workers: int) -> Estimate:
    """Wall time of training cohorts in the order given.

    Args:
        cohorts: As :func:`ablate.plan.cohorts.form_cohorts` gives them.
        speeds: What is known of this host.
        workers: How many there are, at least 1.
    """
    seconds = hand_out([cohort.samples_left / speeds.of(cohort) for cohort in cohorts], workers)[0].cost
    samples = sum(cohort.samples_left for cohort in cohorts)
    known = sum(c.samples_left for c in cohorts if speeds.measured(c.runs[0], len(c.runs), c.shared) is not None)
    return Estimate(
        runs=sum(len(cohort.runs) for cohort in cohorts),
        cohorts=len(cohorts),
        samples=samples,
        seconds=seconds + STARTUP_SECONDS if cohorts else 0.0,
        measured=known / samples if samples else 1.0,
    )
