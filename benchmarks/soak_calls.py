"""Projects of :mod:`benchmarks.soak_executors` whose function notes every step, and what follows from these notes.

Each sweep has a folder of its own with the same function, as each machine would have, so that a note says which sweep a
run was trained for. A record holds when its own training began: what else was trained for that run was in vain.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ablate.store import open_store

ROOT = Path(__file__).resolve().parents[1]
LEVELS, SEEDS, STEPS = 10, 60, 10
RUNS = LEVELS * SEEDS
STEP_SECONDS = 0.03
Key = tuple[int, int]
"""Level and seed of a run."""

PROJECT = """
[tasks.soak]
kind = "function"
function = "training:train"
step = "step"
steps = "steps"
metrics.loss = { goal = "min", split = "val" }
metrics.begun = { goal = "max", split = "val" }
"""
STUDY = f"study: {{task: soak, factors: {{level: {list(range(LEVELS))}}}, seeds: {SEEDS}}}\n"
TRAINING = f"""
import os, time
from dataclasses import dataclass

@dataclass(frozen=True)
class Config:
    level: int = 0
    steps: int = {STEPS}

def train(config: Config, seed, report):
    begun = time.time()
    for step in range(config.steps + 1):
        file = os.open(os.path.join(os.path.dirname(__file__), "calls"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(file, f"{{config.level}} {{seed}} {{os.getpid()}} {{begun!r}} {{time.time()!r}} {{step}}\\n".encode())
        os.close(file)
        if step:
            report(step, {{"loss": (config.level + seed / 100.0) / step, "begun": begun}})
        if step < config.steps:
            time.sleep({STEP_SECONDS})
"""


@dataclass(frozen=True)
class Call:
    """One training of a run, as far as it came."""

    sweep: int
    key: Key
    pid: int
    begun: float
    """Seconds since 1970."""
    last: float
    """The same, at its last step."""
    has_ended: bool


class Project:
    """A sweep's folder, its process, and what was noted there.

    Args:
        number: Of the sweep.
        folder: Made.
        location: Of the store.
        words: Which executor.
        environment: In which it is started.
        under: Words before its command, that start it elsewhere.
    """

    def __init__(
        self,
        number: int,
        folder: Path,
        location: str,
        words: Sequence[str],
        environment: Mapping[str, str],
        under: Sequence[str] = (),
    ) -> None:
        self.number, self.folder, self.words, self._under = number, folder, words, under
        (folder / "sweeps").mkdir(parents=True)
        (folder / "temporary").mkdir()
        (folder / "ablate.toml").write_text(PROJECT)
        (folder / "sweeps" / "soak.yaml").write_text(STUDY)
        (folder / "training.py").write_text(TRAINING)
        (folder / "calls").touch()
        self.log = folder / "log"
        own = {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder / "temporary"), "ABLATE_STORE": location}
        self._environment = os.environ | environment | own
        self.process = self.start()

    def start(self) -> "subprocess.Popen[bytes]":
        """In a process group of its own; a sweep that has ended is started again."""
        command = [*self._under, sys.executable, "-m", "ablate", "sweep", "soak", "workers=2", "device=cpu"]
        self.started = time.time()
        with self.log.open("a") as log:
            self._log_before = log.tell()
            self.process = subprocess.Popen(
                [*command, *self.words],
                cwd=self.folder,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self.process

    def end(self) -> None:
        """Kill it with all of its group, if it is there."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    @property
    def said(self) -> str:
        """What it has said since it was started."""
        return self.log.read_bytes()[self._log_before :].decode()

    @property
    def is_training(self) -> bool:
        """Whether it has trained something since it was started, and goes on."""
        return self.process.poll() is None and any(call.begun > self.started for call in self.calls(tail=True))

    def calls(self, *, tail: bool = False) -> list[Call]:
        """All that was trained here, or only the last of it."""
        with (self.folder / "calls").open("rb") as file:
            if tail:
                file.seek(max(0, os.fstat(file.fileno()).st_size - 4000))
                file.readline()
            lines = file.read().decode().splitlines()
        found: dict[tuple[Key, str], Call] = {}
        for line in lines:
            level, seed, pid, begun, now, step = line.split()
            key = (int(level), int(seed))
            ended = int(step) == STEPS
            found[key, begun] = Call(self.number, key, int(pid), float(begun), float(now), ended)
        return list(found.values())

    def in_training(self) -> list[Call]:
        """What is in training now."""
        fresh = time.time() - 3 * STEP_SECONDS - 0.3
        return [call for call in self.calls(tail=True) if not call.has_ended and call.last > fresh]


@dataclass(frozen=True)
class Found:
    """What a store held."""

    begun: Mapping[Key, float]
    """When the training behind each record began."""
    half: tuple[str, ...]
    """What is wrong with records that are not what they must be."""
    doubled: int


def read(location: str) -> Found:
    """All records, each compared with what it must be."""
    with open_store(location, read_only=True) as store:
        records = store.all()
    begun: dict[Key, float] = {}
    half: list[str] = []
    for record in records:
        key = (int(record.config["config"]["level"]), int(record.config["seed"]))
        points = [dict(point.values) for point in record.result.curves]
        stamps = {values.pop("begun", None) for values in points}
        losses = [{"loss": (key[0] + key[1] / 100.0) / step} for step in range(1, STEPS + 1)]
        if record.result.status != "complete" or points != losses or len(stamps) != 1:
            half.append(f"{key}: {record.result.status}: {record.result.error or points}")
        begun[key] = stamps.pop() if len(stamps) == 1 else 0.0
    return Found(begun, tuple(half), len(records) - len(begun))
