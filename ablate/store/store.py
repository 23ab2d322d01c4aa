"""The store: what finished runs left, by digest."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, get_args

from sqlalchemy import ColumnElement, delete, func, insert, select
from sqlalchemy.engine import Connection, Engine, Row

from ablate.images.config import ScheduleConfig
from ablate.images.metrics import METRICS
from ablate.store import leases, schema
from ablate.store.chunks import chunks
from ablate.store.owner import Owner
from ablate.store.schema import epochs, reading, records, writing
from ablate.store.speeds import Speed, read_speeds, write_speeds
from ablate.task.record import Measurement, Record, Result, Status

FINAL: frozenset[Status] = frozenset({"complete", "diverged"})
"""Statuses of a run that is not trained again; a failed one is, by the next sweep."""


def open_store(location: str, *, read_only: bool = False) -> "Store":
    """Open the store at ``location``; see :func:`ablate.store.schema.connect`.

    Args:
        location: Path of an SQLite file (on a local disk: its write-ahead log needs one) or an SQLAlchemy URL.
        read_only: Neither create nor change anything; a file that does not exist is an empty store.

    Returns:
        The store; close it, or use it in a ``with`` statement.

    Raises:
        ConfigError: The place cannot be opened or written, holds no store, or one of a newer version.
    """
    return Store(schema.connect(location, read_only=read_only))


class Store:
    """Records by digest, in a database that several sweeps may use at once.

    A record is written in one transaction with its curves and never changed; only a failed one is replaced by a later.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    # Records

    def get(self, digests: Iterable[str], *, curves: bool = True) -> dict[str, Record]:
        """The records of those of ``digests`` that have one.

        Args:
            digests: Of runs.
            curves: Whether to read the epochs, too; without, ``result.curves`` is empty.

        Returns:
            By digest.
        """
        found: dict[str, Record] = {}
        with reading(self._engine) as connection:
            for chunk in chunks(sorted(set(digests))):
                found |= _read(connection, records.c.digest.in_(chunk), curves)
        return found

    def all(self, *, status: Status | None = None, curves: bool = True) -> list[Record]:
        """All records in the order in which they were added.

        Args:
            status: Only those with this one.
            curves: Whether to read the epochs, too.

        Returns:
            The records.
        """
        with reading(self._engine) as connection:
            chosen = records.c.status == status if status is not None else records.c.id > 0
            return list(_read(connection, chosen, curves).values())

    def status_of(self, digests: Iterable[str], *, since: int | None = None) -> dict[str, Status]:
        """The statuses of those of ``digests`` that have a record.

        Args:
            digests: Of runs.
            since: Leave out failed ones that were added up to this :meth:`mark`; None: leave out nothing.

        Returns:
            By digest.
        """
        found: dict[str, Status] = {}
        with reading(self._engine) as connection:
            for chunk in chunks(sorted(set(digests))):
                query = select(records.c.digest, records.c.status, records.c.id).where(records.c.digest.in_(chunk))
                for digest, status, number in connection.execute(query):
                    if since is None or status in FINAL or number > since:
                        found[digest] = status
        return found

    def count(self) -> dict[Status, int]:
        """How many records there are of each status."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(records.c.status, func.count()).group_by(records.c.status)).all()
        return {status: number for status, number in rows}

    def along(self, trajectories: Iterable[str]) -> dict[str, Record]:
        """For each of ``trajectories`` the final record that says most about it: one that diverged, else the longest.

        Args:
            trajectories: ``RunConfig.trajectory`` of runs.

        Returns:
            By trajectory.
        """
        best: dict[str, tuple[tuple[bool, int], str]] = {}
        with reading(self._engine) as connection:
            for chunk in chunks(sorted(set(trajectories))):
                query = select(records.c.trajectory, records.c.digest, records.c.status, records.c.epochs)
                query = query.where(records.c.trajectory.in_(chunk)).where(records.c.status.in_(FINAL))
                for trajectory, digest, status, length in connection.execute(query):
                    rank = ((status == "diverged", length), digest)
                    best[trajectory] = max(rank, best.get(trajectory, rank))
        found = self.get(digest for _, digest in best.values())
        return {trajectory: found[digest] for trajectory, (_, digest) in best.items()}

    def add(self, *added: Record) -> int:
        """Add records with their curves in one transaction.

        A run that has a final record keeps it; a failed record is replaced.

        Args:
            added: Records; of two with the same digest the later counts as the later one.

        Returns:
            How many were written.
        """
        with writing(self._engine, new_ids=len(added)) as (connection, first_id):
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
                connection.execute(delete(epochs).where(epochs.c.record.in_(replaced)))
                connection.execute(delete(records).where(records.c.id.in_(replaced)))
            _write(connection, list(fresh.values()))
            return len(fresh)

    def merge(self, others: Iterable[Record]) -> int:
        """Add records that were read elsewhere; returns how many were new."""
        return self.add(*others)

    def mark(self) -> int:
        """A number below that of every record added from now on."""
        with reading(self._engine) as connection:
            return int(connection.scalar(select(schema.info.c.next_id)) or 1) - 1

    # Leases

    def lease(self, digests: Iterable[str], owner: Owner, *, since: int | None = None) -> set[str]:
        """See :func:`ablate.store.leases.grant`."""
        with writing(self._engine) as (connection, _):
            return leases.grant(connection, digests, owner, since)

    def renew(self, owner: Owner) -> None:
        """See :func:`ablate.store.leases.extend`."""
        with writing(self._engine) as (connection, _):
            leases.extend(connection, owner)

    def release(self, owner: Owner, digests: Iterable[str] | None = None) -> None:
        """End ``owner``'s leases on ``digests``; None: all of them."""
        with writing(self._engine) as (connection, _):
            leases.end(connection, owner, digests)

    # Speeds

    def add_speeds(self, measured: Sequence[Speed]) -> None:
        """Keep ``measured`` instead of earlier ones of the same shapes."""
        with writing(self._engine) as (connection, _):
            write_speeds(connection, measured)

    def speeds(self, host: str) -> list[Speed]:
        """All measurements of a host."""
        with reading(self._engine) as connection:
            return read_speeds(connection, host)


