"""The store's tables, and opening a database that holds them."""

import errno
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isnan
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.engine import URL, Connection, Dialect, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import QueuePool, StaticPool
from sqlalchemy.types import UserDefinedType

from ablate.task.errors import ConfigError

SCHEMA_VERSION = 1
"""Raised when the tables change; kept in the database, which a program of an older version then refuses."""

BUSY_TIMEOUT = 60.0
"""Seconds that a statement waits for another process's write (SQLite)."""


class Metric(UserDefinedType[float]):
    """A float that may be NaN or infinite; SQLite keeps a NaN as text, since it would turn it into NULL."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """The column's type."""
        return "DOUBLE PRECISION"

    def bind_processor(self, dialect: Dialect) -> Callable[[float | None], Any] | None:
        """From Python to the database."""
        if dialect.name != "sqlite":
            return None
        return lambda value: "nan" if value is not None and isnan(value) else value

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], float | None]:
        """From the database to Python."""
        return lambda value: value if value is None else float(value)


metadata = MetaData()

info = Table(
    "ablate_store",
    metadata,
    Column("version", Integer, nullable=False),
    Column("next_id", Integer, nullable=False),
)
"""One row. Every writing transaction updates it first, so that writers queue up on any database."""

records = Table(
    "records",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("trajectory", String(64), nullable=False, index=True),
    Column("status", String(16), nullable=False, index=True),
    Column("epochs", Integer, nullable=False),
    Column("error", Text),
    Column("config", Text, nullable=False),
    Column("notes", Text, nullable=False),
    Column("provenance", Text, nullable=False),
)
"""``id`` grows with every record ever added and is never used again; ``epochs`` is the configured number."""

