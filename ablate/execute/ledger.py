"""Bookkeeping of a sweep: what is settled, what is in training, how fast it goes."""

import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from ablate.execute.estimate import Speeds
from ablate.execute.progress import State
from ablate.execute.summary import Failure, Summary, clock
from ablate.plan.cohorts import Cohort, cohort_of, hand_out, samples_until
from ablate.task.identity import flatten
from ablate.task.record import NOT_KEPT, Record, Status
from ablate.task.run import Run, TimeLimited
from ablate.task.searching import unit_of_work

RATE_SECONDS = 60.0
"""Over which the speed shown is measured."""
LATE_SECONDS = 60.0
"""Given to an engine beyond a run's time limit: to import what the run needs, and to leave it."""
MOST_LEVELS = 4
"""Levels of which is shown what runs in training have measured so far."""
MESSAGE_LINES = 3
"""Lines of an exception's message that are shown as the reason why a run failed."""

Origin = Literal["trained", "reused", "read_off", "elsewhere"]


@dataclass(frozen=True)
class Assignment:
    """A cohort for a worker, with the shorter runs that will be taken from its members."""

    cohort: Cohort
    shorter: Mapping[str, tuple[Run, ...]]
    """Runs that are prefixes of a member, by the member's digest."""
    is_retry: bool = False
    """Whether its run has already been in a worker that died."""
    is_apart: bool = False
    """Whether it is trained while nothing else is: its run may have died of the memory that others took."""

    def halves(self, *, apart: bool = False) -> list["Assignment"]:
        """What is tried again of a cohort that was trained in vain: its halves, or its only run once more.

        Args:
            apart: Whether memory had run out, which workers share: a single run is then tried while nothing else is.
        """
        runs = self.cohort.runs
        middle = len(runs) // 2
        parts = [part for part in (runs[:middle], runs[middle:]) if part]
        return [
            replace(self, cohort=Cohort(part), is_retry=len(part) == 1, is_apart=apart and len(part) == 1)
            for part in parts
        ]

    @cached_property
    def digests(self) -> list[str]:
        """Digests of all runs that it settles."""
        return [run.digest for member in self.cohort.runs for run in (member, *self.shorter.get(member.digest, ()))]


@dataclass
class Flight:
    """An assignment that a worker is training."""

    assignment: Assignment
    started_at: str
    """ISO 8601, UTC."""
    estimate: float | None
    """Seconds that it will take by speeds measured on this host; None: there are none."""
    started: float = field(default_factory=time.monotonic)
    steps: dict[int, int] = field(default_factory=dict)
    """The last step that each member has finished."""
    interim: tuple[str, Mapping[int, float]] | None = None
    """A metric, and its values so far by member."""
    checkpoint: tuple[int, str] | None = None
    """What it goes on from: the step, and when it was written."""

    @property
    def samples(self) -> int:
        """Trained so far, since it started."""
        runs, done = self.assignment.cohort.runs, self.assignment.cohort.done
        return sum(
            samples_until(runs[member], step) - samples_until(runs[member], done)
            for member, step in self.steps.items()
            if step > done
        )

    @cached_property
    def limit(self) -> float | None:
        """Seconds that its runs may take together; None: any time."""
        runs = self.assignment.cohort.runs
        limits = [run.time_limit for run in runs if isinstance(run, TimeLimited) and run.time_limit is not None]
        return sum(limits) if len(limits) == len(runs) else None


