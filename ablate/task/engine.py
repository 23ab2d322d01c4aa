"""An engine: the part of a task that trains, loaded by worker processes alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ablate.task.checkpoint import Checkpoints
from ablate.task.record import Measurement, Result, StopRule
from ablate.task.run import Run

OnStep = Callable[[int, Sequence[int]], None]
"""``(step, members)``: these members (positions among the runs) have finished this step. It may raise to leave off."""


OnInterim = Callable[[str, Mapping[int, float]], None]
"""``(metric, values)``: what runs, by their positions, have measured so far; for people, and part of no result."""


@dataclass(frozen=True)
class Speed:
    """What a trial of some runs found."""

    samples_per_second: float
    bytes: int
    """Memory that they take together."""


class Engine(Protocol):
    """Made once in each worker process, and then handed cohort after cohort.

    A module's class, made with ``(device, threads)``: ``cpu`` or ``cuda:N``, and the threads that it may use. Making it
    raises :class:`ablate.task.errors.ConfigError` where the device is not there.
    """

    @property
    def hardware(self) -> Mapping[str, Any]:
        """``gpu`` (its name, or None) and whatever else belongs to the provenance of what it trains."""

    def load(self, runs: Sequence[Run]) -> None:
        """Get ready what these runs share with others, such as their data; kept for later cohorts, and not timed.

        Args:
            runs: As for :meth:`train`.

        Raises:
            ConfigError: What the runs need is not there.
        """

    def train(self, runs: Sequence[Run], on_step: OnStep, stops: Mapping[int, StopRule]) -> Sequence[Result]:
        """Carry out runs that share a cohort key.

        Args:
            runs: The runs to train, at least one.
            on_step: This is called after steps; what it raises must be let through.
            stops: What a run must reach to go on, by its position in ``runs``.

        Returns:
            One result for each run, in order. A member's own fault is a result with the status ``failed``.

        Raises:
            Exception: The cohort as a whole failed, or memory ran out; it is then tried in halves, down to single runs.
        """

    def probe(self, runs: Sequence[Run], seconds: float) -> Speed | None:
        """Measure how fast these train together.

        Args:
            runs: As for :meth:`train`.
            seconds: How long steps are measured.

        Returns:
            What was found; None: there is nothing to gain from training runs together.
        """


@runtime_checkable
class KeepsMore(Protocol):
    """What an engine has beside :class:`Engine` whose runs can leave more than results.

    Its task is a :class:`ablate.task.task.LeavesMore`, which says before anything is trained which runs cannot.
    """

    keeps: tuple[str, ...]
    """What they can leave, such as ``weights``."""

    def keep(self, what: str, folder: str) -> None:
        """Write this of every run that is complete from now on into a folder, under the run's digest.

        Args:
            what: One of :attr:`keeps`.
            folder: May not exist yet.
        """


@runtime_checkable
class Resumable(Protocol):
    """What an engine has beside :class:`Engine` whose runs go on where they were cut off."""

    def keep_checkpoints(self, checkpoints: Checkpoints) -> None:
        """Write checkpoints whenever they are due from now on, and go on from those that are there.

        Args:
            checkpoints: The worker's.
        """


@runtime_checkable
class TellsInterim(Protocol):
    """What an engine has beside :class:`Engine` whose runs measure something before they end."""

    def tell_interim(self, on_interim: OnInterim) -> None:
        """Call this from now on with what runs in training have measured so far, soon after they begin.

        Args:
            on_interim: What it raises must be let through.
        """


__all__ = [
    "Checkpoints",
    "Engine",
    "KeepsMore",
    "Measurement",
    "OnInterim",
    "OnStep",
    "Result",
    "Resumable",
    "Speed",
    "StopRule",
    "TellsInterim",
]