epochs = Table(
    "epochs",
    metadata,
    Column("record", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    *(Column(name, Metric) for name in ("train_loss", "train_acc", "val_loss", "val_acc", "test_loss", "test_acc")),
    Column("seconds", Metric, nullable=False),
    sqlite_with_rowid=False,
)

leases = Table(
    "leases",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("owner", String(64), nullable=False, index=True),
    Column("machine", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process_started", String(32), nullable=False),
    Column("expires", Double, nullable=False),
)
"""Runs that a sweep is training now; ``expires`` in seconds since 1970 (UTC)."""

speeds = Table(
    "speeds",
    metadata,
    Column("host", String(255), primary_key=True),
    Column("device", String(255), primary_key=True),
    Column("cohort_key", String(64), primary_key=True),
    Column("members", Integer, primary_key=True, autoincrement=False),
    Column("shared", Boolean, primary_key=True),
    Column("samples_per_second", Double, nullable=False),
    Column("measured_at", String(40), nullable=False),
)


def connect(location: str, *, read_only: bool = False) -> Engine:
    """Open the database at ``location`` and make sure that it holds the tables of this version.

    Args:
        location: Path of an SQLite file (created with its folder if it does not exist) or an SQLAlchemy URL.
        read_only: Write nothing: where no database exists, an empty one in memory stands for it.

    Returns:
        An engine whose transactions begin as :func:`writing` and :func:`reading` say.

    Raises:
        ConfigError: The place cannot be opened or written, holds no database, or one of a newer version.
    """
    try:
        engine = _engine(location, read_only)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, OSError) as error:
        raise ConfigError(f"store = {_shown(location)}: {_reason(error, location)}") from None
    try:
        if read_only and not engine.url.query.get("memory") and _is_blank(engine):
            engine.dispose()
            engine = _in_memory()
        if not read_only or engine.url.query.get("memory"):
            _create(engine, location)
        elif engine.dialect.name == "sqlite" and not inspect(engine).has_table(info.name):
            raise ConfigError(f"store = {_shown(location)}: is a database, but not a run store")
        _check_version(engine, location)
    except DBAPIError as error:
        engine.dispose()
        raise ConfigError(f"store = {_shown(location)}: {_reason(error, location)}") from None
    except ConfigError:
        engine.dispose()
        raise
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one state of the database."""
    with engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine, new_ids: int = 0) -> Iterator[tuple[Connection, int]]:
    """A transaction that no other writer runs beside, with ``new_ids`` fresh record ids from the number given back."""
    with engine.connect().execution_options(ablate_write=True) as connection, connection.begin():
        connection.execute(update(info).values(next_id=info.c.next_id + new_ids))
        yield connection, int(connection.execute(select(info.c.next_id)).scalar_one()) - new_ids


def _engine(location: str, read_only: bool) -> Engine:
    url = make_url(location) if "://" in location else URL.create("sqlite", database=location)
    if url.get_backend_name() != "sqlite":
        return create_engine(url)
    path = Path(url.database) if url.database not in (None, "", ":memory:") and "uri" not in url.query else None
    if (path is None and "uri" not in url.query) or (path is not None and read_only and not path.exists()):
        return _in_memory()
    if path is None:
        engine = create_engine(url)
    elif path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder", str(path))
    else:
        if not read_only:
            path.parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine("sqlite://", creator=lambda: _open_file(path, read_only), poolclass=QueuePool)
    return _listening(engine)


def _in_memory() -> Engine:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    engine.url = engine.url.update_query_dict({"memory": "1"})
    return _listening(engine)


def _listening(engine: Engine) -> Engine:
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _is_blank(engine: Engine) -> bool:
    """Whether a file has been made and its maker killed before it made the tables: as good as no file."""
    return engine.dialect.name == "sqlite" and not inspect(engine).get_table_names()


def _open_file(path: Path, read_only: bool) -> sqlite3.Connection:
    mode = "ro" if read_only else "rwc"
    if read_only and not Path(f"{path}-wal").exists():
        mode += "&immutable=1"
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode={mode}", uri=True, check_same_thread=False)


def _prepare(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT * 1000)}")
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("ablate_write") else "BEGIN")


def _create(engine: Engine, location: str) -> None:
    present = set(inspect(engine).get_table_names())
    if info.name not in present and present & set(metadata.tables):
        raise ConfigError(f"store = {_shown(location)}: is a database, but not a run store")
    if engine.dialect.name == "sqlite":
        _use_wal(engine)
    if info.name not in present:
        try:
            _create_tables(engine)
        except DBAPIError:
            if not inspect(engine).has_table(info.name):  # Else another process has just done it.
                raise
    with writing(engine):
        """Fails here, and not after an hour of training, where the place cannot be written."""


def _create_tables(engine: Engine) -> None:
    with engine.connect().execution_options(ablate_write=True) as connection, connection.begin():
        metadata.create_all(connection)
        if connection.scalar(select(info.c.version)) is None:
            connection.execute(insert(info).values(version=SCHEMA_VERSION, next_id=1))


def _use_wal(engine: Engine) -> None:
    """Switch to a write-ahead log; the switch itself does not wait for another process that is doing the same."""
    end = time.monotonic() + BUSY_TIMEOUT
    try:
        raw = engine.raw_connection()
    except sqlite3.Error as error:
        raise OperationalError(None, None, error) from None
    try:
        while raw.cursor().execute("PRAGMA journal_mode").fetchone()[0] not in ("wal", "memory"):
            try:
                raw.cursor().execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > end:
                    raise OperationalError(None, None, error) from None
                time.sleep(0.02)
    except sqlite3.Error as error:
        raise OperationalError(None, None, error) from None
    finally:
        raw.close()


def _check_version(engine: Engine, location: str) -> None:
    with reading(engine) as connection:
        version = connection.scalar(select(info.c.version))
    if version != SCHEMA_VERSION:
        raise ConfigError(
            f"store = {_shown(location)}: has schema version {version}, this program knows {SCHEMA_VERSION}; "
            "use the version of ablate that wrote it, or another store"
        )


def _shown(location: str) -> str:
    return make_url(location).render_as_string(hide_password=True) if "://" in location else location


def _reason(error: Exception, location: str) -> str:
    message = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename and str(error.filename) != location else ""
        message = f"{place}{error.strerror}"
    reason = message.strip().splitlines()[0] if message.strip() else type(error).__name__
    if isinstance(error, OSError | DBAPIError) and "://" not in location:
        reason += "; must be a file in a folder that can be written, or an SQLAlchemy URL"
    return reason
