"""One simulation: the parts of the program that read clocks, processes or speeds are given simulated ones."""

import hashlib
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import ablate.execute.leasing
import ablate.execute.ledger
import ablate.execute.sweep
import ablate.execute.warm
import ablate.store.leases
import ablate.store.owner
from ablate.execute.ledger import Assignment
from ablate.plan.cohorts import Cohort, form_cohorts
from ablate.plan.prefixes import find_prefixes
from ablate.store import open_store
from ablate.task.run import Run
from benchmarks.simulated_hosts import Cluster, Faults, Host
from benchmarks.simulated_store import Shared
from benchmarks.simulated_time import Clock, Process, Timeline

sweep_module: ModuleType = sys.modules["ablate.execute.sweep"]
leases, owner = ablate.store.leases, ablate.store.owner
ledger, leasing = ablate.execute.ledger, ablate.execute.leasing


def simulate(
    runs: Sequence[Run],
    *,
    hosts: int,
    workers: int,
    lease: float,
    renewal: float,
    poll: tuple[float, float],
    look_ahead: int,
    statement_ms: float,
    real_store: bool = True,
    seed: int = 0,
    faults: Faults | None = None,
) -> dict[str, Any]:
    """Let the sweeps of all hosts train all runs.

    Args:
        runs: Of the study.
        hosts: How many, each with a sweep of its own.
        workers: Of each.
        lease: Seconds that a lease lasts.
        renewal: Seconds between two renewals.
        poll: Seconds between two looks at what others train, at first and after a while.
        look_ahead: Runs that are looked at together; 0: none, each is asked for.
        statement_ms: That a statement takes on the server.
        real_store: Whether every statement is executed, or counted only.
        seed: Of everything.
        faults: What befalls the hosts.

    Returns:
        A row of the table.
    """
    begun, timeline, parts = time.perf_counter(), Timeline(), _Cohorts()
    with tempfile.TemporaryDirectory(dir=_memory()) as folder, ExitStack() as stack:
        path = Path(folder) / "runs.db" if real_store else None
        shared = Shared(timeline, statement_ms / 1000, path)
        cluster = Cluster(runs, shared, faults or Faults(), seed)
        cluster.hosts = [Host(number, workers, cluster) for number in range(hosts)]
        by_process = _Here(timeline, cluster)
        clock = Clock(timeline)
        changes: list[tuple[Any, dict[str, Any]]] = [
            (
                leases,
                {
                    "time": clock,
                    "clock_of": by_process.clock_of,
                    "LEASE": lease,
                    "RENEWAL": renewal,
                    "STILL": 3 * renewal,
                },
            ),
            (ledger, {"time": clock}),
            (leasing, {"LOOK_AHEAD": look_ahead, "POLL_SECONDS": poll}),
            (ablate.execute.warm, {"make_executor": by_process.pool}),
            (ledger.Ledger, {"state": lambda self, queue: None}),  # For the display alone.
            (
                owner,
                {"machine": by_process.machine, "_process_started": by_process.started, "_fields": by_process.fields},
            ),
            (
                sweep_module,
                {
                    "time": clock,
                    "RENEWAL": renewal,
                    "Owner": SimpleNamespace(current=by_process.owner),
                    "form_cohorts": parts.form,
                    "find_prefixes": parts.prefixes,
                    "Assignment": parts.assignment,
                    "take_up": lambda store: [],
                },
            ),
        ]
        if look_ahead == 0:
            changes.append((leasing.Leasing, {"_pass_over": lambda self, queue: None}))
        for module, values in changes:
            for name, value in values.items():
                stack.enter_context(mock.patch.object(module, name, value))
        done_at = _run(timeline, cluster)
        digests = list(shared.records)
        if path is not None:
            with open_store(str(path), read_only=True) as store:
                digests = [record.digest for record in store.all(curves=False)]
    return _row(cluster, done_at, digests, parts, time.perf_counter() - begun)


def _run(timeline: Timeline, cluster: Cluster) -> float:
    """Until all sweeps have ended; returns when the last record came."""
    done_at = 0.0

    def is_over() -> bool:
        nonlocal done_at
        if not cluster.is_done:
            done_at = timeline.now
            return False
        return all(host.process is None or host.process.is_dead for host in cluster.hosts)

    timeline.run(is_over)
    return done_at


