"""Sweeps of :mod:`benchmarks.soak` (``ablate sweep`` in its own process): killed, robbed of their store, suspended.

Their task is a function whose numbers follow from its setting and seed. It notes each call when it begins, so that a
run that is trained again though the store had it is found.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ablate.store import open_store
from ablate.task.record import Record
from benchmarks.cluster import Server
from benchmarks.soak_table import Part

ROOT = Path(__file__).resolve().parents[1]
LEVELS, SEEDS, STEPS = 20, 15, 5
RUNS = LEVELS * SEEDS
Key = tuple[int, int]
"""Level and seed of a run."""

PROJECT = """
[project]
name = "soak"
version = "0"
[tool.ablate.tasks.soak]
kind = "function"
function = "training:train"
step = "step"
steps = "steps"
metrics.loss = { goal = "min", split = "val" }
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
    file = os.open(os.path.join(os.path.dirname(__file__), "calls"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, f"{{config.level}} {{seed}}\\n".encode())
    os.close(file)
    for step in range(1, config.steps + 1):
        time.sleep(0.01)
        report(step, {{"loss": (config.level + seed / 100.0) / step}})
"""


class Sweep:
    """A project in a folder, its store, and what is known of both."""

    def __init__(self, folder: Path, location: str, part: Part) -> None:
        self.folder, self.location, self.part = folder, location, part
        (folder / "sweeps").mkdir(parents=True)
        (folder / "temporary").mkdir()
        (folder / "pyproject.toml").write_text(PROJECT)
        (folder / "sweeps" / "soak.yaml").write_text(STUDY)
        (folder / "training.py").write_text(TRAINING)
        self.calls = folder / "calls"
        self.calls.touch()
        self.log = folder / "log"
        self.known: dict[Key, str] = {}
        """When the record of a run that the store has acknowledged was made."""
        self.looked = 0
        """Bytes of the calls that have been looked at."""

    def start(self) -> "subprocess.Popen[bytes]":
        """In a process group of its own; temporary files are the folder's."""
        environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(self.folder / "temporary")}
        command = [sys.executable, "-m", "ablate", "sweep", "soak", "workers=2", f"store={self.location}"]
        with self.log.open("a") as log:
            return subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def until_trained(self, process: "subprocess.Popen[bytes]", number: int) -> None:
        """Wait until so many further runs have begun, or the sweep has ended."""
        begun = len(self.calls.read_bytes().splitlines())
        while process.poll() is None and len(self.calls.read_bytes().splitlines()) < begun + number:
            time.sleep(0.005)

    def check(self) -> None:
        """Compare the store with what it has acknowledged before, and what was trained since with both."""
        again = [_key(line) for line in self.calls.read_bytes()[self.looked :].decode().splitlines()]
        self.part.doubled += sum(key in self.known for key in again)
        self.looked = self.calls.stat().st_size
        with open_store(self.location, read_only=True) as store:
            records = store.all()
        self.part.reads += 1
        self.part.read += len(records)
        found = {_key(f"{r.config['config']['level']} {r.config['seed']}"): r for r in records}
        self.part.doubled += len(records) - len(found)
        self.part.half += sum(not _is_whole(key, record) for key, record in found.items())
        stamps = {key: str(record.provenance["started"]) for key, record in found.items()}
        self.part.lost += sum(stamps.get(key) != stamp for key, stamp in self.known.items())
        self.known = stamps

    def finish(self) -> None:
        """Sweep until all is there; twice, for the second must find nothing to do."""
        for _ in range(2):
            code = self.start().wait()
            self.part.wrong_exits += code != 0
            self.check()
        self.part.lost += RUNS - len(self.known)
        self.part.records += len(self.known)

    def end(self, process: "subprocess.Popen[bytes]", signals: Callable[[int, int], None] = os.killpg) -> int:
        """Kill it at once, and return its exit code."""
        if process.poll() is None:
            signals(process.pid, signal.SIGKILL)
        return process.wait()


def sweeps_killed(database: str, location: str, folder: Path, kills: int) -> Part:
    """Kill sweeps at random moments, the process alone or with its workers, and start them again until they have ended.

    Args:
        database: For the table.
        location: Of the store; for each sweep that has ended, a new one is made.
        folder: Empty.
        kills: How often.
    """
    part = Part("sweeps killed", database)
    number = 0
    while part.events < kills:
        sweep = Sweep(folder / str(number), another(location, number), part)
        while part.events < kills:
            process = sweep.start()
            try:
                if random.random() < 0.8:
                    sweep.until_trained(process, 1)
                process.wait(random.uniform(0.0, 2.5))
                part.wrong_exits += process.returncode != 0
                break
            except subprocess.TimeoutExpired:
                sweep.end(process, random.choice((os.kill, os.killpg)))
                part.events += 1
            sweep.check()
        sweep.finish()
        number += 1
    return part


