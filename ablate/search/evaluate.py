"""Runs to results: what the store holds is taken from it, the rest is trained, and stop rules decide on both alike."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from ablate.execute import KeptCheckpoints, Progress, execute
from ablate.execute.progress import State
from ablate.execute.warm import WarmWorkers
from ablate.plan.cohorts import default_members
from ablate.plan.launch import Launch
from ablate.plan.prefixes import read_off
from ablate.search.work import Work
from ablate.store import FINAL, Store
from ablate.task.record import Result, StopRule
from ablate.task.run import Run

RENEW_SECONDS = 20.0
"""Seconds between two renewals of the leases on trials, while runs are trained."""


@dataclass(frozen=True)
class Outcome:
    """A run as the search sees it."""

    result: Result
    """``stopped`` where its rule says so, even if the store holds all of the run."""
    seconds: float = 0.0
    """Its share of the wall time; 0 where nothing had to be trained."""


class Evaluate(Protocol):
    """How a search gets its runs trained."""

    def __call__(self, runs: Iterable[Run], rules: Mapping[str, StopRule]) -> dict[str, Outcome]:
        """Results by digest; a run that could not be trained has the status ``failed``."""


class Trainer:
    """Trains what the store lacks.

    Args:
        store: The store with the records.
        launch: Workers and device.
        progress: Shows what happens.
        renew: Called now and then while runs are trained.
        engine: See :func:`ablate.execute.execute`.
        warm: See :func:`ablate.execute.execute`.
    """

    def __init__(
        self,
        store: Store,
        launch: Launch,
        *,
        progress: Progress | None = None,
        renew: Callable[[], object] | None = None,
        engine: str | None = None,
        warm: WarmWorkers | None = None,
    ) -> None:
        self._store = store
        self._members = launch.cohort_size
        shown = progress if progress is not None else Progress()
        self._execute = partial(
            execute,
            store=store,
            workers=launch.workers,
            device=launch.device,
            executor=launch.choice,
            checkpoints=KeptCheckpoints.of(launch),
            kept=launch.kept,
            progress=_Renewing(shown, renew) if renew is not None else shown,
            engine=engine,
            warm=warm,
        )

    def __call__(self, runs: Iterable[Run], rules: Mapping[str, StopRule]) -> dict[str, Outcome]:
        """See :class:`Evaluate`."""
        wanted = {run.digest: run for run in runs}
        found = self._known(wanted, rules)
        lacking = [run for digest, run in wanted.items() if digest not in found]
        if lacking:
            start = time.monotonic()
            # The default and no measurement: shapes come and go too fast in a search for one to pay.
            members = self._members or min(map(default_members, lacking))
            self._execute(lacking, max_members=members, stops={d: rule for d, rule in rules.items() if d not in found})
            seconds = time.monotonic() - start
            records = self._store.get(run.digest for run in lacking)
            weights = {run.digest: _weight(run, records[run.digest].result) for run in lacking}
            for run in lacking:
                share = seconds * weights[run.digest] / sum(weights.values())
                found[run.digest] = Outcome(_ruled(records[run.digest].result, rules.get(run.digest)), share)
        return found

    def _known(self, wanted: Mapping[str, Run], rules: Mapping[str, StopRule]) -> dict[str, Outcome]:
        """Those that need no training: final ones, prefixes of longer ones, and partial ones that their rule stops."""
        records = self._store.get(wanted)
        found = {}
        for digest, record in records.items():
            result = _ruled(record.result, rules.get(digest))
            if record.result.status in FINAL or (
                record.result.status == "stopped"
                and digest in rules
                and rules[digest].part(record.result.curves) is not None
            ):
                found[digest] = Outcome(result)
        others = [run for digest, run in wanted.items() if digest not in found]
        longer = read_off(others, self._store.along(run.trajectory for run in others))
        self._store.add(*longer.values())
        return found | {d: Outcome(_ruled(record.result, rules.get(d))) for d, record in longer.items()}


def _ruled(result: Result, rule: StopRule | None) -> Result:
    part = rule.part(result.curves) if rule is not None and result.status != "failed" else None
    return result if part is None else replace(result, status="stopped", curves=part)


def _weight(run: Run, result: Result) -> float:
    """Share of the wall time: by the time that runs took themselves, where that is known of all."""
    return max(Work("samples").done(run, result), 1e-9)


class _Renewing(Progress):
    """Passes everything on, and renews leases on the way."""

    def __init__(self, shown: Progress, renew: Callable[[], object]) -> None:
        self._shown, self._renew = shown, renew
        self._next = time.monotonic() + RENEW_SECONDS

    def start(self, state: State) -> None:
        self._shown.start(state)

    def update(self, state: State) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + RENEW_SECONDS
            self._renew()
        self._shown.update(state)

    def say(self, line: str) -> None:
        self._shown.say(line)

    def close(self) -> None:
        self._shown.close()