def _row(cluster: Cluster, done_at: float, digests: Sequence[str], parts: "_Cohorts", seconds: float) -> dict[str, Any]:
    shared, tally = cluster.shared, cluster.tally
    capacity = done_at * sum(len(host.speeds) for host in cluster.hosts)
    load = [shared.by_second.get(second, 0) for second in range(int(done_at) + 1)]
    bound = cluster.lower_bound()
    idle = capacity - tally.useful - tally.cut_off - tally.doubled - tally.away
    return {
        "makespan, h": done_at / 3600,
        "lower bound, h": bound / 3600,
        "makespan / bound": done_at / bound,
        "statements": shared.statements.total(),
        "statements/s, mean": statistics.mean(load),
        "statements/s, 99th percentile": sorted(load)[int(0.99 * (len(load) - 1))],
        "statements/s, peak": max(load),
        "writer busy, %": 100 * shared.busy / done_at,
        "longest wait for the writer, s": shared.longest_wait,
        "idle, %": 100 * idle / capacity,
        "cut off, %": 100 * tally.cut_off / capacity,
        "trained twice, %": 100 * tally.doubled / capacity,
        "away, %": 100 * tally.away / capacity,
        "trained twice": tally.doubles,
        "preemptions": tally.preemptions,
        "suspensions": tally.suspensions,
        "worker deaths": tally.deaths,
        "records lost": len({run.digest for run in cluster.runs} - set(digests)),
        "records doubled": len(digests) - len(set(digests)),
        "first plan, s": parts.seconds,
        **{
            f"statements: {name}": shared.statements[name]
            for name in ("lease", "look ahead", "record", "renew", "plan", "speed")
        },
        "simulated in, s": seconds,
        "memory, GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


class _Cohorts:
    """The planner, which is asked the same by many hosts at the beginning and then answers only once."""

    def __init__(self) -> None:
        self.seconds = 0.0
        """That the largest plan took."""
        self._last: tuple[str, list[Cohort]] = ("", [])
        self._assignments: dict[int, Assignment] = {}
        self._last_prefixes: tuple[str, Any] = ("", None)

    def form(self, runs: Iterable[Run], **options: Any) -> list[Cohort]:
        runs = list(runs)
        key = _key(runs)
        if key != self._last[0]:
            begun = time.perf_counter()
            self._last = (key, form_cohorts(runs, **options))
            self._assignments.clear()
            self.seconds = max(self.seconds, time.perf_counter() - begun)
        return self._last[1]

    def prefixes(self, runs: Iterable[Run]) -> Any:
        runs = list(runs)
        key = _key(runs)
        if key != self._last_prefixes[0]:
            self._last_prefixes = (key, find_prefixes(runs))
        return self._last_prefixes[1]

    def assignment(self, cohort: Cohort, shorter: Any, is_retry: bool = False) -> Assignment:
        """Hosts with the same plan have the same in their queues."""
        if id(cohort) not in self._assignments:
            self._assignments[id(cohort)] = Assignment(cohort, shorter, is_retry)
        return self._assignments[id(cohort)]


def _key(runs: Sequence[Run]) -> str:
    return hashlib.sha256("".join(run.digest for run in runs).encode()).hexdigest()


class _Here:
    """What the running process is told of itself and of its host."""

    def __init__(self, timeline: Timeline, cluster: Cluster) -> None:
        self._timeline, self._cluster = timeline, cluster
        self._host_of: dict[Process, Host] = {}

    def host(self) -> Host:
        process = self._timeline.current
        assert process is not None
        if process not in self._host_of:
            self._host_of[process] = next(host for host in self._cluster.hosts if host.process is process)
        return self._host_of[process]

    def machine(self) -> str:
        return self.host().name

    def owner(self) -> Any:
        host = self.host()
        return owner.Owner(f"{host.number}-{host.boot}", self.machine(), host.boot, str(host.boot))

    def started(self, pid: int) -> str | None:
        """A host has had one sweep a boot; asked of this machine only."""
        return str(pid) if pid == self.host().boot else None

    def fields(self, pid: int) -> list[str]:
        if pid != self.host().boot:
            raise ProcessLookupError
        return ["S"]

    def clock_of(self, connection: Any) -> float:
        """The database's clock; asking for it is a statement, on a server."""
        meter = self._cluster.shared.meter
        if meter is not None:
            meter.count += 1
        return 1e9 + self._timeline.local + self._cluster.clock_error

    def pool(self, *_: Any) -> Any:
        return self.host().pool


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