def sweeps_without_store(database: str, location: str, folder: Path, faults: int, fault: Path | Server) -> Part:
    """Take the store away from sweeps at random moments: they must say so, and lose nothing that was trained.

    Args:
        database: For the table.
        location: Of the store; for each sweep, a new one is made.
        folder: For the projects.
        faults: How often.
        fault: The small disk that the store is on, or the server.
    """
    part = Part("store taken from sweeps", database)
    kinds = (
        (_server_stops, _server_restarts) if isinstance(fault, Server) else (_moved, _deleted, _replaced, _full, _short)
    )
    for number in range(faults):
        sweep = Sweep(folder / f"project-{number}", another(location, number), part)
        process = sweep.start()
        sweep.until_trained(process, 1)
        time.sleep(random.uniform(0.0, 3.0))
        kinds[number % len(kinds)](sweep, process, fault)  # type: ignore[operator]
        part.events += 1
        part.rescued += sum(len(path.read_text().splitlines()) - 1 for path in _rescued(sweep))
        sweep.finish()
        part.wrong_exits += "Traceback" in sweep.log.read_text()
        part.lost += len(_rescued(sweep))  # They should have been taken up.
        if isinstance(fault, Path):
            for path in fault.iterdir():
                path.unlink()
    return part


def sweeps_suspended(database: str, location: str, folder: Path) -> Part:
    """Stop a sweep for twice its lease; another takes over its runs, and the first goes on with the others.

    Args:
        database: For the table.
        location: Of the store.
        folder: Empty.
    """
    from ablate.store.leases import LEASE

    part = Part("sweep suspended for twice its lease", database)
    sweep = Sweep(folder / "project", location, part)
    first = sweep.start()
    sweep.until_trained(first, 20)
    os.killpg(first.pid, signal.SIGSTOP)
    sweep.check()
    stopped, part.events = time.monotonic(), 1
    second = sweep.start()
    while second.poll() is None or time.monotonic() < stopped + 2 * LEASE:
        time.sleep(0.5)
    sweep.check()
    os.killpg(first.pid, signal.SIGCONT)
    codes = first.wait(), second.wait()
    if any(codes):
        print(f"the two ended with {codes}: {sweep.log.read_text()[-6000:]}", file=sys.stderr, flush=True)
    part.wrong_exits += sum(code != 0 for code in codes)
    sweep.check()
    sweep.finish()
    return part


def _moved(sweep: Sweep, process: "subprocess.Popen[bytes]", _: Path) -> None:
    """Somebody moves it, and puts it back later."""
    store = Path(sweep.location)
    os.rename(store, f"{store}.moved")
    sweep.part.wrong_exits += _ends_well(process)
    for path in store.parent.glob(f"{store.name}-*"):  # Of the file that has been moved: its log goes with it.
        if path.name.endswith(("-wal", "-shm")):
            os.rename(path, f"{store}.moved{path.name.removeprefix(store.name)}")
    for path in store.parent.glob(f"{store.name}.moved*"):
        os.rename(path, str(path).replace(".moved", ""))
    sweep.check()


def _deleted(sweep: Sweep, process: "subprocess.Popen[bytes]", _: Path) -> None:
    os.unlink(sweep.location)
    sweep.part.wrong_exits += _ends_well(process)
    sweep.known = {}


def _replaced(sweep: Sweep, process: "subprocess.Popen[bytes]", _: Path) -> None:
    """By an empty store."""
    other = f"{sweep.location}.other"
    open_store(other).close()
    os.replace(other, sweep.location)
    sweep.part.wrong_exits += _ends_well(process)
    sweep.known = {}


def _full(sweep: Sweep, process: "subprocess.Popen[bytes]", disk: Path) -> None:
    """For longer than it has patience."""
    from benchmarks.soak import fill

    fill(disk / "filler")
    sweep.part.wrong_exits += _ends_well(process)
    (disk / "filler").unlink()
    sweep.check()


def _short(sweep: Sweep, process: "subprocess.Popen[bytes]", disk: Path) -> None:
    """For a moment, which a sweep outlasts."""
    from benchmarks.soak import fill

    fill(disk / "filler")
    time.sleep(random.uniform(0.5, 5.0))
    (disk / "filler").unlink()
    sweep.part.wrong_exits += process.wait() != 0
    sweep.check()


def _server_stops(sweep: Sweep, process: "subprocess.Popen[bytes]", server: Server) -> None:
    """For a while, which a sweep outlasts."""
    server.stop()
    time.sleep(random.uniform(5.0, 60.0))
    server.start()
    sweep.part.wrong_exits += process.wait() != 0
    sweep.check()


def _server_restarts(sweep: Sweep, process: "subprocess.Popen[bytes]", server: Server) -> None:
    server.restart()
    sweep.part.wrong_exits += process.wait() != 0
    sweep.check()


def _ends_well(process: "subprocess.Popen[bytes]") -> bool:
    """Whether it reports success (and says all is well) though its store is gone; it may have ended just before."""
    ended = process.poll()
    return ended is None and process.wait() == 0


def _rescued(sweep: Sweep) -> list[Path]:
    folders = {sweep.folder / "temporary", sweep.folder / "results"}
    if "://" not in sweep.location:
        folders.add(Path(sweep.location).parent)
    return [path for folder in folders if folder.exists() for path in folder.glob("*.rescued.jsonl")]


def another(location: str, number: int) -> str:
    """A fresh place beside ``location``."""
    if "://" not in location:
        return f"{location}{number}"
    from sqlalchemy import create_engine, text
    from sqlalchemy.engine import make_url

    url = make_url(location)
    with create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{url.database}{number}"'))
    return url.set(database=f"{url.database}{number}").render_as_string(hide_password=False)


def _key(line: str) -> Key:
    level, seed = line.split()
    return int(level), int(seed)


def _is_whole(key: Key, record: Record) -> bool:
    level, seed = key
    losses = [point.values for point in record.result.curves]
    return record.result.status == "complete" and losses == [
        {"loss": (level + seed / 100.0) / step} for step in range(1, STEPS + 1)
    ]
