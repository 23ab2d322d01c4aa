"""Simulated seconds for real code: what is to happen when, and the clocks that code sees in place of the real ones.

Code runs a step at a time, on behalf of a process of a simulated host. Within a step the process's own time goes on by
what its transactions take, so that its next step comes later.
"""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass


class Killed(BaseException):
    """The process was killed: nothing of what it would have done next has any effect."""


@dataclass
class HostClock:
    """What a machine's monotonic clock shows."""

    offset: float = 0.0
    rate: float = 1.0

    def shown(self, now: float) -> float:
        """At a time, by this clock."""
        return self.offset + self.rate * now

    def true(self, shown: float) -> float:
        """When it shows this."""
        return (shown - self.offset) / self.rate


@dataclass(eq=False)
class Process:
    """What runs on a host."""

    clock: HostClock
    busy_until: float = 0.0
    """Until its last transaction ended."""
    is_dying: bool = False
    """Whether it is killed in the middle of its next transaction: that is done, but nobody hears of it."""
    is_dead: bool = False


class Timeline:
    """What is to happen when."""

    def __init__(self) -> None:
        self.now = 0.0
        self.current: Process | None = None
        """On whose behalf code runs."""
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    @property
    def local(self) -> float:
        """The time of the process that runs."""
        return max(self.now, self.current.busy_until) if self.current is not None else self.now

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Do something then."""
        heapq.heappush(self._due, (when, next(self._count), act))

    def run(self, is_over: Callable[[], bool]) -> None:
        """Until nothing is left to happen, or all is over."""
        while self._due and not is_over():
            self.now, _, act = heapq.heappop(self._due)
            act()


class Clock:
    """Stands for the module ``time`` in code that is simulated.

    Args:
        timeline: Whose.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline

    def monotonic(self) -> float:
        """By the clock of the host that the running process is on."""
        process = self._timeline.current
        return process.clock.shown(self._timeline.local) if process is not None else self._timeline.now
