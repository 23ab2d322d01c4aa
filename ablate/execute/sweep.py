"""A sweep under way: its workers, what they are given and what they answer."""

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NoReturn

from ablate.execute.checkpoints import KeptCheckpoints, SweepCheckpoints
from ablate.execute.devices import speed_device
from ablate.execute.fitting import Members, fit, needs, room_of
from ablate.execute.interim import InterimFile
from ablate.execute.interrupts import Interrupts
from ablate.execute.keeper import Keeper
from ablate.execute.leasing import Leasing
from ablate.execute.ledger import Assignment, Flight, Ledger, cost_in_seconds
from ablate.execute.limits import Limits
from ablate.execute.measuring import TICK_SECONDS, measure_sizes
from ablate.execute.progress import Progress
from ablate.execute.sizing import Sizing, members_by
from ablate.execute.speedometer import Speedometer
from ablate.execute.summary import Interrupted, Summary
from ablate.execute.unmeasured_runs import DeclaredMetrics
from ablate.execute.warm import WarmWorkers
from ablate.plan.cohorts import Cohort, cohort_of, default_members, form_cohorts
from ablate.plan.prefixes import find_prefixes, read_off
from ablate.store import Owner, Store, StoreUnavailable
from ablate.store.leases import RENEWAL
from ablate.store.provenance import now
from ablate.store.rescue import stem_of, take_up
from ablate.task.errors import ConfigError
from ablate.task.executor import (
    Answer,
    CheckpointWritten,
    Died,
    ExecutorChoice,
    InterimMeasured,
    OutlivesSweep,
    Raised,
    Refused,
    StepEnded,
    TrainCohort,
    Trained,
    Worker,
    WorkerSettings,
)
from ablate.task.record import Record, Result, StopRule
from ablate.task.run import Run

GRACE_SECONDS = 5.0
"""After the first Ctrl-C, for workers to reach the end of their epoch."""

STARTUP_DEATHS = 3
"""So many workers may die before they are ready and still be replaced."""


