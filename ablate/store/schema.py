"""The store's tables, version 2: a row a record, and its measurements packed in one row beside it.

All names begin with ``ablate_``: Optuna keeps the trials of searches in the same database. Everything is ASCII text
(JSON escapes the rest), so that a NUL or half a surrogate pair in a traceback survives on every database.
"""

from sqlalchemy import BigInteger, Boolean, Column, Double, Integer, LargeBinary, MetaData, String, Table, Text

SCHEMA_VERSION = 2
"""Raised when the tables change; kept in the database, which a program of an older version then refuses."""

REVISION = "0002"
"""The last migration (see ``migrations/versions``): what Alembic finds in a new store."""

metadata = MetaData()

info = Table(
    "ablate_store",
    metadata,
    Column("version", Integer, nullable=False),
    Column("next_id", Integer, nullable=False),
)
"""One row. Every writing transaction updates it first, so that writers queue up on any database."""

revision = Table("ablate_revision", metadata, Column("version_num", String(32), primary_key=True))
"""Alembic's table; its usual name is taken by Optuna's."""

records = Table(
    "ablate_records",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("trajectory", String(64), nullable=False, index=True),
    Column("status", String(16), nullable=False, index=True),
    Column("last_step", BigInteger, nullable=False),
    Column("error", Text, nullable=False),
    Column("config", Text, nullable=False),
    Column("notes", Text, nullable=False),
    Column("guesses", Text, nullable=False),
    Column("provenance", Text, nullable=False),
    Column("checksum", BigInteger, nullable=False),
)
"""``id`` grows with every record ever added and is never used again; ``error`` to ``provenance`` are JSON."""

curves = Table(
    "ablate_curves",
    metadata,
    Column("record", Integer, primary_key=True, autoincrement=False),
    Column("layout", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("checksum", BigInteger, nullable=False),
)
"""One row for every record, also where nothing was measured: a record without one is damaged. See
:mod:`ablate.store.curves`."""

leases = Table(
    "ablate_leases",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("owner", String(64), nullable=False, index=True),
    Column("machine", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process_started", String(32), nullable=False),
    Column("expires", Double, nullable=False),
    Column("renewed", Double, nullable=False),
)
"""Runs that a sweep is training now; ``expires`` in seconds since 1970 by the database's clock, ``renewed`` in seconds
by the owner's machine's monotonic clock."""

speeds = Table(
    "ablate_speeds",
    metadata,
    Column("host", String(255), primary_key=True),
    Column("device", String(255), primary_key=True),
    Column("cohort_key", String(64), primary_key=True),
    Column("members", Integer, primary_key=True, autoincrement=False),
    Column("shared", Boolean, primary_key=True),
    Column("samples_per_second", Double, nullable=False),
    Column("measured_at", String(40), nullable=False),
)
