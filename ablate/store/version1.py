"""Tables of version 1, in which each epoch was a row with six columns: read where they must not be changed."""

import json
from typing import Any

from sqlalchemy import Boolean, Column, Double, Integer, MetaData, String, Table, Text, select
from sqlalchemy.engine import Connection
from sqlalchemy.sql import ColumnElement

from ablate.task.record import Measurement, Record, Result

metadata = MetaData()

METRICS = ("train_loss", "train_acc", "val_loss", "val_acc", "test_loss", "test_acc")

records = Table(
    "records",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", String(64)),
    Column("trajectory", String(64)),
    Column("status", String(16)),
    Column("epochs", Integer, key="last_step"),
    Column("error", Text),
    Column("config", Text),
    Column("notes", Text),
    Column("provenance", Text),
)
"""``epochs`` is the configured number."""

epochs = Table(
    "epochs",
    metadata,
    Column("record", Integer, primary_key=True),
    Column("epoch", Integer, primary_key=True),
    *(Column(name, Double) for name in METRICS),
    Column("seconds", Double),
)

leases = Table(
    "leases",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("owner", String(64)),
    Column("machine", Text),
    Column("pid", Integer),
    Column("process_started", String(32)),
    Column("expires", Double),
)

speeds = Table(
    "speeds",
    metadata,
    Column("host", String(255), primary_key=True),
    Column("device", String(255), primary_key=True),
    Column("cohort_key", String(64), primary_key=True),
    Column("members", Integer, primary_key=True),
    Column("shared", Boolean, primary_key=True),
    Column("samples_per_second", Double),
    Column("measured_at", String(40)),
)


def read(connection: Connection, chosen: ColumnElement[bool], with_curves: bool) -> dict[str, tuple[int, Record]]:
    """Records with their numbers, by digest.

    Args:
        connection: A connection in a transaction.
        chosen: Condition on :data:`records`.
        with_curves: Whether to read the epochs, too.

    Raises:
        ValueError: A row is damaged.
    """
    points: dict[int, list[Measurement]] = {}
    if with_curves:
        query = select(epochs).join(records, records.c.id == epochs.c.record).where(chosen)
        for number, *values in connection.execute(query.order_by(epochs.c.record, epochs.c.epoch)):
            points.setdefault(number, []).append(_measurement(values))
    rows = connection.execute(select(records).where(chosen).order_by(records.c.id))
    return {row.digest: (row.id, _record(row, tuple(points.get(row.id, ())), with_curves)) for row in rows}


def _record(row: Any, curves: tuple[Measurement, ...], with_curves: bool) -> Record:
    steps = [point.step for point in curves]
    if with_curves and steps != list(range(1, len(steps) + 1)):
        raise ValueError(f"record {row.digest[:12]} has epochs {steps}")
    if with_curves and row.status == "complete" and len(steps) != row.last_step:
        raise ValueError(f"record {row.digest[:12]} is complete with {len(steps)} of {row.last_step} epochs")
    result = Result(row.status, curves, row.error, json.loads(row.notes))
    return Record(row.digest, json.loads(row.config), result, json.loads(row.provenance))


def _measurement(values: list[Any]) -> Measurement:
    """A row; SQLite kept a NaN as text, since it would have turned it into NULL."""
    step, *measured, seconds = values
    named = zip(METRICS, measured, strict=True)
    return Measurement(step, {name: float(value) for name, value in named if value is not None}, float(seconds))