class Ledger:
    """Accounts of the runs that a sweep was asked for.

    Args:
        runs: Each once.
        workers: That train at the same time.
        speeds: What is known of this host.
    """

    def __init__(self, runs: Iterable[Run], workers: int, speeds: Speeds) -> None:
        self.runs = {run.digest: run for run in runs}
        self.open = dict(self.runs)
        """Runs that have no record yet."""
        self.flights: dict[Any, Flight] = {}
        """What is in training, by worker."""
        self.deaths = 0
        self._workers, self._speeds = workers, speeds
        self._statuses: Counter[Status] = Counter()
        self._origins: Counter[Origin] = Counter()
        self._failures: list[Failure] = []
        self._told: set[str] = set()
        """Why runs failed, as people were told."""
        self._interim_metric: str | None = None
        """Of the last interim values."""
        self._samples = 0
        self._lost = 0.0
        self._begun = time.monotonic()
        self._rates: deque[tuple[float, int]] = deque()

    def settle(self, record: Record, origin: Origin) -> None:
        """A run has a record now."""
        run = self.open.pop(record.digest)
        self._statuses[record.result.status] += 1
        self._origins[origin] += 1
        if record.result.status == "failed":
            self._failures.append(Failure(record.digest, self.describe(run), reason(record.result.error)))

    def take_interim(self, worker: Any, metric: str, values: Mapping[int, float]) -> str | None:
        """What members of a flight have measured so far; returns what to say of it, if it is the first of the sweep."""
        is_first, self._interim_metric = self._interim_metric is None, metric
        flight = self.flights[worker]
        flight.interim = (metric, values)
        return f"first look after {clock(time.monotonic() - self._begun)}: {self._interim()}" if is_first else None

    def interim_values(self) -> dict[str, tuple[str, float]]:
        """A metric and its value so far of every run in training that has measured something, by digest."""
        return {
            flight.assignment.cohort.runs[member].digest: (flight.interim[0], value)
            for flight in self.flights.values()
            if flight.interim is not None
            for member, value in flight.interim[1].items()
        }

    def _interim(self) -> str:
        """What runs in training have measured so far, the mean of each level."""
        levels: dict[str, list[float]] = {}
        for flight in self.flights.values():
            metric, values = flight.interim or (None, {})
            for member, value in values.items() if metric == self._interim_metric else ():
                levels.setdefault(self._level(flight.assignment.cohort.runs[member]), []).append(value)
        shown = [f"{sum(v) / len(v):.3g}" + (f" at {level}" if level else "") for level, v in levels.items()]
        more = len(shown) - MOST_LEVELS
        text = ", ".join(shown[:MOST_LEVELS]) + (f" and {more} more" if more > 0 else "")
        return f"{self._interim_metric} so far {text}" if shown else ""

    def land(self, worker: Any, trained: Sequence[Record] | None) -> Flight:
        """A worker has left off its assignment.

        Args:
            worker: As in :attr:`flights`.
            trained: Records of the members; None: it was in vain.
        """
        flight = self.flights.pop(worker)
        if trained is None:
            self._lost += time.monotonic() - flight.started
        for record in trained or ():
            self._samples += samples_of(self.runs[record.digest], record)
        return flight

    def overdue(self) -> list[tuple[Any, str]]:
        """Workers whose engines have not left their runs though they should have, and why each is to be ended."""
        limits = [(worker, flight, flight.limit) for worker, flight in self.flights.items()]
        return [
            (worker, f"took longer than its limit of {limit:g} s, and ended only with its worker process")
            for worker, flight, limit in limits
            if limit is not None and time.monotonic() - flight.started > limit + LATE_SECONDS
        ]

    @property
    def unattended(self) -> list[Run]:
        """Open runs that no worker of this sweep is training."""
        attended = {digest for flight in self.flights.values() for digest in flight.assignment.digests}
        return [run for digest, run in self.open.items() if digest not in attended]

    def describe(self, run: Run) -> str:
        """The fields in which a run differs from others of the sweep."""
        mine = flatten(run.identity)
        return " ".join(f"{path}={mine[path]}" for path in mine if path in self._varying) or f"seed={run.seed}"

    def _level(self, run: Run) -> str:
        """The fields in which a run differs from most others."""
        mine = flatten(run.identity)
        shown = [path for path in mine if path in self._varying and path != "seed"]
        unusual = [path for path in shown if self._usual.get(path) != repr(mine[path])]
        return " ".join(f"{path}={mine[path]}" for path in unusual) or ("what most runs have" if shown else "")

    def report(self, flight: Flight, trained: Sequence[Record], queue: Iterable[Assignment]) -> list[str]:
        """What people are told when a cohort has ended."""
        spent = clock(time.monotonic() - flight.started)
        lines = [f"{cohort_of(len(trained))} ended after {spent}; {self.state(queue)}"]
        for run, record in zip(flight.assignment.cohort.runs, trained, strict=True):
            if record.result.status == "failed" and (why := reason(record.result.error)) not in self._told:
                self._told.add(why)  # the summary says which runs failed alike
                lines.append(f"failed: {self.describe(run)}: {why}")
            lines += [f"not kept: {self.describe(run)}: {why}" for why in record.result.notes.get(NOT_KEPT, ())]
        return lines

    @cached_property
    def _unit(self) -> str:
        return unit_of_work(self.runs.values())

    @cached_property
    def _values(self) -> dict[str, Counter[str]]:
        """How many runs have which value of a field."""
        flat = [flatten(run.identity) for run in self.runs.values()]
        paths = dict.fromkeys(path for values in flat for path in values)
        return {path: Counter(repr(values.get(path)) for values in flat) for path in paths}

    @cached_property
    def _varying(self) -> set[str]:
        """Fields that differ between runs."""
        return {path for path, counts in self._values.items() if len(counts) > 1}

    @cached_property
    def _usual(self) -> dict[str, str]:
        """The value that more than half of all runs have, of fields where there is one."""
        most = {path: counts.most_common(1)[0] for path, counts in self._values.items()}
        return {path: value for path, (value, count) in most.items() if 2 * count > len(self.runs)}

    def summary(self) -> Summary:
        """Until now."""
        return Summary(
            planned=len(self.runs),
            statuses=dict(self._statuses),
            **{origin: self._origins[origin] for origin in ("trained", "reused", "read_off", "elsewhere")},
            failures=tuple(self._failures),
            deaths=self.deaths,
            samples=self._samples,
            unit=self._unit,
            lost_seconds=self._lost + sum(time.monotonic() - flight.started for flight in self.flights.values()),
            seconds=time.monotonic() - self._begun,
        )

    def state(self, queue: Iterable[Assignment]) -> State:
        """What the display shows.

        Args:
            queue: Tasks that wait for a worker.
        """
        now = time.monotonic()
        flights, waiting = list(self.flights.values()), list(queue)
        samples = self._samples + sum(flight.samples for flight in flights)
        self._rates.append((now, samples))
        while self._rates[0][0] < now - RATE_SECONDS:
            self._rates.popleft()
        since, samples_before = self._rates[0]
        left = [max(0, f.assignment.cohort.samples_left - f.samples) for f in flights]
        left += [task.cohort.samples_left for task in waiting]
        speeds = [self._flight_speed(flight, now) for flight in flights]
        speeds += [self._cohort_speed(task.cohort) for task in waiting]
        costs = [samples / speed for samples, (speed, _) in zip(left, speeds, strict=True)]
        running = sum(len(flight.assignment.cohort.runs) for flight in flights)
        queued = sum(len(task.digests) for task in waiting)
        return State(
            planned=len(self.runs),
            done=len(self.runs) - len(self.open),
            running=running,
            failed=self._statuses["failed"],
            diverged=self._statuses["diverged"],
            elsewhere=max(0, len(self.unattended) - queued),
            samples=samples,
            samples_left=sum(left),
            samples_per_second=(samples - samples_before) / (now - since) if now > since else 0.0,
            seconds_left=hand_out(costs, self._workers)[0].cost,
            is_guess=any(guess for _, guess in speeds),
            unit=self._unit.removeprefix("training "),
            interim=self._interim(),
        )

    def _flight_speed(self, flight: Flight, now: float) -> tuple[float, bool]:
        """Samples a second, and whether that is a guess."""
        if flight.samples:
            return flight.samples / (now - flight.started), False
        return self._cohort_speed(flight.assignment.cohort)

    def _cohort_speed(self, cohort: Cohort) -> tuple[float, bool]:
        measured = self._speeds.measured(cohort.runs[0], len(cohort.runs), cohort.shared)
        return (measured, False) if measured is not None else (cohort.runs[0].guessed_speed, True)


def reason(error: str | None) -> str:
    """Kind and message of a traceback, in one line; of any other text the last line.

    What follows a traceback's last frame is the message: Hydra's goes on after the line that names the kind.
    """
    lines = [line for line in (error or "").splitlines() if line.strip()]
    if not lines:
        return "no reason given"
    frames = [number for number, line in enumerate(lines) if line.startswith("  ")]
    message = lines[frames[-1] + 1 :] if frames and any(line.startswith('  File "') for line in lines) else []
    return " ".join(line.strip() for line in message[:MESSAGE_LINES] or lines[-1:])


def cost_in_seconds(speeds: Speeds, run: Run) -> float:
    """One worker's time for a run, for the balance between unlike runs."""
    return speeds.seconds(run, run.samples)


def samples_of(run: Run, record: Record) -> int:
    """The work behind a record."""
    curves = record.result.curves
    return run.samples if record.result.status == "complete" else samples_until(run, curves[-1].step) if curves else 0
