"""What a sweep shows while it runs: a live display on a terminal, plain lines elsewhere, or nothing."""

import sys
import time
from dataclasses import dataclass
from typing import Any, TextIO

from ablate.execute.summary import clock, rate
from ablate.task.printable import printable

PLAIN_SECONDS = 10.0
"""Seconds between two plain lines on the state of things."""


@dataclass(frozen=True)
class State:
    """How far a sweep is."""

    planned: int
    done: int
    """Runs that have a record, however it came there; failed ones among them."""
    running: int
    failed: int
    diverged: int
    elsewhere: int
    """Runs that another sweep is training now."""
    samples: int
    """Training samples so far."""
    samples_left: int
    samples_per_second: float
    """Over the last minute; 0: nothing has been trained yet."""
    seconds_left: float
    is_guess: bool
    """Whether nothing measured stands behind ``seconds_left``."""
    unit: str = "samples"
    """What ``samples`` counts, for people."""
    interim: str = ""
    """What runs in training have measured so far."""

    def __str__(self) -> str:
        """One line."""
        parts = [f"{self.done}/{self.planned} runs", f"{self.running} running", f"{self.failed} failed"]
        if self.diverged:
            parts.append(f"{self.diverged} diverged")
        if self.elsewhere:
            parts.append(f"{self.elsewhere} in another sweep")
        if self.samples and self.samples_left:
            parts.append(f"{100 * self.samples / (self.samples + self.samples_left):.0f} % trained")
        if self.samples_per_second > 0:
            parts.append(f"{rate(self.samples_per_second)} {self.unit}/s")
        if self.samples_left:
            parts.append(f"{clock(self.seconds_left)} left" + (" (a guess)" if self.is_guess else ""))
        if self.interim:
            parts.append(self.interim)
        return ", ".join(parts)


class Progress:
    """Shows nothing; the base of those that do."""

    def start(self, state: State) -> None:
        """The sweep begins to train."""

    def update(self, state: State) -> None:
        """Called often; shows what it wants to."""

    def say(self, line: str) -> None:
        """Something happened: a cohort finished, a run failed, a worker died."""

    def close(self) -> None:
        """The sweep has ended, in whatever way."""


class PlainProgress(Progress):
    """A line for every event, and one on the state every ten seconds at most.

    Args:
        file: Where to write.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._next = 0.0

    def start(self, state: State) -> None:
        """See :class:`Progress`."""
        self.say(str(state))
        self._next = time.monotonic() + PLAIN_SECONDS

    def update(self, state: State) -> None:
        """See :class:`Progress`."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + PLAIN_SECONDS
            self.say(str(state))

    def say(self, line: str) -> None:
        """See :class:`Progress`."""
        print(printable(line), file=self._file, flush=True)


class LiveProgress(Progress):
    """A bar over the samples with the state beside it; events scroll by above.

    Args:
        file: A terminal.
    """

    def __init__(self, file: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        # Redrawn with every update and not by a thread: the display then needs no lock on Ctrl-C.
        self._display = Progress(
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.description}"),
            console=Console(file=file),
            auto_refresh=False,
            transient=True,
        )
        self._task: Any = None
        self._next = 0.0

    def start(self, state: State) -> None:
        """See :class:`Progress`."""
        self._task = self._display.add_task(str(state), total=None)
        self._display.start()
        self.update(state)

    def update(self, state: State) -> None:
        """See :class:`Progress`."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + 0.2
            total = state.samples + state.samples_left
            self._display.update(
                self._task, description=str(state), completed=state.samples, total=total or 1, refresh=True
            )

    def say(self, line: str) -> None:
        """See :class:`Progress`."""
        self._display.console.print(printable(line), markup=False, highlight=False)

    def close(self) -> None:
        """See :class:`Progress`."""
        self._display.stop()


def make_progress(*, quiet: bool = False, file: TextIO | None = None) -> Progress:
    """The display that fits.

    Args:
        quiet: Show nothing.
        file: Where to write; None: standard error.
    """
    file = file if file is not None else sys.stderr
    if quiet:
        return Progress()
    return LiveProgress(file) if file.isatty() else PlainProgress(file)
