"""An executor: where engines run.

Declared by the user's own project or an installed package (see :mod:`ablate.task.finding`) under ``executors`` as
``module:name`` of something that, called with the :class:`WorkerSettings` of each worker, makes an :class:`Executor`;
chosen on the command line (``executor=NAME``). The built-in one, ``local``, is :class:`ablate.execute.pool.Pool`, from
which others may derive; what a worker does is :func:`ablate.execute.worker.main`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ablate.task.record import Record, Result, StopRule
from ablate.task.run import Run

LOCAL = "local"
"""The built-in executor's name."""


@dataclass(frozen=True)
class ExecutorChoice:
    """Which executor, and what was said about it."""

    name: str = LOCAL
    options: Mapping[str, str] = field(default_factory=dict)
    """Options by name, as on the command line (``executor.partition=gpu``); only for an executor whose class has
    ``Options``, a pydantic class of them, and which is then called with the settings and the choice."""
    results: Path = Path("results")
    """Folder of results; executors whose workers leave files have them below it."""
    store: str = ""
    """Names the sweep's store: what workers leave behind belongs to it; filled in when a sweep begins."""


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker is started with."""

    device: str
    """``cpu`` or ``cuda:N``."""
    threads: int
    engine: str | None = None
    """``module:class`` of an engine that trains all runs, instead of the one that each names."""
    kept: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What engines that can (see :class:`ablate.task.engine.KeepsMore`) keep of complete runs beside their results, and
    the folder of each."""
    checkpoints: str | None = None
    """Folder in which engines that can (see :class:`ablate.task.engine.Resumable`) keep checkpoints; None: none are."""
    checkpoint_seconds: float = 600.0
    """Between two checkpoints of a cohort."""
    keeps_states: bool = False
    """Whether complete runs leave the state that longer ones go on from, beside the checkpoints."""


@dataclass(frozen=True)
class TrainCohort:
    """Asks a worker to train these runs together."""

    runs: tuple[Run, ...]
    stops: tuple[tuple[int, StopRule], ...] = ()
    """Position in ``runs`` and what that run must reach to go on."""


@dataclass(frozen=True)
class MeasureSpeed:
    """Asks a worker to measure how fast these runs train together."""

    runs: tuple[Run, ...]
    seconds: float
    """How long steps are measured."""


@dataclass(frozen=True)
class Stop:
    """Tells a worker to stop at the end of the step and to exit."""


@dataclass(frozen=True)
class Ready:
    """A worker says that it has started."""

    hardware: Mapping[str, Any]
    """``device`` and ``threads``: part of the provenance of what it trains."""


@dataclass(frozen=True)
class StepEnded:
    """A worker says that members of the cohort have finished a step."""

    step: int
    members: tuple[int, ...]
    """Positions in ``TrainCohort.runs``."""


@dataclass(frozen=True)
class InterimMeasured:
    """A worker says what members of the cohort have measured so far: for people, and part of no result."""

    metric: str
    values: tuple[tuple[int, float], ...]
    """Position in ``TrainCohort.runs``, and the value."""


@dataclass(frozen=True)
class CheckpointWritten:
    """A worker says that the cohort can be gone on with from here, or why not."""

    step: int
    trouble: str = ""
    """For people; empty: all is well."""


@dataclass(frozen=True)
class Trained:
    """A worker says that the cohort is done."""

    results: tuple[Result, ...]
    seconds: float
    """Wall time of training and evaluation, without what is done once for many cohorts (loading the data)."""
    hardware: Mapping[str, Any]
    """What the engine says of where it ran; part of the provenance."""


@dataclass(frozen=True)
class SpeedMeasured:
    """A worker says how fast a cohort trained."""

    samples_per_second: float
    """0: it could not be."""
    used: int
    """Bytes."""


@dataclass(frozen=True)
class Raised:
    """A worker says that the cohort as a whole failed, or, without a cohort, the worker itself."""

    traceback: str
    is_engine: bool = False
    """Whether the engine could not even be made: nothing that needs it can be trained."""


@dataclass(frozen=True)
class Refused:
    """A worker says that the user's input cannot be used (missing data, a device that is not there)."""

    problems: tuple[str, ...]


@dataclass(frozen=True)
class Died:
    """A worker has ended without being told to."""

    reason: str
    is_out_of_memory: bool = False
    """Whether the machine's memory, which its workers share, had run out, as far as can be told."""


Answer = Ready | StepEnded | InterimMeasured | CheckpointWritten | Trained | SpeedMeasured | Raised | Refused


class Worker(Protocol):
    """One place where a cohort can train at a time; hashable by itself."""

    @property
    def is_ready(self) -> bool:
        """Say whether it has started."""

    @property
    def hardware(self) -> Mapping[str, Any]:
        """Return what it said of itself when it was ready."""

    def send(self, message: TrainCohort | MeasureSpeed | Stop) -> None:
        """Say something; one that has died will be seen by :meth:`Executor.wait`."""


class Executor(Protocol):
    """Workers, started when they are needed, each of which may die at any moment."""

    @property
    def workers(self) -> Sequence[Worker]:
        """Alive."""

    @property
    def is_full(self) -> bool:
        """Say whether no further worker may be started."""

    def start(self) -> Worker:
        """Start one more worker."""

    def shrink(self) -> None:
        """Do with one worker less from now on."""

    def wait(self, seconds: float) -> Iterable[tuple[Worker, Answer | Died]]:
        """Return what workers have said, or that they have died, once there is anything or the time (at most) is up."""

    def end(self, worker: Worker) -> None:
        """End one at once: what it trains is not wanted any more."""

    def stop(self) -> None:
        """Ask all workers to leave off at the end of their step."""

    def close(self) -> None:
        """Let idle workers exit, and end those that do not."""

    def kill(self) -> None:
        """End all workers at once."""


@dataclass(frozen=True)
class LeftBehind:
    """What a worker finished after the process of its sweep had ended."""

    records: tuple[Record, ...]
    forget: Callable[[], None]
    """This is called once the records are in the store."""


@runtime_checkable
class OutlivesSweep(Protocol):
    """What an executor has beside :class:`Executor` whose workers may go on when the sweep's process has ended."""

    def left_behind(self) -> Iterable[LeftBehind]:
        """Return what workers of sweeps that have ended finished since, any study's."""

    def adopt(self) -> Iterable[tuple[Worker, tuple[Run, ...]]]:
        """Workers of sweeps that have ended, which are this executor's from now on, and what each is training."""
