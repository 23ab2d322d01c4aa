"""The store: what finished runs left, by digest."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import ColumnElement, delete, func, insert, select
from sqlalchemy.engine import Connection, Row

from ablate.store import leases, version1
from ablate.store.chunks import chunks
from ablate.store.curves import checksum, pack, unpack
from ablate.store.database import Database, Garbled, open_database
from ablate.store.owner import Owner
from ablate.store.schema import curves as curve_rows
from ablate.store.schema import info, records
from ablate.store.speeds import Speed, read_speeds, write_speeds
from ablate.store.tasks import Tasks
from ablate.task.record import Guess, Measurement, Record, Result, Status

T = TypeVar("T")

FINAL: frozenset[Status] = frozenset({"complete", "diverged"})
"""Statuses of a run that is not trained again; a failed one is, by the next sweep."""
LATEST = 5000
"""Records that are looked through for other versions of the code: a large store does not slow ``ablate plan``."""

LATEST_MEASURED = 100
"""Records whose measurements are looked through."""


def open_store(location: str, *, read_only: bool = False, results: Path | None = None) -> "Store":
    """Open the store at ``location``; see :func:`ablate.store.database.open_database`.

    Args:
        location: Path of an SQLite file (on a local disk: its write-ahead log needs one) or an SQLAlchemy URL.
        read_only: Neither create nor change anything; a file that does not exist is an empty store, and one of an
            older version is read as it is (it is migrated by the first that writes).
        results: Folder where results may be kept that the store cannot take (see :mod:`ablate.store.rescue`).

    Returns:
        The store; close it, or use it in a ``with`` statement.

    Raises:
        ConfigError: The place cannot be opened or written, holds no store, or one of a newer version.
    """
    return Store(open_database(location, read_only=read_only), results)


class Store:
    """Records by digest, in a database that several sweeps may use at once.

    A record is written in one transaction with its curves and never changed; only a failed one is replaced by a later.
    Every method reads one state of the database. Every method raises
    :class:`ablate.store.faults.StoreUnavailable` where the database does not answer or cannot be written, after it was
    tried for a while, and :class:`ablate.store.faults.StoreDamaged` where it is not whole.
    """

    def __init__(self, database: Database, results: Path | None = None) -> None:
        self._database, self.results = database, results
        self._watch = leases.Watch()
        self._outages = database.outages
        self._records = records if database.version > 1 else version1.records

    @property
    def location(self) -> str:
        """The location with which the store was opened."""
        return self._database.location

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def wait_only_while(self, may_wait: Callable[[], bool]) -> None:
        """Try again from now on what a database that is away has not done only while ``may_wait()`` says so."""
        self._database.may_wait = may_wait

    def outlast(self, attempt: Callable[[], T]) -> T:
        """See :meth:`ablate.store.database.Database.outlast`."""
        return self._database.outlast(attempt)

    # Records

    def get(self, digests: Iterable[str], *, curves: bool = True) -> dict[str, Record]:
        """The records of those of ``digests`` that have one.

        Args:
            digests: Digests of runs.
            curves: Whether to read the measurements, too; without, ``result.curves`` is empty.

        Returns:
            By digest.
        """
        wanted = sorted(set(digests))
        return self._database.read(lambda connection: self._get(connection, wanted, curves))

    def all(self, *, status: Status | None = None, curves: bool = True) -> list[Record]:
        """All records in the order in which they were added.

        Args:
            status: Only those with this one.
            curves: Whether to read the measurements, too.

        Returns:
            The records.
        """
        chosen = self._records.c.status == status if status is not None else self._records.c.id > 0
        return self._database.read(lambda connection: list(self._read(connection, chosen, curves).values()))

    def status_of(self, digests: Iterable[str], *, since: int | None = None) -> dict[str, Status]:
        """The statuses of those of ``digests`` that have a record.

        Args:
            digests: Digests of runs.
            since: Leave out failed ones that were added up to this :meth:`mark`; None: leave out nothing.

        Returns:
            By digest.
        """
        wanted = sorted(set(digests))
        return self._database.read(lambda connection: self._statuses(connection, wanted, since))

    def count(self) -> dict[Status, int]:
        """How many records there are of each status."""
        query = select(self._records.c.status, func.count()).group_by(self._records.c.status)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return {status: number for status, number in rows}

    def along(self, trajectories: Iterable[str]) -> dict[str, Record]:
        """The final record of each trajectory that says most about it: one that diverged, else the longest.

        Args:
            trajectories: ``Run.trajectory`` of runs.

        Returns:
            By trajectory.
        """
        wanted, table = sorted(set(trajectories)), self._records

        def work(connection: Connection) -> dict[str, Record]:
            best: dict[str, tuple[tuple[bool, int], str]] = {}
            for chunk in chunks(wanted):
                query = select(table.c.trajectory, table.c.digest, table.c.status, table.c.last_step)
                query = query.where(table.c.trajectory.in_(chunk)).where(table.c.status.in_(FINAL))
                for trajectory, digest, status, length in connection.execute(query):
                    rank = ((status == "diverged", length), digest)
                    best[trajectory] = max(rank, best.get(trajectory, rank))
            found = self._get(connection, sorted(digest for _, digest in best.values()), True)
            return {trajectory: found[digest] for trajectory, (_, digest) in best.items()}

        return self._database.read(work)

    def latest_by(self, key: str) -> list[tuple[Any, Record]]:
        """What the identities of the latest final records have under a key at their top, each value with its latest.

        Args:
            key: A key of ``Record.config``, such as ``code``.

        Returns:
            Values and records without their measurements, the latest first.
        """
        table, mark = self._records, json.dumps(key) + ":"

        def work(connection: Connection) -> list[tuple[Any, Record]]:
            found: dict[str, str] = {}
            query = select(table.c.digest, table.c.config).where(table.c.config.contains(mark, autoescape=True))
            query = query.where(table.c.status.in_(FINAL)).order_by(table.c.id.desc()).limit(LATEST)
            for digest, text in connection.execute(query):
                config = json.loads(text)
                if key in config:
                    found.setdefault(json.dumps(config[key], sort_keys=True), digest)
            records = self._get(connection, list(found.values()), False)
            return [(json.loads(value), records[digest]) for value, digest in found.items()]

        return self._database.read(work)

    def has_measured(self, task: str, metrics: Collection[str]) -> bool:
        """Whether one of the latest complete records of a task has values of all these metrics."""
        table, wanted = self._records, set(metrics)
        named = json.dumps({"task": task}).strip("{}")
        query = select(table.c.id).where(table.c.config.contains(named, autoescape=True))
        query = query.where(table.c.status == "complete").order_by(table.c.id.desc()).limit(LATEST_MEASURED)

        def work(connection: Connection) -> bool:
            latest = list(connection.scalars(query))
            found = self._read(connection, table.c.id.in_(latest), True).values()
            return any(r.config.get("task") == task and wanted <= set(r.result.metrics) for r in found)

        return self._database.read(work)

    def add(self, *added: Record, ends: tuple[Owner, Iterable[str]] | None = None) -> int:
        """Add records with their curves in one transaction.

        A run that has a final record keeps it; a failed record is replaced.

        Args:
            added: Records; of two with the same digest the later counts as the later one.
            ends: Leases that end in the same transaction, as an owner and digests: who is killed leaves both the
                records and no leases, or neither. None: none.

        Returns:
            How many were written.
        """
        if not added and ends is None:  # A writer's turn for nothing.
            return 0
        ended = None if ends is None else (ends[0], set(ends[1]))

        def work(connection: Connection, first_id: int) -> int:
            known: dict[str, tuple[int, Status]] = {}
            for chunk in chunks([record.digest for record in added]):
                query = select(records.c.digest, records.c.id, records.c.status).where(records.c.digest.in_(chunk))
                known |= {digest: (number, status) for digest, number, status in connection.execute(query)}
            fresh: dict[str, tuple[int, Record]] = {}
            for number, record in enumerate(added, start=first_id):
                status = fresh[record.digest][1].result.status if record.digest in fresh else None
                if status in FINAL or (record.digest in known and known[record.digest][1] in FINAL):
                    continue
                fresh[record.digest] = (number, record)
            for replaced in chunks([known[digest][0] for digest in fresh if digest in known]):
                connection.execute(delete(curve_rows).where(curve_rows.c.record.in_(replaced)))
                connection.execute(delete(records).where(records.c.id.in_(replaced)))
            for part in chunks(list(fresh.values())):
                _write(connection, part)
            if ended is not None:
                leases.end(connection, *ended)
            return len(fresh)

        return self._database.write(work, new_ids=len(added))

    def merge(self, others: Iterable[Record]) -> int:
        """Add records that were read elsewhere; returns how many were new."""
        return self.add(*others)

    def mark(self) -> int:
        """A number below that of every record added from now on."""
        return self._database.read(lambda connection: int(connection.scalar(select(info.c.next_id)) or 1) - 1)

    # Leases

    def lease(self, digests: Iterable[str], owner: Owner, *, since: int | None = None) -> set[str]:
        """See :func:`ablate.store.leases.grant`."""
        wanted = set(digests)

        def work(connection: Connection, _: int) -> set[str]:
            if self._outages != self._database.outages:  # Meanwhile nobody could renew a lease.
                self._watch, self._outages = leases.Watch(), self._database.outages
            return leases.grant(connection, wanted, owner, since, self._watch)

        return self._database.write(work)

    def renew(self, owner: Owner) -> set[str]:
        """See :func:`ablate.store.leases.extend`."""
        return self._database.write(lambda connection, _: leases.extend(connection, owner))

    def held(self, digests: Iterable[str] | None = None) -> dict[str, Owner]:
        """See :func:`ablate.store.leases.held`."""
        wanted = None if digests is None else sorted(set(digests))
        return self._database.read(lambda connection: leases.held(connection, wanted))

    def taken(self, digests: Iterable[str], owner: Owner, *, since: int | None = None) -> set[str]:
        """Those of ``digests`` that :meth:`lease` would hardly grant, as another trains them or somebody has.

        Reads only, and so takes no writer's turn; meanwhile others may take more.
        """
        wanted = sorted(set(digests))

        def work(connection: Connection) -> set[str]:
            settled = self._statuses(connection, wanted, since)
            left = [digest for digest in wanted if digest not in settled]
            return set(settled) | set(leases.held(connection, left, but=owner))

        return self._database.read(work)

    def release(self, owner: Owner, digests: Iterable[str] | None = None) -> None:
        """End ``owner``'s leases on ``digests``; None: all of them."""
        ended = None if digests is None else set(digests)
        self._database.write(lambda connection, _: leases.end(connection, owner, ended))

    # Speeds

    def add_speeds(self, measured: Sequence[Speed]) -> None:
        """Keep ``measured`` instead of earlier ones of the same shapes."""
        self._database.write(lambda connection, _: write_speeds(connection, measured))

    def speeds(self, host: str) -> list[Speed]:
        """All measurements of a host."""
        return self._database.read(lambda connection: read_speeds(connection, host, self._database.version))

    def _statuses(self, connection: Connection, wanted: Sequence[str], since: int | None) -> dict[str, Status]:
        table, found = self._records, dict[str, Status]()
        for chunk in chunks(wanted):
            query = select(table.c.digest, table.c.status, table.c.id).where(table.c.digest.in_(chunk))
            for digest, status, number in connection.execute(query):
                if since is None or status in FINAL or number > since:
                    found[digest] = status
        return found

    def _get(self, connection: Connection, wanted: Sequence[str], curves: bool) -> dict[str, Record]:
        found: dict[str, Record] = {}
        for chunk in chunks(wanted):
            found |= self._read(connection, self._records.c.digest.in_(chunk), curves)
        return found

    def _read(self, connection: Connection, chosen: ColumnElement[bool], curves: bool) -> dict[str, Record]:
        if self._database.version > 1:
            return dict(_read(connection, chosen, curves))
        try:
            found = version1.read(connection, chosen, curves)
        except (ValueError, TypeError) as error:
            raise Garbled(str(error)) from None
        return {digest: record for digest, (_, record) in found.items()}


