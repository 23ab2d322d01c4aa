"""What came of a sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ablate.task.record import Status

MOST_NAMED = 3
"""Runs named of those that failed for the same reason."""


@dataclass(frozen=True)
class Failure:
    """A run that failed."""

    digest: str
    description: str
    """What tells the run apart from the others, for people."""
    error: str
    """The last line of the traceback: kind and message."""


@dataclass(frozen=True)
class Summary:
    """Counts over the runs that were asked for."""

    planned: int
    """Runs asked for."""
    statuses: Mapping[Status, int] = field(default_factory=dict)
    """How many have a record of each status now; the rest is missing (a sweep that was interrupted)."""
    trained: int = 0
    """Runs that this sweep trained."""
    reused: int = 0
    """Runs that were in the store before."""
    read_off: int = 0
    """Runs that were taken from a longer run of the same trajectory."""
    elsewhere: int = 0
    """Trained by another sweep on the same store meanwhile."""
    failures: tuple[Failure, ...] = ()
    deaths: int = 0
    """Worker processes that died."""
    samples: int = 0
    """Work of the runs trained, in :attr:`unit`."""
    unit: str = "training samples"
    """What ``samples`` counts, for people."""
    lost_seconds: float = 0.0
    """Worker time spent on training that left no record: cohorts that were cut short or trained again."""
    seconds: float = 0.0
    """Wall time."""

    @property
    def complete(self) -> int:
        """Runs that are complete."""
        return self.statuses.get("complete", 0)

    @property
    def diverged(self) -> int:
        """Runs that diverged."""
        return self.statuses.get("diverged", 0)

    @property
    def failed(self) -> int:
        """Runs that failed."""
        return self.statuses.get("failed", 0)

    @property
    def stopped(self) -> int:
        """Runs that were told to leave early: what the store has of them is a part."""
        return self.statuses.get("stopped", 0)

    @property
    def missing(self) -> int:
        """Runs without a record."""
        return self.planned - self.complete - self.diverged - self.failed - self.stopped

    def __str__(self) -> str:
        """A few lines for a terminal."""
        counts = [f"{self.complete} complete", f"{self.diverged} diverged", f"{self.failed} failed"]
        if self.stopped:
            counts.append(f"{self.stopped} stopped early")
        if self.missing:
            counts.append(f"{self.missing} not trained")
        origins = [f"{self.trained} trained in {clock(self.seconds)}", f"{self.reused} already in the store"]
        if self.read_off:
            origins.append(f"{self.read_off} taken from longer runs")
        if self.elsewhere:
            origins.append(f"{self.elsewhere} trained by another sweep")
        lines = [f"{self.planned} runs: {', '.join(counts)} ({', '.join(origins)})"]
        if self.trained and self.seconds > 0:
            lines.append(f"{self.samples:,} {self.unit}, {rate(self.samples / self.seconds)} a second")
        if self.deaths:
            lines.append(f"worker processes died: {self.deaths}; {clock(self.lost_seconds)} of training lost")
        alike: dict[str, list[str]] = {}
        for failure in self.failures:
            alike.setdefault(failure.error, []).append(failure.description)
        lines += [f"failed: {_named(runs)}: {error}" for error, runs in alike.items()]
        return "\n".join(lines)


def _named(runs: Sequence[str]) -> str:
    """The first of the runs that failed alike, and how many more there are."""
    more = len(runs) - MOST_NAMED
    return "; ".join(runs[:MOST_NAMED]) + (f"; and {more} more run{'s' * (more > 1)}" if more > 0 else "")


class Interrupted(KeyboardInterrupt):
    """The sweep was stopped by Ctrl-C (or SIGTERM); what had finished is in the store.

    Args:
        summary: Until then.
    """

    def __init__(self, summary: Summary) -> None:
        super().__init__("interrupted")
        self.summary = summary


def rate(speed: float) -> str:
    """Work a second for people; slow work with two digits."""
    return f"{speed:,.0f}" if speed >= 10 else f"{speed:.2g}"


def clock(seconds: float) -> str:
    """A duration for people: ``0:00:07``, ``12:03:00``."""
    whole = int(seconds + 0.5)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
