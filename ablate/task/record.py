"""What a finished run leaves: the one type that an engine returns, the store keeps and the analysis reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Literal

from ablate.task.metric import Goal

Status = Literal["complete", "diverged", "failed", "stopped"]

LACKS = "lacks"
"""Note of a failed run that has no fault but that it never measured some metrics of its task, or measured what is none:
the names it lacks. Where no run of the task has ever measured these, a sweep leaves off, as what is wrong is then how
the task is declared."""

NOT_KEPT = "not_kept"
"""Note of a complete run that was to leave more than its record: the files that are missing, and why."""


@dataclass(frozen=True)
class Measurement:
    """What a run measured at one step."""

    step: int
    """Position along the run, increasing from measurement to measurement: an epoch counted from 1, an iteration, or 0
    for the one final value of a run that has no steps."""
    values: Mapping[str, float] = field(default_factory=dict)
    """Values by the metric's name, without those not measured at this step; one that diverged is NaN or inf."""
    seconds: float = 0.0
    """Wall time since the measurement before; a cohort's time is divided by its members."""


@dataclass(frozen=True)
class Guess:
    """What guessing scores on the data of a run."""

    value: float
    """The metric's value for a model that has learnt nothing but the shares of the classes."""
    samples: int | None = None
    """Samples behind one value of the metric: fewer stray further from ``value`` by luck. None: unknown."""


@dataclass(frozen=True)
class Result:
    """The outcome of a run.

    ``complete``: it went to its end and every value is finite. ``diverged``: a value became NaN or infinite;
    ``curves`` ends with that step. ``failed``: an error; ``error`` holds the traceback or the reason, ``curves`` what
    was measured before it. ``stopped``: told to leave early by a :class:`StopRule`; ``curves`` is a part of the run,
    which is trained anew where all of it is wanted.
    """

    status: Status
    curves: tuple[Measurement, ...] = ()
    error: str | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)
    """How it was trained, as JSON data (cohort size, stacked, compiled, reasons); never part of the identity."""
    guesses: Mapping[str, Guess] = field(default_factory=dict)
    """What guessing scores in each metric; empty where the engine does not know, and then nothing is imputed."""

    def last(self, metric: str) -> float | None:
        """The metric's last value; None where it was never measured."""
        for measurement in reversed(self.curves):
            if metric in measurement.values:
                return measurement.values[metric]
        return None

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of all that was measured, in order of first appearance."""
        return tuple(dict.fromkeys(chain.from_iterable(measurement.values for measurement in self.curves)))

    @property
    def seconds(self) -> float:
        """Wall time of the whole run."""
        return sum(measurement.seconds for measurement in self.curves)


@dataclass(frozen=True)
class StopRule:
    """What a run must have reached after certain steps to go on; no part of its identity."""

    metric: str
    goal: Goal
    """Direction of the metric."""
    limits: tuple[tuple[int, float], ...]
    """``(step, value)``: the run leaves after this step if its value is worse than that; where the metric is not
    measured at this step, after the first step from there on at which it is."""
    end: int | None = None
    """The run's last step, after which it is complete and no rule stops it; None: not known."""

    def stops(self, measurement: Measurement, before: int | None = None) -> bool:
        """Say whether a run leaves after this measurement.

        Args:
            measurement: The last one.
            before: The last step before it at which the metric was measured; None: the one just before it.
        """
        value = measurement.values.get(self.metric)
        if value is None or (self.end is not None and measurement.step >= self.end):
            return False
        since = measurement.step - 1 if before is None else before
        due = [limit for limit in self.limits if since < limit[0] <= measurement.step]
        if not due:
            return False
        _, limit = max(due)
        return value < limit if self.goal == "max" else value > limit

    def part(self, curves: tuple[Measurement, ...]) -> tuple[Measurement, ...] | None:
        """The measurements up to where a run would have left, or None where it would not have."""
        before = -1
        for position, measurement in enumerate(curves, start=1):
            if self.stops(measurement, before):
                return curves[:position]
            if self.metric in measurement.values:
                before = measurement.step
        return None


@dataclass(frozen=True)
class Record:
    """A run's configuration, its result and where that came from; one row of the store."""

    digest: str
    config: Mapping[str, Any]
    """The run's identity (``Run.identity``), nested JSON data."""
    result: Result
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """commit, dirty, versions, cpu/gpu, threads, host, started, ended (ISO 8601 UTC), prefix_of."""