def _read(connection: Connection, chosen: ColumnElement[bool], with_curves: bool) -> Iterator[tuple[str, Record]]:
    query = select(records).where(chosen).order_by(records.c.id)
    if with_curves:
        extra = (curve_rows.c.layout, curve_rows.c.data, curve_rows.c.checksum.label("curve_checksum"))
        query = query.add_columns(*extra).outerjoin(curve_rows, curve_rows.c.record == records.c.id)
    for row in connection.execute(query):
        try:
            yield row.digest, _record(row, with_curves)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Garbled(f"record {str(row.digest)[:12]}: {error}") from None


def _record(row: Row[Any], with_curves: bool) -> Record:
    texts = (row.error, row.config, row.notes, row.guesses, row.provenance)
    if row.checksum != checksum(row.digest, row.status, *texts):
        raise ValueError("it is not what was written")
    curves: tuple[Measurement, ...] = ()
    if with_curves:
        if row.layout is None:
            raise ValueError("its measurements are missing")
        if row.curve_checksum != checksum(row.digest, row.layout, row.data):
            raise ValueError("its measurements are not what was written")
        curves = unpack(row.layout, row.data)
    error, config, notes, guesses, provenance = map(json.loads, texts)
    guessed = {metric: Guess(*values) for metric, values in guesses.items()}
    return Record(row.digest, config, Result(row.status, curves, error, notes, guessed), provenance)


def _write(connection: Connection, numbered: Sequence[tuple[int, Record]]) -> None:
    rows, points, tasks = [], [], Tasks()
    for number, record in numbered:
        result = record.result
        fields = {
            "error": json.dumps(result.error),
            "config": json.dumps(dict(record.config)),
            "notes": json.dumps(dict(result.notes)),
            "guesses": json.dumps({name: [guess.value, guess.samples] for name, guess in result.guesses.items()}),
            "provenance": json.dumps(dict(record.provenance)),
        }
        rows.append(
            {
                "id": number,
                "digest": record.digest,
                "trajectory": tasks.trajectory_of(record.config, record.digest),
                "status": result.status,
                "last_step": result.curves[-1].step if result.curves else 0,
                **fields,
                "checksum": checksum(record.digest, result.status, *fields.values()),
            }
        )
        layout, data = pack(result.curves)
        check = checksum(record.digest, layout, data)
        points.append({"record": number, "layout": layout, "data": data, "checksum": check})
    connection.execute(insert(records), rows)
    connection.execute(insert(curve_rows), points)
