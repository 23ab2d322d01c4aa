"""What came of cohorts: their records, kept in the store, or beside it where the store takes nothing any more."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ablate.execute.ledger import Flight
from ablate.plan.prefixes import read_off
from ablate.store import Owner, Store, StoreUnavailable
from ablate.store.provenance import collect, now
from ablate.store.rescue import rescue
from ablate.task.executor import Worker
from ablate.task.record import Record, Result
from ablate.task.run import Run


class Keeper:
    """Makes records of what workers answer and loses none of them.

    Args:
        store: Where they belong.
        owner: Who holds the leases that end with them.
    """

    def __init__(self, store: Store, owner: Owner) -> None:
        self._store, self._owner = store, owner
        self._unsaved: list[Record] = []
        """What the store has not taken yet."""

    def take(
        self, worker: Worker, flight: Flight, results: Sequence[Result], hardware: Mapping[str, object]
    ) -> tuple[list[Record], list[Record]]:
        """Records of a cohort's members and of the shorter runs taken from them; the next :meth:`save` keeps them."""
        provenance = {**collect(), **worker.hardware, **hardware, "started": flight.started_at, "ended": now()}
        cohort = flight.assignment.cohort
        trained, derived = [], []
        for run, result in zip(cohort.runs, results, strict=True):
            if flight.estimate is not None:
                share = run.samples / cohort.samples
                result = replace(result, notes={**result.notes, "estimated_seconds": flight.estimate * share})
            record = Record(run.digest, run.identity, result, provenance)
            trained.append(record)
            shorter = flight.assignment.shorter.get(run.digest, ())
            found = read_off(shorter, {run.trajectory: record})
            derived += [found.get(s.digest) or _failed_alike(s, record) for s in shorter]
        self._unsaved += [*trained, *derived]
        return trained, derived

    def save(self, digests: Sequence[str]) -> None:
        """Write what was taken, and give back the leases on these runs in the same transaction.

        Raises:
            StoreUnavailable: Nothing was written; it is still to be saved.
        """
        self._store.add(*self._unsaved, ends=(self._owner, digests))
        self._unsaved.clear()

    def put_away(self) -> list[str]:
        """Put what the store has not taken where there is room.

        Returns:
            Sentences that say where it is.
        """
        if not self._unsaved:
            return []
        count = f"{len(self._unsaved)} {'result' if len(self._unsaved) == 1 else 'results'}"
        try:
            self._store.add(*self._unsaved)
            return [f"{count} came into the store after all; the same command goes on from here"]
        except StoreUnavailable:
            pass
        try:
            path = rescue(self._store, self._unsaved)
        except OSError as failure:
            return [f"{count} could not be kept anywhere and are lost: {failure.strerror or failure}"]
        return [f"{count} in training then are kept in {path}; the next sweep on this store takes them up"]


def _failed_alike(run: Run, longer: Record) -> Record:
    """A prefix that failed with the longer run: the fault came before its last step."""
    return Record(run.digest, run.identity, longer.result, {**longer.provenance, "prefix_of": longer.digest})
