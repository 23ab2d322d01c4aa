"""Messages between a sweep and workers on other machines: files in a folder that all of them see.

A folder belongs to one sweep. In it, by the worker's name and the number of the order:

- ``orders/W.N``: to the worker, pickled, as Python's own processes have it (the folder is this user's alone);
  removed by the worker when it has been answered.
- ``answers/W.N.json``: from the worker, JSON; ``N`` = 0 says that it is ready. Removed by the sweep when what it says
  is in the store, so that whoever takes the folder over finds what was not.
- ``steps/W.json``: how far the worker is, written over.
- ``stop`` and ``stop.W``: leave off. ``beat``: changes while the sweep lives.

Every file is written aside, synced and renamed: whole or not there. A folder is listed rather than asked for names, as
network file systems remember for a while that a name was not there.
"""

import json
import os
import pickle
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from ablate.store.plain_results import plain_record, record_of
from ablate.store.provenance import collect, now
from ablate.task.checkpoint import LOOK_SECONDS
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
)
from ablate.task.record import Record
from ablate.task.whole_files import write_whole

BEAT_SECONDS = 10.0
"""Seconds between two signs of life of a sweep."""

ORPHANED_SECONDS = 180.0
"""A worker that has seen no sign of life for so long, by its own clock, exits when it has nothing left to do."""

POLL_SECONDS = (0.05, 1.0)
"""Seconds between two looks for an order: at first, and after a while."""

STEP_SECONDS = 1.0
"""Seconds between two reports of progress."""

PATIENCE_SECONDS = 900.0
"""How long a worker tries to write what it has trained while the folder cannot be written."""

T = TypeVar("T")

FOLDERS = ("orders", "answers", "steps")