def trajectory_of(identity: Mapping[str, Any]) -> str:
    """``RunConfig.trajectory`` from a run's identity alone, which is all that a record keeps."""
    if not _DEPENDS_ON_EPOCHS.get(identity.get("schedule", {}).get("name"), True):
        identity = {**identity, "train": {k: v for k, v in identity["train"].items() if k != "epochs"}}
    return hashlib.sha256(json.dumps(identity, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


_DEPENDS_ON_EPOCHS: dict[str, bool] = {
    schedule.model_fields["name"].default: schedule.depends_on_epochs
    for schedule in get_args(get_args(ScheduleConfig)[0])
}


def _read(connection: Connection, chosen: ColumnElement[bool], curves: bool) -> dict[str, Record]:
    points: dict[int, list[Measurement]] = {}
    if curves:
        query = select(epochs).join(records, records.c.id == epochs.c.record).where(chosen)
        for record, *values in connection.execute(query.order_by(epochs.c.record, epochs.c.epoch)):
            points.setdefault(record, []).append(_measurement(values))
    rows = connection.execute(select(records).where(chosen).order_by(records.c.id))
    return {row.digest: _record(row, tuple(points.get(row.id, ()))) for row in rows}


def _record(row: Row[Any], curves: tuple[Measurement, ...]) -> Record:
    result = Result(status=row.status, curves=curves, error=row.error, notes=json.loads(row.notes))
    return Record(row.digest, json.loads(row.config), result, json.loads(row.provenance))


def _measurement(values: Sequence[Any]) -> Measurement:
    step, *measured, seconds = values
    named = zip(METRICS, measured, strict=True)
    return Measurement(step, {name: value for name, value in named if value is not None}, seconds)


def _write(connection: Connection, numbered: Sequence[tuple[int, Record]]) -> None:
    if not numbered:
        return
    connection.execute(
        insert(records),
        [
            {
                "id": number,
                "digest": record.digest,
                "trajectory": trajectory_of(record.config),
                "status": record.result.status,
                "epochs": int(record.config.get("train", {}).get("epochs", len(record.result.curves))),
                "error": record.result.error,
                "config": json.dumps(dict(record.config)),
                "notes": json.dumps(dict(record.result.notes)),
                "provenance": json.dumps(dict(record.provenance)),
            }
            for number, record in numbered
        ],
    )
    points: list[dict[str, Any]] = [
        {"record": number, "epoch": point.step, "seconds": point.seconds}
        | {metric: point.values.get(metric) for metric in METRICS}
        for number, record in numbered
        for point in record.result.curves
    ]
    if points:
        connection.execute(insert(epochs), points)
