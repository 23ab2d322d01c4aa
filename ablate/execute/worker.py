"""A worker process: trains the cohorts that it is handed, and ends with the process that started it."""

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

from ablate.execute.interrupts import STOP_SIGNALS
from ablate.task.checkpoint import Checkpoints
from ablate.task.engine import Engine, KeepsMore, Resumable, TellsInterim
from ablate.task.errors import ConfigError
from ablate.task.executor import (
    Answer,
    CheckpointWritten,
    InterimMeasured,
    MeasureSpeed,
    Raised,
    Ready,
    Refused,
    SpeedMeasured,
    StepEnded,
    Stop,
    TrainCohort,
    Trained,
    WorkerSettings,
)
from ablate.task.finding import load_object
from ablate.task.marked_processes import MARK, end_marked
from ablate.task.run import Run

INTERIM_SECONDS = 0.5
"""Between two messages on what runs in training have measured so far, at least."""


class Line(Protocol):
    """The line to the sweep's process: a pipe, or what serves as one from another machine."""

    def send(self, message: Answer, /) -> None:
        """Say something."""

    def recv(self) -> TrainCohort | MeasureSpeed | Stop:
        """The next message, once there is one; EOFError: there will be none."""

    def poll(self) -> bool:
        """Whether there is one."""


def main(connection: "Connection[Any, Any]", settings: WorkerSettings) -> None:
    """Be a worker process of this machine until told to stop.

    Args:
        connection: The line to the sweep's process.
        settings: How to train.
    """
    for number in STOP_SIGNALS:  # The sweep's process decides what Ctrl-C means.
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    _end_with_parent()
    serve(connection, settings)


def serve(connection: Line, settings: WorkerSettings, use: Callable[[Checkpoints], None] | None = None) -> None:
    """Do what is asked for until told to stop.

    Args:
        connection: The line to the sweep's process.
        settings: How to train.
        use: This is called with the worker's checkpoints, where it keeps any.
    """
    ear = _Ear(connection)
    checkpoints = None
    if settings.checkpoints is not None:
        folder = Path(settings.checkpoints)
        checkpoints = Checkpoints(
            folder,
            settings.checkpoint_seconds,
            ear.is_told_to_stop,
            ear.tell_checkpoint,
            keeps_states=settings.keeps_states,
        )
        if use is not None:
            use(checkpoints)
    engines = _Engines(settings, checkpoints, ear)
    try:
        connection.send(Ready({"device": settings.device, "threads": settings.threads}))
        while not isinstance(message := connection.recv(), Stop):
            if isinstance(message, MeasureSpeed):
                _measure(message, engines, connection)
            else:
                _train(message, engines, ear, checkpoints)
                if checkpoints is not None:
                    checkpoints.end()
    except ConfigError as error:
        connection.send(Refused(tuple(error.problems)))
    except (EOFError, BrokenPipeError, ConnectionResetError, _Stopped):
        pass
    except Exception:
        connection.send(Raised(traceback.format_exc(), is_engine=True))


class _Stopped(BaseException):
    """Raised at the end of a step to leave off; no Exception, so that an engine takes it for no member's fault."""


class _Ear:
    """Hears, while a cohort is in training, whether to leave off."""

    def __init__(self, connection: Line) -> None:
        self.connection = connection
        self._is_told = False
        self._next_interim = 0.0

    def is_told_to_stop(self) -> bool:
        try:
            if not self._is_told and self.connection.poll():
                self._is_told = isinstance(self.connection.recv(), Stop)
        except (EOFError, OSError):  # nobody hears any more: no fault of a run that is in training
            raise _Stopped from None
        return self._is_told

    def tell_interim(self, metric: str, values: Mapping[int, float]) -> None:
        """Say what runs in training have measured so far; what comes right after is left out."""
        if time.monotonic() < self._next_interim:
            return
        self._next_interim = time.monotonic() + INTERIM_SECONDS
        try:
            self.connection.send(InterimMeasured(metric, tuple(values.items())))
        except OSError:
            raise _Stopped from None

    def tell_checkpoint(self, step: int, trouble: str) -> None:
        """Say that a checkpoint was written, or what is wrong with one, and leave off where that was waited for."""
        try:
            self.connection.send(CheckpointWritten(step, trouble))
        except OSError:
            raise _Stopped from None
        if not trouble and self.is_told_to_stop():
            raise _Stopped


class _Engines:
    """One of each kind that is asked for: a run's engine and what it brings is loaded when the first one comes."""

    def __init__(self, settings: WorkerSettings, checkpoints: Checkpoints | None, ear: _Ear) -> None:
        self._settings, self._checkpoints, self._ear = settings, checkpoints, ear
        self._made: dict[str, Engine] = {}

    def of(self, run: Run) -> Engine:
        """The engine that trains a run."""
        place = self._settings.engine or run.engine
        if place not in self._made:
            engine = load_object(place)(self._settings.device, self._settings.threads)
            for what, folder in self._settings.kept.items():
                if not isinstance(engine, KeepsMore) or what not in engine.keeps:
                    raise ConfigError(f"keep = {what}: runs of task {run.task} leave no {what} that could be kept")
                engine.keep(what, folder)
            if self._checkpoints is not None and isinstance(engine, Resumable):
                engine.keep_checkpoints(self._checkpoints)
            if isinstance(engine, TellsInterim):
                engine.tell_interim(self._ear.tell_interim)
            self._made[place] = engine
        return self._made[place]


def _train(message: TrainCohort, engines: _Engines, ear: _Ear, checkpoints: Checkpoints | None) -> None:
    connection = ear.connection

    def on_step(step: int, members: Sequence[int]) -> None:
        connection.send(StepEnded(step, tuple(members)))
        if ear.is_told_to_stop() and (checkpoints is None or not checkpoints.is_worth_one):
            raise _Stopped

    engine = engines.of(message.runs[0])
    try:
        engine.load(message.runs)
        start = time.perf_counter()
        results = tuple(engine.train(message.runs, on_step, dict(message.stops)))
        seconds = time.perf_counter() - start
        if len(results) != len(message.runs):
            raise RuntimeError(f"{len(results)} results of {len(message.runs)} runs")
    except (ConfigError, EOFError, BrokenPipeError, ConnectionResetError):
        raise
    except Exception:
        connection.send(Raised(traceback.format_exc()))
    else:
        connection.send(Trained(results, seconds, dict(engine.hardware)))


def _measure(message: MeasureSpeed, engines: _Engines, connection: Line) -> None:
    engine = engines.of(message.runs[0])
    try:
        engine.load(message.runs)
        found = engine.probe(message.runs, message.seconds)
    except ConfigError:
        raise
    except Exception:  # a shape that cannot be measured can still be tried in earnest, where its fault is recorded
        found = None
    connection.send(SpeedMeasured(found.samples_per_second, found.bytes) if found else SpeedMeasured(0.0, 0))


def _end_with_parent() -> None:
    """Exit as soon as the sweep's process is gone, even if it was killed and this one is deep in a computation."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch(sentinel: int) -> None:
        wait([sentinel])
        if mark := os.environ.get(MARK):
            end_marked(mark)
        os._exit(1)

    threading.Thread(target=watch, args=(parent.sentinel,), daemon=True).start()
