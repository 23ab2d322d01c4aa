"""Measurements by name, packed in one row a record; all of the store's tables begin with ``ablate_``."""

import json

import sqlalchemy as sa
from alembic import op

from ablate.store import version1
from ablate.store.curves import checksum, pack

revision = "0002"
down_revision = None
branch_labels = None
depends_on = None

BATCH = 1000
"""Records that are in memory at a time."""


def upgrade() -> None:
    """Make the new tables, copy all records and speeds, drop the old tables."""
    records, curves, speeds = _create()
    connection = op.get_bind()
    last = 0
    old = version1.records
    while True:
        numbers = list(connection.scalars(sa.select(old.c.id).where(old.c.id > last).order_by(old.c.id).limit(BATCH)))
        if not numbers:
            break
        _copy(connection, records, curves, last, numbers[-1])
        last = numbers[-1]
    kept = [dict(row) for row in connection.execute(sa.select(version1.speeds)).mappings()]
    if kept:
        connection.execute(sa.insert(speeds), kept)
    for table in ("epochs", "records", "leases", "speeds"):
        op.drop_table(table)
    connection.execute(sa.text("UPDATE ablate_store SET version = 2"))


def _copy(connection: sa.Connection, records: sa.Table, curves: sa.Table, after: int, last: int) -> None:
    old = version1.records
    chosen = sa.and_(old.c.id > after, old.c.id <= last)
    trajectories = {
        row.digest: row.trajectory
        for row in connection.execute(sa.select(old.c.digest, old.c.trajectory).where(chosen))
    }
    rows, points = [], []
    for digest, (number, record) in version1.read(connection, chosen, with_curves=True).items():
        result = record.result
        fields = {
            "error": json.dumps(result.error),
            "config": json.dumps(record.config),
            "notes": json.dumps(result.notes),
            "guesses": "{}",
            "provenance": json.dumps(record.provenance),
        }
        rows.append(
            {
                "id": number,
                "digest": digest,
                "trajectory": trajectories[digest],
                "status": result.status,
                "last_step": result.curves[-1].step if result.curves else 0,
                **fields,
                "checksum": checksum(digest, result.status, *fields.values()),
            }
        )
        layout, data = pack(result.curves)
        points.append({"record": number, "layout": layout, "data": data, "checksum": checksum(digest, layout, data)})
    connection.execute(sa.insert(records), rows)
    connection.execute(sa.insert(curves), points)


def _create() -> tuple[sa.Table, sa.Table, sa.Table]:
    records = op.create_table(
        "ablate_records",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("trajectory", sa.String(64), nullable=False, index=True),
        sa.Column("status", sa.String(16), nullable=False, index=True),
        sa.Column("last_step", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("error", "config", "notes", "guesses", "provenance")),
        sa.Column("checksum", sa.BigInteger, nullable=False),
    )
    curves = op.create_table(
        "ablate_curves",
        sa.Column("record", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("layout", sa.Text, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("checksum", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "ablate_leases",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False, index=True),
        sa.Column("machine", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("process_started", sa.String(32), nullable=False),
        sa.Column("expires", sa.Double, nullable=False),
        sa.Column("renewed", sa.Double, nullable=False),
    )
    speeds = op.create_table(
        "ablate_speeds",
        sa.Column("host", sa.String(255), primary_key=True),
        sa.Column("device", sa.String(255), primary_key=True),
        sa.Column("cohort_key", sa.String(64), primary_key=True),
        sa.Column("members", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("shared", sa.Boolean, primary_key=True),
        sa.Column("samples_per_second", sa.Double, nullable=False),
        sa.Column("measured_at", sa.String(40), nullable=False),
    )
    return records, curves, speeds
