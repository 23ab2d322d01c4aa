"""The store under a simulated clock: statements are counted, and given the time that they take on a server.

:class:`SimulatedStore` is the real store on an SQLite file. At 100,000 runs its statements would take hours, so that
:class:`TablesStore` has the tables in memory, with the real rules for when a lease has ended, and counts what the real
store would have said; ``tests/benchmarks/test_simulate.py`` holds one against the other, statement for statement. A
transaction takes as long as its statements would on a server (see :mod:`benchmarks.simulated_costs`); of those that
write one runs at a time, and the others queue up for it, as they do on PostgreSQL.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

from sqlalchemy import event

from ablate.store import Owner, StoreUnavailable, leases
from ablate.store import owner as owners
from ablate.store.chunks import chunks
from ablate.store.database import Database, open_database
from ablate.store.store import FINAL, Store
from ablate.task.record import Record
from benchmarks.simulated_time import Killed, Process, Timeline

T = TypeVar("T")
FRAME = 2
"""Statements that begin and end a transaction."""
TURN = 2
"""Statements that a writer begins with: its turn, and its records' numbers."""


class Meter:
    """Counts the statements of a database.

    Args:
        database: Whose engine is listened to.
    """

    def __init__(self, database: Database) -> None:
        self.count = 0
        event.listen(database._engine, "before_cursor_execute", self._counted)

    def _counted(self, *_: object) -> None:
        self.count += 1


class Shared:
    """What all simulated processes are connected to.

    Args:
        timeline: Of the simulation.
        seconds: That a statement takes.
        path: Of an SQLite file; None: tables in memory.
    """

    def __init__(self, timeline: Timeline, seconds: float, path: Path | None) -> None:
        self.timeline, self.seconds = timeline, seconds
        self.database = open_database(str(path)) if path is not None else None
        self.meter = Meter(self.database) if self.database is not None else None
        self.records: dict[str, tuple[int, Record]] = {}
        """By digest the number and the record, as they were added."""
        self.leases: dict[str, SimpleNamespace] = {}
        self.by_owner: defaultdict[str, set[str]] = defaultdict(set)
        self.next_id = 1
        self.statements: Counter[str] = Counter()
        self.transactions: Counter[str] = Counter()
        self.by_second: defaultdict[int, int] = defaultdict(int)
        self.busy = self.longest_wait = 0.0
        self._free = 0.0

    def store(self, process: Process) -> Any:
        """A process's store."""
        return TablesStore(self, process) if self.database is None else SimulatedStore(self, process)

    def charge(self, process: Process, operation: str, statements: int, *, writes: bool) -> None:
        """Let the process's time go on by what a transaction takes.

        Raises:
            Killed: The process was, in the middle of it.
        """
        now = self.timeline.local
        begin = max(now, self._free) if writes else now
        end = begin + statements * self.seconds
        if writes:
            self._free = end
            self.busy += end - begin
            self.longest_wait = max(self.longest_wait, begin - now)
        self.statements[operation] += statements
        self.transactions[operation] += 1
        self.by_second[int(begin)] += statements
        process.busy_until = end
        if process.is_dying:
            process.is_dead = True
            raise Killed


class _Connection:
    """A process's own view of the shared database; stands for :class:`ablate.store.database.Database`."""

    def __init__(self, shared: Shared, process: Process) -> None:
        self._shared, self._process = shared, process
        self.operation = "other"

    def read(self, work: Callable[[Any], T]) -> T:
        return self._timed(lambda: self._shared.database.read(work), writes=False)  # type: ignore[union-attr]

    def write(self, work: Callable[[Any, int], T], new_ids: int = 0) -> T:
        return self._timed(lambda: self._shared.database.write(work, new_ids), writes=True)  # type: ignore[union-attr]

    def _timed(self, act: Callable[[], T], *, writes: bool) -> T:
        if self._process.is_dead:
            raise StoreUnavailable("store: the process was killed")
        assert self._shared.meter is not None
        before = self._shared.meter.count
        done = act()
        statements = self._shared.meter.count - before + FRAME
        self._shared.charge(self._process, self.operation, statements, writes=writes)
        return done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shared.database, name)


class SimulatedStore(Store):
    """A process's real store.

    Args:
        shared: The database.
        process: Whose time passes.
    """

    def __init__(self, shared: Shared, process: Process) -> None:
        self._connection = _Connection(shared, process)
        super().__init__(self._connection)  # type: ignore[arg-type]
        self._shared = shared

    def add(self, *added: Record, ends: tuple[Owner, Iterable[str]] | None = None) -> int:
        if not added and ends is None:
            return 0
        self._connection.operation = "record"
        count = super().add(*added, ends=ends)
        for record in added:
            self._shared.records.setdefault(record.digest, (0, record))
        return count


def _named(name: str, operation: str) -> Any:
    method = getattr(Store, name)

    def call(self: SimulatedStore, *arguments: Any, **more: Any) -> Any:
        self._connection.operation = operation
        return method(self, *arguments, **more)

    return call


OPERATIONS = {
    "lease": "lease",
    "renew": "renew",
    "release": "release",
    "taken": "look ahead",
    "add_speeds": "speed",
    "get": "plan",
    "status_of": "plan",
    "along": "plan",
    "mark": "plan",
    "speeds": "plan",
}
"""Names of the operations, by the store's method."""

for _name, _operation in OPERATIONS.items():
    setattr(SimulatedStore, _name, _named(_name, _operation))


