"""Hosts, their sweeps and worker processes, and what befalls them: the cast of :mod:`benchmarks.simulate`.

A host's sweep is the real :class:`ablate.execute.sweep.Sweep`, with its ledger, queue, cohorts, leases, retries and
polls. Its workers are made up: they answer after as long as a run takes, or die.
"""

import heapq
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ablate.execute.interrupts import Interrupts
from ablate.execute.progress import Progress
from ablate.execute.sweep import Sweep
from ablate.task.executor import Answer, Died, ExecutorChoice, MeasureSpeed, Ready, Stop, TrainCohort, Trained
from ablate.task.executor import WorkerSettings as Settings
from ablate.task.record import Measurement, Result
from ablate.task.run import Run
from benchmarks.simulated_store import Shared
from benchmarks.simulated_time import HostClock, Killed, Process, Timeline

START_SECONDS = 5.0
"""Until a worker process is ready."""


@dataclass(frozen=True)
class Faults:
    """What befalls a cluster; rates are per hour."""

    median_seconds: float = 120.0
    """Of a run on an ordinary worker; times are log-normal."""
    spread: float = 0.4
    """Of their logarithms."""
    straggler_share: float = 0.01
    """Runs that take five times as long."""
    slow_host_share: float = 0.05
    """Hosts that are half as fast."""
    worker_deaths: float = 0.02
    """Of each worker process (out of memory, a fault of the hardware)."""
    preemptions: float = 0.3
    """Of each host: it is gone with all that it does, and back after ten minutes."""
    suspensions: float = 0.1
    """Of each host: everything on it stands still for five minutes."""
    clock_steps: float = 0.5
    """Of the database's clock, up to two minutes to and fro."""
    down_seconds: float = 600.0
    stop_seconds: float = 300.0


@dataclass
class Tally:
    """What became of the workers' time."""

    useful: float = 0.0
    """Worker seconds in trainings whose result was stored first."""
    cut_off: float = 0.0
    """In trainings that ended with their worker, host or lease."""
    doubled: float = 0.0
    """In trainings that ended well after another had been stored."""
    trainings: int = 0
    doubles: int = 0
    away: float = 0.0
    """In which hosts were gone or stood still."""
    preemptions: int = 0
    suspensions: int = 0
    deaths: int = 0
    capacity_gone: list[tuple[float, float, float]] = field(default_factory=list)
    """From, to, and the speed of the workers that were gone."""


@dataclass(eq=False)
class Worker:
    """A worker process, seen from the sweep (see :class:`ablate.task.executor.Worker`)."""

    pool: "Workers"
    speed: float
    is_ready: bool = False
    hardware: dict[str, Any] = field(default_factory=dict)
    begun: float | None = None
    """When it began what it trains."""
    order: int = 0

    def send(self, message: TrainCohort | MeasureSpeed | Stop) -> None:
        if isinstance(message, TrainCohort):
            self.pool.train(self, message.runs)