class Sweep:
    """Runs on their way into the store.

    Args:
        runs: Each once.
        store: Written by this process only.
        orders: The orders of each worker.
        choice: The executor that was chosen, with its options.
        progress: Shows what happens.
        max_members: Most members of a cohort; None: as many as pay.
        stops: What a run must reach to go on, by its digest.
        interrupts: Whether somebody wants it to stop.
        checkpoints: What cohorts that were cut off go on from; None: nothing.
        interim: Folder in which a file tells what runs in training have measured so far; None: none does.
        warm: Where its workers come from and stay; None: they end with it.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        store: Store,
        orders: list[WorkerSettings],
        choice: ExecutorChoice,
        progress: Progress,
        max_members: int | None,
        stops: Mapping[str, StopRule],
        interrupts: Interrupts,
        checkpoints: KeptCheckpoints | None = None,
        interim: Path | None = None,
        warm: WarmWorkers | None = None,
    ) -> None:
        self.store, self.progress, self.interrupts = store, progress, interrupts
        self.max_members, self.workers, self.stops = max_members, len(orders), stops
        self.measures, self.device = orders[0].engine is None, orders[0].device
        self.warm, self.stays = warm if warm is not None else WarmWorkers(), warm is not None
        self.room = room_of(orders, choice, self.warm.held).worker
        self.owner, self.mark = Owner.current(), store.mark()
        self.speedometer = Speedometer(store, speed_device(orders, choice.name))
        self.ledger = Ledger(runs, len(orders), self.speedometer.known)
        self.pool = self.warm.executor(replace(choice, store=stem_of(store)), orders)
        self.queue: deque[Assignment] = deque()
        self.leasing = Leasing(store, self.owner, self.mark)
        self.startup_deaths = 0
        self.reasons = set[str]()
        self.begun = time.monotonic()
        self.next_renewal = time.monotonic() + RENEWAL
        self.next_poll = self.next_display = 0.0
        self.end_of_grace: float | None = None
        self.checkpoints = SweepCheckpoints(checkpoints, stops, progress.say)
        self.keeper, self.declared = Keeper(store, self.owner), DeclaredMetrics(store)
        self.interim = InterimFile(interim, store, self.owner)
        self.store_is_gone = self.is_left = False
        store.wait_only_while(lambda: not interrupts.asked)

    def run(self, limits: Limits) -> Summary:
        """Train what the store lacks, until everything is settled or the limits are reached.

        Raises:
            ConfigError: A worker found the data missing or damaged, or the device not there.
            StoreUnavailable: The store cannot be used any more; what was in training is kept.
            Interrupted: Somebody wants it to stop.
            RuntimeError: Workers cannot be started.
        """
        try:
            for path, count in take_up(self.store):
                self.progress.say(f"{count} results of an earlier sweep taken up from {path}")
            self._take_over()
            self.checkpoints.begin(self.store)
            self.interim.begin()
            self._plan(is_first=True)
            if self.ledger.open and self.max_members is None and self.measures:
                self._measure([run for task in self.queue if not task.cohort.done for run in task.cohort.runs])
                self._plan(is_first=False)
            if self.ledger.open:
                self.progress.start(self.ledger.state(self.queue))
            while self.ledger.open and not self._is_over(limits):
                self._step(may_begin=not limits.is_out_of_time(time.monotonic() - self.begun))
            self.is_left = not self.ledger.flights and self.stays and self.warm.leave(self.pool)
            if not self.is_left:
                self.pool.close()
        except KeyboardInterrupt:
            for line in self.keeper.put_away():
                self.progress.say(line)
            raise Interrupted(self.ledger.summary()) from None
        except StoreUnavailable as error:
            self._salvage(error)
        finally:
            self._end()
        return self.ledger.summary()

    def measure(self) -> None:
        """Measure what :meth:`run` would measure, and what it would leave because it is short.

        Raises:
            ConfigError: A worker found the data missing or damaged, or the device not there.
            Interrupted: Somebody wants it to stop.
        """
        try:
            self._measure(list(self.ledger.runs.values()), everything=True)
            self.pool.close()
        except KeyboardInterrupt:
            raise Interrupted(self.ledger.summary()) from None
        finally:
            self._end()

    def _end(self) -> None:
        is_hurried = self.interrupts.asked or self.store_is_gone
        self.store.wait_only_while(lambda: not is_hurried)
        self.interrupts.ignore()
        if not self.is_left:
            self.pool.kill()
        self.interim.remove()
        if not self.store_is_gone:
            with suppress(StoreUnavailable):  # Leases end by themselves.
                self.store.release(self.owner)
        self.store.wait_only_while(lambda: True)
        self.progress.close()

    def _is_over(self, limits: Limits) -> bool:
        """Whether the sweep leaves off early now."""
        failures, seconds = self.ledger.summary().failures, time.monotonic() - self.begun
        why = limits.why_over(failures, seconds, is_training=bool(self.ledger.flights))
        if why is not None:
            self.progress.say(why)
        return why is not None

    def _step(self, *, may_begin: bool) -> None:
        if self.interrupts.asked:
            self._stop()
        elif may_begin:
            self._dispatch()
        for worker, answer in self.pool.wait(TICK_SECONDS):
            self._hear(worker, answer)
        for worker, why in self.ledger.overdue():
            self.pool.end(worker)
            self._give_up(worker, why, may_retry=False)
        if time.monotonic() >= self.next_renewal:
            self.next_renewal = time.monotonic() + RENEWAL
            self._renew()
        if time.monotonic() >= self.next_display:
            self.next_display = time.monotonic() + TICK_SECONDS
            self.progress.update(self.ledger.state(self.queue))

    def _renew(self) -> None:
        """Go on holding what is in training; what others have taken over meanwhile (we were suspended) is theirs."""
        held = self.store.renew(self.owner)
        for worker, flight in list(self.ledger.flights.items()):
            lost = set(flight.assignment.digests) - held
            if lost and lost - self.store.lease(lost, self.owner, since=self.mark) == set(flight.assignment.digests):
                self.progress.say("another sweep has taken over a cohort while this one was suspended")
                self.pool.end(worker)
                self.ledger.land(worker, None)

    # What is left to train

    def _take_over(self) -> None:
        """What workers of a sweep that has ended finished since, and those that are still at it."""
        if not isinstance(self.pool, OutlivesSweep):
            return
        for left in self.pool.left_behind():
            count = self.store.add(*left.records)
            left.forget()
            self.progress.say(f"{count} results taken up that workers of an earlier sweep left behind")
        shorter = find_prefixes(self.ledger.open.values()).read_off
        for worker, runs in self.pool.adopt():
            assignment = Assignment(Cohort(runs), {run.digest: shorter.get(run.digest, ()) for run in runs})
            settled = self.store.status_of(assignment.digests, since=self.mark)
            is_wanted = not settled and all(digest in self.ledger.open for digest in assignment.digests)
            if is_wanted and self.store.lease(assignment.digests, self.owner, since=self.mark) == set(
                assignment.digests
            ):
                self.progress.say(f"a worker of an earlier sweep is still training {cohort_of(len(runs))}: it goes on")
                self.ledger.flights[worker] = Flight(assignment, now(), self.speedometer.seconds(assignment.cohort))
            else:
                self.pool.end(worker)

    def _plan(self, *, is_first: bool) -> None:
        """Settle what the store holds, and queue the rest."""
        lacking = {run.digest: run for run in self.ledger.unattended}
        settled = self.store.status_of(lacking, since=self.mark)
        for record in self.store.get(settled, curves=False).values():
            self.ledger.settle(record, "reused" if is_first else "elsewhere")
            del lacking[record.digest]
        known = read_off(lacking.values(), self.store.along(run.trajectory for run in lacking.values()))
        self.store.add(*known.values())
        for record in known.values():
            self.ledger.settle(record, "read_off")
            del lacking[record.digest]
        prefixes = find_prefixes(lacking.values())
        speeds = self.speedometer.known

        def form(members: Members) -> list[Cohort]:
            cost = partial(cost_in_seconds, speeds)
            made = partial(form_cohorts, workers=self.workers, members=members, cost=cost)
            return self.checkpoints.cohorts(prefixes.trained, made)

        fitted = fit(form, members_by(speeds, default_members, self.max_members), self.room, self.device)
        self.queue = deque(Assignment(cohort, prefixes.read_off) for cohort in fitted.cohorts)
        if is_first and fitted.smaller:
            self.progress.say("cohorts are smaller than they could be: there is no memory for more")

    def _measure(self, runs: Sequence[Run], *, everything: bool = False) -> None:
        """Try out how many members pay for the shapes of these runs that are not known on this host yet."""
        sizing = Sizing(runs, self.speedometer.known, self.room, measure_all=everything)
        if sizing.waiting:
            self.progress.say(f"measuring how many runs to train together, for {len(sizing.waiting)} shapes of cohorts")
        measure_sizes(sizing, self.pool, self.speedometer, self.interrupts, self._hear)

    def _dispatch(self) -> None:
        """Give every free worker an assignment, start workers for more, and look again at runs of other sweeps."""
        free = [worker for worker in self.pool.workers if worker not in self.ledger.flights]
        if not self.queue and time.monotonic() >= self.next_poll and len(self.ledger.flights) < self.workers:
            self.next_poll = time.monotonic() + self.leasing.pause()
            if self.ledger.unattended:
                self._plan(is_first=False)
        for worker in free:
            if any(flight.assignment.is_apart for flight in self.ledger.flights.values()):
                return
            if self.queue and self.queue[0].is_apart and self.ledger.flights:
                return  # until it has the machine's memory to itself
            if worker.is_ready and (assignment := self.leasing.next_of(self.queue)) is not None:
                self.ledger.flights[worker] = self._flight(assignment)
                runs = assignment.cohort.runs
                stops = tuple((i, self.stops[run.digest]) for i, run in enumerate(runs) if run.digest in self.stops)
                worker.send(TrainCohort(runs, stops))
        free = [worker for worker in self.pool.workers if worker not in self.ledger.flights]
        while len(free) < len(self.queue) and not self.pool.is_full:
            free.append(self.pool.start())

    def _flight(self, assignment: Assignment) -> Flight:
        cohort, found = assignment.cohort, self.checkpoints.written(assignment.cohort)
        if cohort.done:
            self.progress.say(f"{cohort_of(len(cohort.runs))} goes on after step {cohort.done} of {cohort.length}")
        return Flight(assignment, now(), self.speedometer.seconds(cohort), checkpoint=found)

    # What workers say

    def _hear(self, worker: Worker, answer: Answer | Died) -> None:
        match answer:
            case StepEnded(step, members):
                self.ledger.flights[worker].steps |= dict.fromkeys(members, step)
            case InterimMeasured(metric, values):
                if (first := self.ledger.take_interim(worker, metric, dict(values))) is not None:
                    self.progress.say(first)
                self.interim.write(self.ledger.interim_values())
            case CheckpointWritten(_, trouble):
                self.checkpoints.hear(trouble)
            case Trained(results, seconds, hardware):
                self._keep(worker, results, seconds, hardware)
            case Raised(traceback, is_engine) if is_engine or worker not in self.ledger.flights:
                raise RuntimeError(f"worker processes cannot be started\n{traceback}")
            case Raised(traceback):
                self._give_up(worker, traceback, may_retry=len(self.ledger.flights[worker].assignment.cohort.runs) > 1)
            case Refused(problems):
                raise ConfigError(problems)
            case Died() if not self.interrupts.asked:
                self._mourn(worker, answer)
            case Died() if worker in self.ledger.flights:
                self.ledger.land(worker, None)

    def _mourn(self, worker: Worker, died: Died) -> None:
        self.ledger.deaths += 1
        reason = died.reason
        if worker in self.ledger.flights:
            assignment = self.ledger.flights[worker].assignment
            self.progress.say(f"a worker process {reason} while it trained {cohort_of(len(assignment.cohort.runs))}")
            error = f"the worker process {reason} while it trained this run"
            if assignment.is_retry and died.is_out_of_memory:
                error += needs(assignment.cohort.runs, self.device)
            self._give_up(worker, error, may_retry=not assignment.is_retry, apart=died.is_out_of_memory)
        elif not worker.is_ready:
            self.startup_deaths += 1
            if self.startup_deaths >= STARTUP_DEATHS:
                if not any(other.is_ready for other in self.pool.workers):
                    raise RuntimeError(f"worker processes cannot be started: the last {reason}")
                self.progress.say(f"a worker process {reason} before it was ready; going on with the others")
                self.pool.shrink()

    def _give_up(self, worker: Worker, error: str, *, may_retry: bool, apart: bool = False) -> None:
        """A cohort was trained in vain: its halves are tried again, down to single runs, which fail."""
        flight = self.ledger.flights[worker]
        if (cohort := self.checkpoints.gone_on(flight)) is not None:
            self.ledger.land(worker, None)
            self.queue.appendleft(replace(flight.assignment, cohort=cohort))
            return
        self.checkpoints.remove(flight.assignment.cohort, are_recorded=False)
        if may_retry:
            self.ledger.land(worker, None)
            for half in reversed(flight.assignment.halves(apart=apart)):
                self.queue.append(half) if half.is_apart else self.queue.appendleft(half)
        else:
            self._keep(worker, tuple(Result("failed", error=error) for _ in flight.assignment.cohort.runs), None, {})

    def _keep(
        self, worker: Worker, results: tuple[Result, ...], seconds: float | None, hardware: Mapping[str, object]
    ) -> None:
        """Write the records of a cohort, and of the shorter runs taken from its members."""
        flight = self.ledger.flights[worker]
        self.declared.check(flight.assignment.cohort.runs, results)
        trained, derived = self.keeper.take(worker, flight, results, hardware)
        self.ledger.land(worker, trained)
        self.keeper.save(flight.assignment.digests)
        self.checkpoints.remove(flight.assignment.cohort, are_recorded=True)
        for record in trained:
            self.ledger.settle(record, "trained")
        for record in derived:
            self.ledger.settle(record, "read_off")
        if seconds is not None:
            self.speedometer.learn(flight, trained, seconds)
        for line in (*self.ledger.report(flight, trained, self.queue), *self._apart(trained)):
            self.progress.say(line)

    def _apart(self, trained: Sequence[Record]) -> Iterator[str]:
        """Why runs of a cohort were not trained together, each reason once."""
        for record in trained:
            why = str(record.result.notes.get("apart", ""))
            if why and why not in self.reasons:
                self.reasons.add(why)
                yield f"runs that could have been trained together are trained apart: {why}"

    # Without the store

    def _salvage(self, error: StoreUnavailable) -> NoReturn:
        """Let what is in training come to its end, keep it, and say where.

        Raises:
            StoreUnavailable: Always.
        """
        self.store_is_gone = True
        self.store.wait_only_while(lambda: False)
        self.progress.say(f"{error}; what is in training is brought to its end and kept")
        try:
            while self.ledger.flights and not self.interrupts.asked:
                for worker, answer in self.pool.wait(TICK_SECONDS):
                    flight = self.ledger.flights.get(worker)
                    if flight is not None and isinstance(answer, Trained):
                        self.keeper.take(worker, flight, answer.results, answer.hardware)
                    if flight is not None and not isinstance(answer, StepEnded | InterimMeasured | CheckpointWritten):
                        self.ledger.land(worker, None)
        except KeyboardInterrupt:
            """What has ended is kept all the same."""
        raise StoreUnavailable([*error.problems, *self.keeper.put_away()]) from None

    # Stopping

    def _stop(self) -> None:
        """Let workers reach the end of their step, but not for long."""
        if self.end_of_grace is None:
            self.end_of_grace = time.monotonic() + GRACE_SECONDS
            self.progress.say("stopping; press Ctrl-C again to stop at once")
            self.pool.stop()
        if not self.ledger.flights or time.monotonic() >= self.end_of_grace:
            raise KeyboardInterrupt
