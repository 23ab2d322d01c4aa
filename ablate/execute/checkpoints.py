"""Checkpoints as a sweep sees them: which cohorts go on from one, and which of them nobody needs any more."""

import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ablate.execute.ledger import Flight
from ablate.plan.cohorts import Cohort
from ablate.plan.launch import Launch
from ablate.store import FINAL, Store
from ablate.task.checkpoint import (
    ENDING,
    STATES,
    DamagedError,
    checkpoints_in,
    content_of,
    file_in,
    read_line,
    steps_of_states,
)
from ablate.task.executor import WorkerSettings
from ablate.task.record import StopRule
from ablate.task.run import Run

KEPT_SECONDS = 30 * 24 * 3600.0
"""A checkpoint that nobody has gone on with for so long is removed."""
ASIDE = ".*.aside"
ASIDE_SECONDS = 24 * 3600.0
"""So is what a process left that was killed while it wrote one."""


@dataclass(frozen=True)
class KeptCheckpoints:
    """Where checkpoints of cohorts lie, and how often they are written."""

    folder: Path
    seconds: float = 600.0
    """Between two of a cohort."""
    keeps: tuple[str, ...] = ()
    """What complete runs leave beside their records."""

    @classmethod
    def of(cls, launch: Launch) -> "KeptCheckpoints | None":
        """As a command line asks for them."""
        folder = launch.checkpoints_folder
        return None if folder is None else cls(folder, 60 * launch.checkpoint_minutes, launch.keeps)

    def settings(self, settings: WorkerSettings) -> WorkerSettings:
        """What a worker is started with that is to keep them."""
        folder = str(self.folder.absolute())
        return replace(
            settings, checkpoints=folder, checkpoint_seconds=self.seconds, keeps_states="state" in self.keeps
        )

    def make_folder(self) -> str | None:
        """Make the folder, without which workers keep none; returns why it cannot be used."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            probe = self.folder / ".probe"
            probe.touch()
            probe.unlink(missing_ok=True)
        except OSError as error:
            return f"{self.folder}: no checkpoints are kept, as it cannot be written: {error.strerror or error}"
        return None

    def close(self) -> None:
        """Remove the folder if nothing is in it."""
        with suppress(OSError):
            self.folder.rmdir()

    def cohorts(
        self, runs: Iterable[Run], stops: Mapping[str, StopRule], form: Callable[[Sequence[Run]], list[Cohort]]
    ) -> list[Cohort]:
        """The cohorts of some runs: those that were cut off as they were, and first; the rest as it is formed.

        Runs that go on from the states of shorter ones have these behind them.

        Args:
            runs: To be trained.
            stops: What a run must reach to go on, by its digest.
            form: Forms cohorts.
        """
        left = {run.digest: run for run in runs}
        found: list[Cohort] = []
        for checkpoint in checkpoints_in(self.folder) if self.folder.is_dir() else ():
            if all(digest in left for digest in checkpoint.runs):
                cohort = Cohort(tuple(left[digest] for digest in checkpoint.runs), checkpoint.step)
                if checkpoint.file == self.file_of(cohort, stops):
                    found.append(cohort)
                    left = {digest: run for digest, run in left.items() if digest not in checkpoint.runs}
        states = steps_of_states(self.folder.parent / STATES)
        return found + [part for cohort in form(list(left.values())) for part in _from_states(cohort, states)]

    def file_of(self, cohort: Cohort, stops: Mapping[str, StopRule]) -> Path:
        """Where the checkpoint of a cohort lies, if there is one."""
        digests = [run.digest for run in cohort.runs]
        rules = {i: stops[digest] for i, digest in enumerate(digests) if digest in stops}
        return file_in(self.folder, content_of(digests, rules, keeps=self.keeps))

    def clean(self, store: Store) -> None:
        """Remove those whose runs all have records, and what is old.

        Args:
            store: With the records.
        """
        now = time.time()
        found = [(checkpoint.file, checkpoint.runs) for checkpoint in checkpoints_in(self.folder)]
        found += [(folder, (folder.name,)) for folder in self.folder.glob("[0-9a-f]" * 64)]
        for path, runs in found:
            statuses = store.status_of(runs)
            if len(statuses) == len(set(runs)) and all(status in FINAL for status in statuses.values()):
                _remove(path)
        for pattern, seconds in ((f"*{ENDING}", KEPT_SECONDS), ("[0-9a-f]" * 64, KEPT_SECONDS), (ASIDE, ASIDE_SECONDS)):
            for path in self.folder.glob(pattern):
                with suppress(OSError):
                    if now - path.stat().st_mtime > seconds:
                        _remove(path)


class SweepCheckpoints:
    """The checkpoints of a sweep's cohorts.

    Args:
        kept: Where they lie; None: there are none.
        stops: What a run must reach to go on, by its digest.
        say: Says something to people.
    """

    def __init__(self, kept: KeptCheckpoints | None, stops: Mapping[str, StopRule], say: Callable[[str], None]) -> None:
        self._kept, self._stops, self._say = kept, stops, say
        self._said: set[str] = set()

    def begin(self, store: Store) -> None:
        """Remove what nobody needs."""
        if self._kept is not None:
            self._kept.clean(store)

    def cohorts(self, runs: Sequence[Run], form: Callable[[Sequence[Run]], list[Cohort]]) -> list[Cohort]:
        """See :meth:`KeptCheckpoints.cohorts`."""
        return form(runs) if self._kept is None else self._kept.cohorts(runs, self._stops, form)

    def written(self, cohort: Cohort) -> tuple[int, str] | None:
        """The step of a cohort's checkpoint and when it was written; None: there is none."""
        if self._kept is None:
            return None
        try:
            found = read_line(self._kept.file_of(cohort, self._stops))
        except (OSError, DamagedError):
            return None
        return found.step, str(found.about.get("written"))

    def gone_on(self, flight: Flight) -> Cohort | None:
        """A cohort that was cut off, if it has come further than where it began: worth being gone on with as it is."""
        found = self.written(flight.assignment.cohort)
        if found is None or found == flight.checkpoint:
            return None
        return replace(flight.assignment.cohort, done=found[0])

    def remove(self, cohort: Cohort, *, are_recorded: bool) -> None:
        """Remove the checkpoint of a cohort.

        Args:
            cohort: The cohort.
            are_recorded: Whether its runs have their records, and need no folders of their own any more.
        """
        if self._kept is not None:
            _remove(self._kept.file_of(cohort, self._stops))
            for run in cohort.runs if are_recorded else ():
                _remove(self._kept.folder / run.digest)

    def hear(self, trouble: str) -> None:
        """Say what a worker says of a checkpoint; the same only once."""
        if trouble and trouble not in self._said:
            self._said.add(trouble)
            self._say(trouble)


def _from_states(cohort: Cohort, states: Mapping[str, Sequence[int]]) -> list[Cohort]:
    """A cohort, apart by the step from which its members go on, as shorter runs have left their states there.

    Args:
        cohort: As it was formed.
        states: The steps at which there are states, by trajectory.
    """
    if not states:
        return [cohort]
    parts: dict[int, list[Run]] = {}
    for run in cohort.runs:
        length = run.length or 0
        step = max((step for step in states.get(run.trajectory, ()) if step < length), default=0)
        parts.setdefault(step, []).append(run)
    return [Cohort(tuple(runs), step) for step, runs in parts.items()]


def _remove(path: Path) -> None:
    with suppress(OSError):  # it is removed when it is old
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