class Workers:
    """The workers of a host (see :class:`ablate.task.executor.Executor`).

    Args:
        host: Where they are.
        process: The sweep's.
    """

    def __init__(self, host: "Host", process: Process) -> None:
        self._host, self._process = host, process
        self._unused = list(host.speeds)
        self.workers: list[Worker] = []
        self.sweep: Sweep | None = None
        self._said: list[tuple[float, int, Worker, int, Answer | Died]] = []
        self._count = itertools.count()

    @property
    def is_full(self) -> bool:
        return not self._unused

    def start(self) -> Worker:
        worker = Worker(self, self._unused.pop())
        self.workers.append(worker)
        self._say(worker, self._host.timeline.now + START_SECONDS, Ready({"device": "cpu"}))
        return worker

    def shrink(self) -> None:
        self._unused.pop()

    def train(self, worker: Worker, runs: Sequence[Run]) -> None:
        """A worker begins; it will answer, or die before."""
        host, now = self._host, self._host.timeline.now
        seconds = sum(host.cluster.seconds(run) for run in runs) / worker.speed
        life = host.chance.expovariate(host.cluster.faults.worker_deaths / 3600)
        worker.begun = now
        host.cluster.tally.trainings += 1
        if life < seconds:
            self._say(worker, now + life, Died("was ended by SIGKILL"))
        else:
            results = tuple(Result("complete", (Measurement(1, {"m00": 0.5}, seconds),)) for _ in runs)
            self._say(worker, now + seconds, Trained(results, seconds, {}))

    def wait(self, seconds: float) -> Iterator[tuple[Worker, Answer | Died]]:
        """What has been said until now."""
        while self._said and self._said[0][0] <= self._host.timeline.now:
            _, _, worker, order, answer = heapq.heappop(self._said)
            if worker not in self.workers or order != worker.order:
                continue
            worker.order += 1
            if isinstance(answer, Ready):
                worker.is_ready, worker.hardware = True, dict(answer.hardware)
            elif isinstance(answer, Died):
                self._host.cluster.tally.deaths += 1
                self._forget(worker)
            else:
                self._finish(worker)
            yield worker, answer

    @property
    def next_said(self) -> float:
        """When something will be said."""
        return self._said[0][0] if self._said else float("inf")

    def end(self, worker: Worker) -> None:
        self._forget(worker)

    def stop(self) -> None:
        pass

    def close(self) -> None:
        self.kill()

    def kill(self) -> None:
        for worker in list(self.workers):
            self._forget(worker)

    def stand_still(self, seconds: float) -> None:
        """Everything takes longer by so much."""
        self._said = [(when + seconds, *rest) for when, *rest in self._said]  # type: ignore[misc]
        for worker in self.workers:
            if worker.begun is not None:
                worker.begun += seconds

    def _say(self, worker: Worker, when: float, answer: Answer | Died) -> None:
        heapq.heappush(self._said, (when, next(self._count), worker, worker.order, answer))

    def _finish(self, worker: Worker) -> None:
        assert self.sweep is not None
        assert worker.begun is not None
        seconds = self._host.timeline.now - worker.begun
        worker.begun = None
        runs = self.sweep.ledger.flights[worker].assignment.cohort.runs
        known = self._host.cluster.shared.records
        if all(run.digest in known for run in runs):
            self._host.cluster.tally.doubled += seconds
            self._host.cluster.tally.doubles += 1
        else:
            self._host.cluster.tally.useful += seconds

    def _forget(self, worker: Worker) -> None:
        if worker.begun is not None:
            self._host.cluster.tally.cut_off += self._host.timeline.now - worker.begun
            worker.begun = None
        self.workers.remove(worker)
        self._unused.append(worker.speed)


class Cluster:
    """What all hosts share.

    Args:
        runs: Of the study.
        shared: The database.
        faults: What befalls them.
        seed: Of everything.
    """

    def __init__(self, runs: Sequence[Run], shared: Shared, faults: Faults, seed: int) -> None:
        self.runs, self.shared, self.faults, self.seed = runs, shared, faults, seed
        self.timeline: Timeline = shared.timeline
        self.tally = Tally()
        self.hosts: list[Host] = []
        self.clock_error = 0.0
        self.chance = random.Random(seed)
        chance = random.Random(seed + 1)
        self._seconds = {
            run.digest: faults.median_seconds
            * chance.lognormvariate(0.0, faults.spread)
            * (5.0 if chance.random() < faults.straggler_share else 1.0)
            for run in runs
        }
        if faults.clock_steps:
            self._step_clock()

    def seconds(self, run: Run) -> float:
        """That a run takes on an ordinary worker."""
        return self._seconds[run.digest]

    @property
    def is_done(self) -> bool:
        """Whether every run has a record."""
        return len(self.shared.records) >= len(self.runs)

    def lower_bound(self) -> float:
        """Seconds that nothing could be below: all workers busy whenever they were there, or the longest run."""
        work, speed = sum(self._seconds.values()), sum(sum(host.speeds) for host in self.hosts)
        low, high = 0.0, 10 * work / speed + 1e5
        for _ in range(60):
            middle = (low + high) / 2
            gone = sum(
                s * max(0.0, min(middle, end) - min(middle, begin)) for begin, end, s in self.tally.capacity_gone
            )
            low, high = (middle, high) if middle * speed - gone < work else (low, middle)
        return max(high, max(self._seconds.values()) / max(max(host.speeds) for host in self.hosts))

    def _step_clock(self) -> None:
        def step() -> None:
            self.clock_error = self.chance.uniform(-120.0, 120.0)
            self._step_clock()

        self.timeline.at(self.timeline.now + self.chance.expovariate(self.faults.clock_steps / 3600), step)


