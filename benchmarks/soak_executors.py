"""Three sweeps on one store through two executors, with kills of everything: a part of :mod:`benchmarks.soak`.

One sweep trains in processes of its own, two in jobs of a Slurm cluster or in actors of a Ray cluster of two nodes. At
random moments something is killed (SIGKILL): a sweep's process, that with all of its group, what is training at the
moment (a worker process, the process of a job's step, an actor), a raylet; a job is preempted, the database server
crashes. What has been killed is started again at once, and goes on until all is there; then another study begins.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ablate.commands.exits import BAD_INPUT
from ablate.store import open_store
from benchmarks import ray_cluster, slurm_cluster
from benchmarks.cluster import Server
from benchmarks.soak_calls import ROOT, RUNS, Call, Found, Project, read
from benchmarks.soak_sweeps import another
from benchmarks.soak_table import Part

BETWEEN = (0.5, 2.5)
"""Seconds between two kills."""
HANDED_SECONDS = 30.0
"""So long after it was handed out a run may begin in a job that starts or starts again meanwhile."""
SERVER = "database server"
"""What its kills are called."""
PATIENCE = 1800.0
"""Seconds for which the last sweeps of a study may take to end."""


@dataclass
class Kill:
    """What was killed, and what was lost by it."""

    kind: str
    at: float
    hits: tuple[int, ...]
    """Sweeps."""
    until: float = 0.0
    """When all of it was done: a server was back, a node's last process dead."""
    calls: int = 0
    seconds: float = 0.0
    """Trained in vain."""