class TablesStore:
    """A process's store with tables in memory.

    Args:
        shared: The tables.
        process: Whose time passes.
    """

    location, results = "tables", None

    def __init__(self, shared: Shared, process: Process) -> None:
        self._shared, self._process = shared, process
        self._watch = leases.Watch()

    def wait_only_while(self, may_wait: Callable[[], bool]) -> None:
        pass

    def mark(self) -> int:
        self._check()
        found = self._shared.next_id - 1
        self._read("plan", 1)
        return found

    def speeds(self, host: str) -> list[Any]:
        self._check()
        self._read("plan", 1)
        return []

    def get(self, digests: Iterable[str], *, curves: bool = True) -> dict[str, Record]:
        self._check()
        wanted = sorted(set(digests))
        found = {digest: self._shared.records[digest][1] for digest in wanted if digest in self._shared.records}
        self._read("plan", _pieces(wanted))
        return found

    def status_of(self, digests: Iterable[str], *, since: int | None = None) -> dict[str, str]:
        self._check()
        wanted = sorted(set(digests))
        found = self._statuses(wanted, since)
        self._read("plan", _pieces(wanted))
        return found

    def along(self, trajectories: Iterable[str]) -> dict[str, Record]:
        """Runs here are no prefixes of others: their trajectories are their digests, which have no records."""
        self._check()
        self._read("plan", _pieces(sorted(set(trajectories))))
        return {}

    def taken(self, digests: Iterable[str], owner: Owner, *, since: int | None = None) -> set[str]:
        self._check()
        wanted = sorted(set(digests))
        settled = self._statuses(wanted, since)
        left = [digest for digest in wanted if digest not in settled]
        now, here = leases.clock_of(None), owners.machine()  # type: ignore[arg-type]
        rows = [row for digest in left if (row := self._shared.leases.get(digest)) is not None and row.expires >= now]
        rows = [row for row in rows if row.owner != owner.name]
        held = {row.digest for row in rows if row.machine != here or not _owner_of(row).is_dead}
        self._read("look ahead", _pieces(wanted) + 1 + _pieces(left))
        return set(settled) | held

    def lease(self, digests: Iterable[str], owner: Owner, *, since: int | None = None) -> set[str]:
        self._check()
        tables, wanted = self._shared.leases, set(digests)
        pieces, statements, now = list(chunks(sorted(wanted))), TURN + 1, leases.clock_of(None)  # type: ignore[arg-type]
        ended_owners = {owner.name: True}
        for piece in pieces:
            wanted -= self._statuses(piece, since).keys()
            ended = set()
            for row in [tables[digest] for digest in piece if digest in tables]:
                if row.owner not in ended_owners:
                    ended_owners[row.owner] = leases._has_ended(row, now, self._watch)  # type: ignore[arg-type]
                if ended_owners[row.owner]:
                    ended.add(row.digest)
                else:
                    wanted.discard(row.digest)
            for digest in ended:
                self._shared.by_owner[tables.pop(digest).owner].discard(digest)
            statements += 2 + bool(ended)
        renewed = leases.time.monotonic()
        for digest in wanted:
            tables[digest] = SimpleNamespace(
                digest=digest,
                owner=owner.name,
                machine=owner.machine,
                pid=owner.pid,
                process_started=owner.process_started,
                expires=now + leases.LEASE,
                renewed=renewed,
            )
            self._shared.by_owner[owner.name].add(digest)
        self._write("lease", statements + bool(wanted))
        return wanted

    def renew(self, owner: Owner) -> set[str]:
        self._check()
        mine = set(self._shared.by_owner[owner.name])
        expires, renewed = leases.clock_of(None) + leases.LEASE, leases.time.monotonic()  # type: ignore[arg-type]
        for digest in mine:
            row = self._shared.leases[digest]
            row.expires, row.renewed = expires, renewed
        self._write("renew", TURN + 3)
        return mine

    def release(self, owner: Owner, digests: Iterable[str] | None = None) -> None:
        self._check()
        pieces = 1 if digests is None else _pieces(sorted(set(digests)))
        self._end(owner, digests)
        self._write("release", TURN + pieces)

    def add(self, *added: Record, ends: tuple[Owner, Iterable[str]] | None = None) -> int:
        if not added and ends is None:
            return 0
        self._check()
        count, records = 0, self._shared.records
        for record in added:
            if record.digest in records and records[record.digest][1].result.status in FINAL:
                self._shared.next_id += 1
                continue
            if record.digest in records:
                raise NotImplementedError("no run fails here")
            records[record.digest] = (self._shared.next_id, record)
            self._shared.next_id += 1
            count += 1
        statements = TURN + _pieces(added) + (2 if count else 0)
        if ends is not None:
            ended = set(ends[1])
            self._end(ends[0], ended)
            statements += _pieces(sorted(ended))
        self._write("record", statements)
        return count

    def add_speeds(self, measured: Sequence[Any]) -> None:
        self._check()
        self._write("speed", TURN + 2 * len(measured))

    def _end(self, owner: Owner, digests: Iterable[str] | None) -> None:
        mine = self._shared.by_owner[owner.name]
        for digest in list(mine) if digests is None else set(digests) & mine:
            del self._shared.leases[digest]
            mine.discard(digest)

    def _statuses(self, wanted: Iterable[str], since: int | None) -> dict[str, str]:
        records = self._shared.records
        return {digest: records[digest][1].result.status for digest in wanted if digest in records}

    def _check(self) -> None:
        if self._process.is_dead:
            raise StoreUnavailable("store: the process was killed")

    def _read(self, operation: str, statements: int) -> None:
        self._shared.charge(self._process, operation, FRAME + statements, writes=False)

    def _write(self, operation: str, statements: int) -> None:
        self._shared.charge(self._process, operation, FRAME + statements, writes=True)


def _pieces(items: Sequence[Any]) -> int:
    return len(list(chunks(items)))


def _owner_of(row: Any) -> Owner:
    return Owner(row.owner, row.machine, row.pid, row.process_started)