class Host:
    """A machine with a sweep, which is started again whenever the machine is back.

    Args:
        number: Which.
        workers: How many it has.
        cluster: What it belongs to.
    """

    def __init__(self, number: int, workers: int, cluster: Cluster) -> None:
        self.number, self.cluster, self.timeline = number, cluster, cluster.timeline
        self.chance = random.Random(cluster.seed * 1000 + number)
        pace = 0.5 if self.chance.random() < cluster.faults.slow_host_share else 1.0
        self.speeds = [pace * self.chance.lognormvariate(0.0, 0.1) for _ in range(workers)]
        self.clock = HostClock(self.chance.uniform(0.0, 1e6), 1.0 + self.chance.uniform(-1e-4, 1e-4))
        self.boot = 0
        """How often its sweep was started again; the number of its process."""
        self.process: Process | None = None
        self.pool: Workers | None = None
        self._sweep: Sweep | None = None
        self._turn = 0
        self._stopped_until = 0.0
        self.timeline.at(self.chance.uniform(0.0, 30.0), self.start)
        self._next("preemptions", self._preempt)
        self._next("suspensions", self._suspend)

    @property
    def name(self) -> str:
        """As :func:`ablate.store.owner.machine` says it: another one each time that the machine has started."""
        return f"host{self.number} {self.boot}"

    def start(self) -> None:
        """Start the sweep."""
        if not self.cluster.is_done:
            self.process, self._sweep = Process(self.clock, self.timeline.now), None
            self._on_behalf(self._begin)

    def _begin(self) -> None:
        """What :meth:`ablate.execute.sweep.Sweep.run` does before its first step."""
        assert self.process is not None
        store = self.cluster.shared.store(self.process)
        orders = [Settings("cpu", 1, "made:up")] * len(self.speeds)
        self.pool = Workers(self, self.process)
        sweep = Sweep(self.cluster.runs, store, orders, ExecutorChoice(), Progress(), None, {}, Interrupts())
        self.pool.sweep = self._sweep = sweep
        sweep._take_over()
        sweep._plan(is_first=True)

    def _step(self) -> None:
        sweep, process = self._sweep, self.process
        assert sweep is not None
        assert process is not None
        if sweep.ledger.open:
            sweep._step(may_begin=True)
        if not sweep.ledger.open:
            sweep._end()
            process.is_dead = True

    def _on_behalf(self, act: Any) -> None:
        """Run code of the process, and see when it will have something to do again."""
        process, timeline = self.process, self.timeline
        assert process is not None
        if process.is_dead:
            return
        timeline.current = process
        try:
            act()
        except Killed:
            self._die()
        finally:
            timeline.current = None
        if not process.is_dead:
            self._turn += 1
            self._plan_wake(self._turn)

    def _plan_wake(self, turn: int) -> None:
        sweep, pool, process = self._sweep, self.pool, self.process
        assert sweep is not None
        assert pool is not None
        assert process is not None
        wake = min(self.clock.true(sweep.next_renewal), pool.next_said)
        if not sweep.queue and len(sweep.ledger.flights) < sweep.workers:
            wake = min(wake, self.clock.true(sweep.next_poll))
        if sweep.queue and any(worker.is_ready and worker not in sweep.ledger.flights for worker in pool.workers):
            wake = self.timeline.now
        if len(pool.workers) < min(len(self.speeds), len(sweep.queue)):
            wake = self.timeline.now  # More workers are started.
        self.timeline.at(max(wake + 1e-6, process.busy_until), lambda: self._wake(turn))

    def _wake(self, turn: int) -> None:
        if turn != self._turn:
            return
        if self._stopped_until > self.timeline.now:
            self.timeline.at(self._stopped_until, lambda: self._wake(turn))
            return
        self._on_behalf(self._step)

    def _next(self, fault: str, act: Any) -> None:
        rate = getattr(self.cluster.faults, fault)
        if rate:
            self.timeline.at(self.timeline.now + self.chance.expovariate(rate / 3600), act)

    def _preempt(self) -> None:
        self._next("preemptions", self._preempt)
        if self.process is None or self.process.is_dead or self.cluster.is_done:
            return
        if self.chance.random() < 0.5:
            self.process.is_dying = True
        else:
            self._die()

    def _die(self) -> None:
        """The machine is gone; it comes back."""
        assert self.process is not None
        self.process.is_dead = True
        seconds, tally = self.cluster.faults.down_seconds, self.cluster.tally
        tally.preemptions += 1
        tally.capacity_gone.append((self.timeline.now, self.timeline.now + seconds, sum(self.speeds)))
        tally.away += seconds * len(self.speeds)
        if self.pool is not None:
            self.pool.kill()
        self.boot += 1
        self._turn += 1
        self.timeline.at(self.timeline.now + seconds, self.start)

    def _suspend(self) -> None:
        self._next("suspensions", self._suspend)
        if self.process is None or self.process.is_dead or self.pool is None or self.cluster.is_done:
            return
        seconds, tally = self.cluster.faults.stop_seconds, self.cluster.tally
        tally.suspensions += 1
        tally.capacity_gone.append((self.timeline.now, self.timeline.now + seconds, sum(self.speeds)))
        tally.away += seconds * len(self.speeds)
        self._stopped_until = max(self._stopped_until, self.timeline.now + seconds)
        self.pool.stand_still(seconds)