class Round:
    """One study, trained by three sweeps."""

    def __init__(self, projects: Sequence[Project], location: str, part: Part) -> None:
        self.projects, self.location, self.part = projects, location, part
        self.kills: list[Kill] = []
        self.known: dict[tuple[int, int], tuple[float, float]] = {}
        """When the training behind a record began, and when the store was seen to have it."""
        self.struck: set[tuple[int, int]] = set()
        """Runs whose worker was killed: a run that costs two workers their lives has failed, and is spared here."""
        self.handed: dict[Call, float] = {}
        """When a run was handed to a job or an actor at the earliest: when what that trained before had ended."""

    def look(self) -> Found:
        """Compare the store with what it had before."""
        found, now = read(self.location), time.time()
        self.part.reads += 1
        self.part.read += len(found.begun)
        self.part.half += len(found.half)
        self.part.doubled += found.doubled
        lost = [key for key, (begun, _) in self.known.items() if found.begun.get(key) != begun]
        self.part.lost += len(lost)
        if lost or found.half or found.doubled:
            print(f"lost: {lost}; wrong: {found.half}; kills: {self.kills}", file=sys.stderr, flush=True)
        for key, begun in found.begun.items():
            self.known.setdefault(key, (begun, now))
        return found

    def tend(self) -> bool:
        """Start again what has ended badly; returns whether any sweep goes on."""
        for project in self.projects:
            if (code := project.process.poll()) not in (None, 0):
                if code > 0 and not (code == BAD_INPUT and self._found_no_server(project)):
                    self._wrong(f"sweep {project.number} ended with {code}", project)
                project.start()
        return any(project.process.poll() is None for project in self.projects)

    def finish(self) -> None:
        """Let all end, and see that nothing is left to do and that what was trained twice was in training at a kill."""
        end = time.monotonic() + PATIENCE
        while self.tend() and time.monotonic() < end:
            time.sleep(0.2)
        for project in self.projects:
            if project.process.poll() is None:
                self._wrong(f"sweep {project.number} does not end", project)
            project.end()
        before = sum(len(project.calls()) for project in self.projects)
        if (code := self.projects[0].start().wait()) != 0:
            self._wrong(f"with nothing left to do, it ended with {code}", self.projects[0])
        calls = [call for project in self.projects for call in project.calls()]
        self.part.doubled += len(calls) - before
        for project in self.projects:
            if "Traceback" in project.log.read_text():
                self._wrong("a traceback", project)
        found = self.look()
        self.part.lost += RUNS - len(found.begun)
        self.part.records += len(found.begun)
        self._account(calls, found)

    def _account(self, calls: Sequence[Call], found: Found) -> None:
        by_key: dict[tuple[int, int], list[Call]] = defaultdict(list)
        by_pid: dict[tuple[int, int], Call] = {}
        for call in sorted(calls, key=lambda call: call.begun):
            if call.sweep:
                earliest = call.begun - HANDED_SECONDS
                before = by_pid.get((call.sweep, call.pid))
                self.handed[call] = max(earliest, before.last) if before is not None else earliest
            by_pid[call.sweep, call.pid] = call
            earlier = by_key[call.key]
            killed = [kill for other in [*earlier, call] for kill in self._between(other, call.begun)]
            if call.begun > self.known[call.key][1] and not any(call.sweep in kill.hits for kill in killed):
                self._twice(call, "the store had it")
            elif earlier and not killed:
                self._twice(call, "nothing was killed")
            earlier.append(call)
        for key, several in by_key.items():
            for call in several:
                if call.begun != found.begun[key]:
                    kills = [kill for other in several for kill in self._between(other, several[-1].begun)]
                    kills = kills or self._between(call, time.time())
                    if not kills:
                        self._twice(call, "in vain")
                        continue
                    kills[-1].calls += 1
                    kills[-1].seconds += call.last - call.begun

    def _found_no_server(self, project: Project) -> bool:
        """Whether a sweep looked for the server while it was away, which it says and ends, and has trained nothing."""
        is_away = any(kill.kind == SERVER and kill.until >= project.started for kill in self.kills)
        return is_away and "cohort" not in project.said

    def _wrong(self, what: str, project: Project) -> None:
        self.part.wrong_exits += 1
        text = project.log.read_text()
        at = max(0, text.rfind("Traceback") - 500 if "Traceback" in text else len(text) - 1500)
        print(f"{what}: ...{text[at : at + 6000]}\nkills: {self.kills[-3:]}", file=sys.stderr, flush=True)

    def _twice(self, call: Call, why: str) -> None:
        """A run was trained twice that was not in flight."""
        self.part.doubled += 1
        same = [other for project in self.projects for other in project.calls() if other.key == call.key]
        print(f"trained twice: {why}: {call}; all: {same}; kills: {self.kills}", file=sys.stderr, flush=True)

    def _between(self, call: Call, end: float) -> list[Kill]:
        """Kills of a call's sweep after the run was handed out, and before another began it."""
        handed = self.handed.get(call, call.begun)
        return [kill for kill in self.kills if call.sweep in kill.hits and handed <= kill.until and kill.at <= end]


Act = Callable[[Round], tuple[int, ...] | None]
"""Kills something; returns the sweeps that it hits, None where there was nothing to kill."""


def sweep(round_: Round) -> tuple[int, ...] | None:
    """The process alone."""
    return _sweep(round_, os.kill)


def group(round_: Round) -> tuple[int, ...] | None:
    """The process with those that it has started."""
    return _sweep(round_, os.killpg)


def _sweep(round_: Round, how: Callable[[int, int], None]) -> tuple[int, ...] | None:
    able = [project for project in round_.projects if project.is_training]
    if not able:
        return None
    project = random.choice(able)
    how(project.process.pid, signal.SIGKILL)
    project.process.wait()
    return (project.number,)


def worker(round_: Round) -> tuple[int, ...] | None:
    """What trains at the moment: a worker process, a job's step, an actor."""
    able = [c for project in round_.projects for c in project.in_training() if c.key not in round_.struck]
    if not able:
        return None
    call = random.choice(able)
    round_.struck.add(call.key)
    try:
        os.kill(call.pid, signal.SIGKILL)
    except ProcessLookupError:
        return None
    return (call.sweep,)