class SweepMail:
    """The sweep's side of a folder.

    Args:
        folder: Made if it is not there, for this user alone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in FOLDERS:
            (folder / name).mkdir(mode=0o700, exist_ok=True)
        self._next_beat = 0.0
        self._steps: dict[str, str] = {}

    def beat(self) -> None:
        """Give a sign of life, where one is due."""
        if time.monotonic() >= self._next_beat:
            self._next_beat = time.monotonic() + BEAT_SECONDS
            write_whole(self.folder / "beat", uuid.uuid4().bytes)

    def send(self, worker: str, number: int, message: TrainCohort | MeasureSpeed) -> None:
        """Hand a worker its order of this number, from 1."""
        write_whole(self.folder / "orders" / f"{worker}.{number}", pickle.dumps(message))

    def stop(self, worker: str | None = None) -> None:
        """Ask one worker, or all, to leave off at the end of the step."""
        (self.folder / ("stop" if worker is None else f"stop.{worker}")).touch()

    def answers(self) -> dict[str, list[int]]:
        """The numbers of orders that each worker has answered, ascending; 0: it is ready."""
        found: dict[str, list[int]] = {}
        for name in os.listdir(self.folder / "answers"):
            if name.endswith(".json") and not name.startswith("."):
                worker, number, _ = name.rsplit(".", 2)
                found.setdefault(worker, []).append(int(number))
        return {worker: sorted(numbers) for worker, numbers in found.items()}

    def read(self, worker: str, number: int) -> tuple[Answer, tuple[Record, ...]]:
        """An answer, and the records of a cohort that was trained.

        Raises:
            OSError, ValueError, KeyError, TypeError: It is damaged.
        """
        plain = json.loads(self.answer_file(worker, number).read_text(encoding="utf-8"))
        kind, content = plain["kind"], plain["content"]
        if kind == "Ready":
            return Ready(content["hardware"]), ()
        if kind == "Trained":
            records = tuple(record_of(record) for record in content["records"])
            results = tuple(record.result for record in records)
            return Trained(results, content["seconds"], content["hardware"]), records
        if kind == "SpeedMeasured":
            return SpeedMeasured(**content), ()
        if kind == "Refused":
            return Refused(tuple(content["problems"])), ()
        if kind == "Raised":
            return Raised(**content), ()
        raise ValueError(f"kind = {kind!r}")

    def answer_file(self, worker: str, number: int) -> Path:
        """Where an answer lies, once it does."""
        return self.folder / "answers" / f"{worker}.{number}.json"

    def steps(self, worker: str, number: int) -> Iterator[StepEnded | CheckpointWritten]:
        """What is new of how far a worker is with an order."""
        try:
            plain = json.loads((self.folder / "steps" / f"{worker}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        if plain["number"] != number or self._steps.get(worker) == plain["written"]:
            return
        self._steps[worker] = plain["written"]
        by_step: dict[int, list[int]] = {}
        for member, step in plain["steps"]:
            by_step.setdefault(step, []).append(member)
        for step, members in sorted(by_step.items()):
            yield StepEnded(step, tuple(members))
        for trouble in plain.get("troubles", []):
            yield CheckpointWritten(0, trouble)

    def has_left(self, worker: str) -> bool:
        """Whether a worker has exited by itself."""
        return (self.folder / "steps" / f"{worker}.left").exists()

    def open_order(self, worker: str) -> tuple[int, TrainCohort | MeasureSpeed] | None:
        """The order that a worker has not answered yet."""
        return _open_order(self.folder, worker)


class WorkerMail:
    """The worker's side: a connection as :func:`ablate.execute.worker.serve` wants one.

    Args:
        folder: The sweep's folder.
        worker: The worker's name in it.
        place: What its machine is called there, for the provenance: a job's number.
        attempts: So often an order may be begun by this worker, which is started again when it is preempted.
    """

    def __init__(self, folder: Path, worker: str, place: Mapping[str, Any], attempts: int) -> None:
        self._folder, self._worker, self._place, self._attempts = folder, worker, dict(place), attempts
        self._order: tuple[int, TrainCohort | MeasureSpeed] | None = None
        self._began = now()
        self._steps: dict[int, int] = {}
        self._troubles: list[str] = []
        self._written = 0
        self.is_cut_off = False
        """Whether this worker leaves off because its time is up; it goes on later."""
        self._next_report = self._next_look = 0.0
        self._beat: tuple[bytes, float] = (b"", time.monotonic())

    def send(self, answer: Answer) -> None:
        """Say something to the sweep; for as long as the folder cannot be written it is tried again.

        Raises:
            OSError: It could not be written for a quarter of an hour.
        """
        if isinstance(answer, InterimMeasured):
            return  # nobody looks often enough
        if isinstance(answer, StepEnded):
            self._report(answer)
            return
        if isinstance(answer, CheckpointWritten):
            self._advance(answer)
            return
        number = 0 if isinstance(answer, Ready) or self._order is None else self._order[0]
        content = json.dumps({"kind": type(answer).__name__, "content": self._plain(answer)})
        path = self._folder / "answers" / f"{self._worker}.{number}.json"
        _persistently(lambda: write_whole(path, content.encode()))
        if number:
            _persistently(lambda: self._order_file(number).unlink(missing_ok=True))
            self._order = None

    def recv(self) -> TrainCohort | MeasureSpeed | Stop:
        """The next order, once there is one.

        Raises:
            EOFError: The sweep has ended, it seems.
        """
        pause, most = POLL_SECONDS
        while not self.is_cut_off and not self._is_told_to_stop():
            order = _persistently(lambda: _open_order(self._folder, self._worker))
            if order is not None and self._may_begin(order):
                self._order, self._began = order, now()
                self._steps.clear()
                self._troubles.clear()
                return order[1]
            if self._is_orphaned():
                raise EOFError
            time.sleep(pause)
            pause = min(most, pause * 1.2)
        return Stop()

    def poll(self) -> bool:
        """Whether to leave off what is in training."""
        if self.is_cut_off:
            return True
        if time.monotonic() < self._next_look:
            return False
        self._next_look = time.monotonic() + LOOK_SECONDS
        return self._is_told_to_stop()

    def leave(self) -> None:
        """Say that this worker exits by itself."""
        _persistently((self._folder / "steps" / f"{self._worker}.left").touch)

    def _plain(self, answer: Answer) -> dict[str, Any]:
        if isinstance(answer, Ready):
            return {"hardware": {**collect(), **answer.hardware, **self._place}}
        if isinstance(answer, Trained):
            assert self._order is not None
            assert isinstance(self._order[1], TrainCohort)
            hardware = {**collect(), **answer.hardware, **self._place}
            provenance = {**hardware, "started": self._began, "ended": now()}
            pairs = zip(self._order[1].runs, answer.results, strict=True)
            records = [plain_record(Record(run.digest, run.identity, result, provenance)) for run, result in pairs]
            return {"records": records, "seconds": answer.seconds, "hardware": hardware}
        return asdict(answer)

    def _advance(self, answer: CheckpointWritten) -> None:
        """What has been trained until here is not lost: the order is not begun in vain."""
        if answer.trouble:
            self._troubles.append(answer.trouble)
            self._next_report = 0.0
            self._report(StepEnded(0, ()))
        elif self._order is not None:
            tries = self._tries(self._order[0])
            _persistently(lambda: tries.unlink(missing_ok=True))

    def _report(self, answer: StepEnded) -> None:
        self._steps |= dict.fromkeys(answer.members, answer.step)
        if self._order is not None and time.monotonic() >= self._next_report:
            self._next_report = time.monotonic() + STEP_SECONDS
            self._written += 1
            written = f"{os.getpid()} {self._written}"
            plain = {
                "number": self._order[0],
                "written": written,
                "steps": list(self._steps.items()),
                "troubles": self._troubles,
            }
            try:
                write_whole(self._folder / "steps" / f"{self._worker}.json", json.dumps(plain).encode())
            except OSError:
                """The next report says it all."""

    def _may_begin(self, order: tuple[int, TrainCohort | MeasureSpeed]) -> bool:
        """Count how often an order was begun: one that never ends within the time that a worker has is given up."""
        number, message = order
        tries = self._tries(number)
        begun = int(tries.read_text()) if tries.exists() else 0
        if begun < self._attempts:
            _persistently(lambda: write_whole(tries, str(begun + 1).encode()))
            return True
        self._order = order
        times = f"{begun} times" if begun > 1 else "once"
        self.send(
            SpeedMeasured(0.0, 0)
            if isinstance(message, MeasureSpeed)
            else Raised(f"it was begun {times} and cut off each time, by its time limit or by preemption")
        )
        return False

    def _tries(self, number: int) -> Path:
        return self._order_file(number).with_name(f".{self._worker}.{number}.tries")

    def _order_file(self, number: int) -> Path:
        return self._folder / "orders" / f"{self._worker}.{number}"

    def _is_told_to_stop(self) -> bool:
        try:
            names = set(os.listdir(self._folder))
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return bool(names & {"stop", f"stop.{self._worker}"})

    def _is_orphaned(self) -> bool:
        try:
            beat = (self._folder / "beat").read_bytes()
        except OSError:
            beat = b""
        if beat != self._beat[0]:
            self._beat = (beat, time.monotonic())
        return time.monotonic() - self._beat[1] > ORPHANED_SECONDS


def _open_order(folder: Path, worker: str) -> tuple[int, TrainCohort | MeasureSpeed] | None:
    numbers = [int(name.rpartition(".")[2]) for name in os.listdir(folder / "orders") if name.startswith(f"{worker}.")]
    if not numbers:
        return None
    number = min(numbers)
    try:
        return number, pickle.loads((folder / "orders" / f"{worker}.{number}").read_bytes())
    except FileNotFoundError:  # answered just now
        return None


def _persistently(act: Callable[[], T]) -> T:
    end = time.monotonic() + PATIENCE_SECONDS
    pause = 0.1
    while True:
        try:
            return act()
        except OSError:
            if time.monotonic() >= end:
                raise
        time.sleep(pause)
        pause = min(10.0, pause * 2)