def preemption(round_: Round) -> tuple[int, ...] | None:
    """A running job is put back into the queue by Slurm."""
    pids = [call for project in round_.projects for call in project.in_training()]
    able = [(call, number) for call in pids if (number := _job_of(call.pid))]
    if not able:
        return None
    call, number = random.choice(able)
    done = subprocess.run(["scontrol", "requeue", number], capture_output=True)
    return (call.sweep,) if done.returncode == 0 else None


def _job_of(pid: int) -> str | None:
    try:
        words = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    return next((word.partition(b"=")[2].decode() for word in words if word.startswith(b"SLURM_JOB_ID=")), None)


def executors(database: str, location: str, folder: Path, kills: int, other: str, server: Server | None) -> Part:
    """Kill so many times.

    Args:
        database: For the table.
        location: Of the store; for each study, a new one is made beside it.
        folder: Empty.
        kills: How often.
        other: ``slurm`` or ``ray``: the executor beside the local one.
        server: The database server, if it is killed, too.
    """
    part = Part(f"three sweeps, local and {other}", database)
    all_kills: list[Kill] = []
    with ExitStack() as stack:
        environment: Mapping[str, str]
        acts: dict[str, Act] = {"sweep's process": sweep, "sweep's group": group}
        acts |= {name: worker for name in ("worker", "worker ", "worker  ")}
        if other == "slurm":
            environment = stack.enter_context(slurm_cluster.cluster(folder / "slurm"))
            os.environ.update(environment)
            words = ["executor=slurm"]
            acts["preemption"] = preemption
        else:
            nodes = stack.enter_context(ray_cluster.cluster(ROOT))
            environment = ray_cluster.OPEN
            words = ["executor=ray", f"executor.address={nodes.address}"]

            def raylet(round_: Round) -> tuple[int, ...] | None:
                keys = {call.key for project in round_.projects[1:] for call in project.in_training()}
                if keys & round_.struck:
                    return None
                round_.struck |= keys
                nodes.kill_second()
                nodes.start_second()
                return (1, 2)

            acts["raylet"] = raylet
        if server is not None:

            def crash(_: Round) -> tuple[int, ...]:
                server.restart()
                return (0, 1, 2)

            acts[SERVER] = crash
        number = 0
        while part.events < kills:
            at = another(location, number)
            open_store(at).close()
            choices = [["executor=local"], words, words]
            projects = [Project(i, folder / f"{number}-{i}", at, choices[i], environment) for i in range(3)]
            for project in projects:
                stack.callback(project.end)
            round_ = Round(projects, at, part)
            while part.events < kills and round_.tend():
                time.sleep(random.uniform(*BETWEEN))
                kind = random.choice(list(acts))
                kill = Kill(kind.strip(), time.time(), ())
                hits = acts[kind](round_)
                if hits is not None:
                    kill.hits, kill.until = hits, time.time()
                    if kind.startswith("worker"):
                        kill.kind = "local worker" if hits == (0,) else {"slurm": "job step", "ray": "actor"}[other]
                    round_.kills.append(kill)
                    part.events += 1
                    round_.tend()
                    round_.look()
            round_.finish()
            all_kills += round_.kills
            number += 1
    part.killed = _shown(all_kills)
    part.in_vain = sum(kill.calls for kill in all_kills)
    part.lost_mean = sum(kill.seconds for kill in all_kills) / max(1, len(all_kills))
    part.lost_worst = max((kill.seconds for kill in all_kills), default=0.0)
    return part


def _shown(kills: Sequence[Kill]) -> str:
    """By kind, how many there were and the seconds lost to each."""
    kinds = sorted({kill.kind for kill in kills})
    parts = []
    for kind in kinds:
        seconds = [kill.seconds for kill in kills if kill.kind == kind]
        parts.append(f"{kind}: {len(seconds)} ({sum(seconds) / len(seconds):.2f}, worst {max(seconds):.2f})")
    return "; ".join(parts)
