"""A store's database: opened with the tables of this version, read in one snapshot, written one writer at a time."""

import errno
import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import create_engine, event, insert, inspect, select, text, update
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import NullPool, QueuePool, StaticPool

from ablate.store import version1
from ablate.store.faults import damaged, kind_of, reason_of, unavailable
from ablate.store.location import file_of, is_in_memory, shown, url_of
from ablate.store.migrate import migrate
from ablate.store.schema import REVISION, SCHEMA_VERSION, info, metadata, revision
from ablate.store.server import server_engine
from ablate.store.sqlite_files import (
    begin_write,
    fold_log,
    identity_of,
    may_write,
    open_reader,
    open_writer,
    prepare_place,
    state_of,
    use_log,
)
from ablate.task.errors import ConfigError

T = TypeVar("T")

log = logging.getLogger(__name__)

PATIENCE = 30.0
"""Seconds for which a transaction is tried again while the disk is full or the file cannot be reached."""

SERVER_PATIENCE = 600.0
"""The same while a server that is written to does not answer: it is restarted, or the network between is cut."""

BUSY_PATIENCE = 600.0
"""The same where others are in the way: a server with all its connections taken, a deadlock."""

_FIRST_PAUSE, _LAST_PAUSE = 0.05, 5.0
"""Seconds between such tries; each time twice as long."""

_TOLD_PAUSE = 1.0
"""A server that is busy for longer than tries up to this pause take: people are told what is waited for."""

_ANSWERED = set[str]()
"""Servers that have answered this process: opened again, they are waited for, too."""

_TURN = 4_155_270_813
"""Number of PostgreSQL's advisory lock under which tables are made or migrated."""

_FILE = "ablate_file"
"""Where a pooled connection keeps the identity of the file that it was opened on."""


class Database:
    """An open database that holds a store.

    Args:
        engine: The engine that makes connections to it.
        location: For messages.
        path: The SQLite file; None: another kind of database.
    """

    def __init__(self, engine: Engine, location: str, path: Path | None) -> None:
        self._engine, self.location, self._path = engine, location, path
        self._file: tuple[int, int] | None = None
        self.version = SCHEMA_VERSION
        """The version of its tables."""
        self.patience = 0.0
        """Seconds for which a transaction is tried again; none while it is being opened."""
        self.may_wait: Callable[[], bool] = lambda: True
        """Asked before each further try."""
        self.outages = 0
        """How often it has been found away."""

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def read(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` in a transaction that sees one state of the database.

        Raises:
            StoreUnavailable: It does not answer, or has been moved or deleted.
            StoreDamaged: It is not whole.
        """
        return self.outlast(lambda: self._read(work))

    def write(self, work: Callable[[Connection, int], T], new_ids: int = 0) -> T:
        """Do ``work`` in a transaction that no other writer runs beside.

        Args:
            work: Gets the connection and the first of ``new_ids`` fresh record ids; may be done more than once, where
                the database went away before the transaction was known to have ended.
            new_ids: How many.

        Raises:
            StoreUnavailable: The disk is full, the server does not answer, the file has been moved or deleted: after
                :data:`PATIENCE` or :data:`SERVER_PATIENCE` seconds.
            StoreDamaged: It is not whole.
        """
        return self.outlast(lambda: self._write(work, new_ids))

    def _read(self, work: Callable[[Connection], T]) -> T:
        self._check_place()
        before = state_of(self._path) if self._path is not None and self._is_alone else None
        options: dict[str, Any] = {}
        if self._engine.dialect.name != "sqlite":
            options = {"isolation_level": "REPEATABLE READ"}
        if self._engine.dialect.name == "postgresql":
            options["postgresql_readonly"] = True
        with self._engine.connect().execution_options(**options) as connection, connection.begin():
            found = work(connection)
        if self._path is not None and before is not None and state_of(self._path) != before:
            raise _Disturbed
        return found

    def _write(self, work: Callable[[Connection, int], T], new_ids: int) -> T:
        self._check_place()
        with self._engine.connect().execution_options(ablate_write=True) as connection, connection.begin():
            connection.execute(update(info).values(next_id=info.c.next_id + new_ids))
            first_id = int(connection.execute(select(info.c.next_id)).scalar_one()) - new_ids
            done = work(connection, first_id)
        self._check_place()
        return done

    def outlast(self, attempt: Callable[[], T]) -> T:
        """Try again while the database is away or busy: the one rule for this, also of what has its own connections.

        Args:
            attempt: One whole transaction, which may be done more than once.

        Raises:
            StoreUnavailable, StoreDamaged: See :meth:`write`.
        """
        begun, pause, is_away, is_told = time.monotonic(), _FIRST_PAUSE, False, False
        while True:
            try:
                return attempt()
            except DBAPIError as error:
                kind, reason = kind_of(error), reason_of(error, self.location)
                if kind == "other":
                    raise
                if kind == "damaged":
                    raise damaged(self.location, reason) from None
            except _Disturbed:
                kind, reason = "away", "it is changed while it is read"
            except Garbled as error:
                raise damaged(self.location, str(error)) from None
            patience = BUSY_PATIENCE if kind == "busy" else self.patience
            if time.monotonic() + pause > begun + patience or not self.may_wait():
                raise unavailable(self.location, reason)
            if kind == "away" and not is_away:
                self.outages, is_away = self.outages + 1, True
            if not is_told and (kind == "away" or (self._path is None and pause > _TOLD_PAUSE)):
                is_told = True
                log.warning("%s; trying again for %.0f s", unavailable(self.location, reason), patience)
            time.sleep(pause)
            pause = min(2 * pause, _LAST_PAUSE)

    @property
    def _is_alone(self) -> bool:
        return isinstance(self._engine.pool, NullPool)

    def _check_place(self) -> None:
        """A file that is moved or deleted can still be written, and all of it would be lost.

        Raises:
            StoreUnavailable: It is.
        """
        if self._path is None:
            return
        found = identity_of(self._path)
        if self._file is None:
            self._file = found
        if found is None or found != self._file:
            self._fold_log()
            raise unavailable(self.location, "was moved, deleted or replaced while it was in use")

    def _fold_log(self) -> None:
        """Put what only the write-ahead log holds into the file that it belongs to, and empty the log.

        The log lies where the file was: the file would have been moved without its last records, and to the file that
        has taken its place SQLite would apply the log of another.
        """
        pool = self._engine.pool
        if not isinstance(pool, QueuePool) or not pool.checkedin():
            return
        pooled = self._engine.raw_connection()
        try:
            if pooled.info.get(_FILE) == self._file and isinstance(pooled.driver_connection, sqlite3.Connection):
                fold_log(pooled.driver_connection)
        finally:
            pooled.close()


class Garbled(Exception):
    """What was read makes no sense, or is not what was written."""


class _Disturbed(Exception):
    """A file without a log was changed while it was read."""


def open_database(location: str, *, read_only: bool = False) -> Database:
    """Open the database at ``location`` and make sure that it holds tables that this version knows.

    Args:
        location: Path of an SQLite file (created with its folder if it does not exist) or an SQLAlchemy URL.
        read_only: Write nothing: where no store exists, an empty one in memory stands for it; one of an older version
            is read as it is.

    Raises:
        ConfigError: The place cannot be opened or written, holds no store, or one of a newer version.
    """
    try:
        if is_in_memory(location):
            raise ConfigError(
                f"store = {location}: is in memory, and would be gone at the end; must be a file or a server's URL"
            )
        path = file_of(location)
        if path is not None and url_of(location).query:
            raise ConfigError(f"store = {shown(location)}: an SQLite file takes no options; must be its path")
        if read_only and path is not None and not path.exists():
            return _nothing(location)
        if path is not None:
            prepare_place(path) if not read_only else _refuse_folder(path)
        database = Database(_engine(location, path, read_only), location, path)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, OSError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"store = {shown(location)}: {_explained(error, location)}") from None
    try:
        return _checked(database, read_only)
    except (DBAPIError, OSError) as error:
        database.close()
        raise ConfigError(f"store = {shown(location)}: {_explained(error, location)}") from None
    except BaseException:
        database.close()
        raise


def _engine(location: str, path: Path | None, read_only: bool) -> Engine:
    if path is None:
        return server_engine(location)
    if not read_only:
        engine = create_engine("sqlite://", creator=lambda: open_writer(path), poolclass=QueuePool)
    elif may_write(path):
        engine = create_engine("sqlite://", creator=lambda: open_reader(path), poolclass=QueuePool)
    else:
        engine = create_engine("sqlite://", creator=lambda: open_reader(path), poolclass=NullPool)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "connect", lambda _, entry: entry.info.update({_FILE: identity_of(path)}))
    return engine


def _nothing(location: str) -> Database:
    """An empty store in place of one that does not exist."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    with engine.begin() as connection:
        _make_tables(connection)
    return Database(engine, location, None)


def _begin(connection: Connection) -> None:
    """SQLAlchemy's own transactions on SQLite begin with the first change, not with the first read."""
    raw = connection.connection.driver_connection
    if not isinstance(raw, sqlite3.Connection):
        raise TypeError(f"{type(raw).__name__} is no connection to an SQLite file")
    try:
        if connection.get_execution_options().get("ablate_write"):
            begin_write(raw)
        else:
            raw.execute("BEGIN")
    except sqlite3.Error as error:
        raise OperationalError("BEGIN", None, error) from None


def _refuse_folder(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder", str(path))


def _checked(database: Database, read_only: bool) -> Database:
    """The database, with the tables of a version that is known."""
    engine, place = database._engine, f"store = {shown(database.location)}"
    is_server = database._path is None
    if is_server:
        _wait_once_answered(database, PATIENCE if read_only else SERVER_PATIENCE)
    names = database.outlast(lambda: _table_names(engine)) if is_server else _table_names(engine)
    if info.name not in names:
        foreign = names & (metadata.tables.keys() | version1.metadata.tables.keys())
        if foreign or (read_only and names and engine.dialect.name == "sqlite"):
            raise ConfigError(f"{place}: is a database, but not a run store")
        if read_only:
            database.close()
            return _nothing(database.location)
    if not read_only and engine.dialect.name == "sqlite":
        _use_log(engine)
    version = _version(database) if info.name in names else None
    if not read_only and (version is None or version == 1):
        _bring_up(database)
        version = _version(database)
    if version not in (1, SCHEMA_VERSION):
        raise ConfigError(
            f"{place}: has schema version {version}, this program knows {SCHEMA_VERSION}; "
            "use the version of ablate that wrote it, or another store"
        )
    database.version = version
    if not read_only:
        database.write(lambda *_: None)  # Fails here, and not after an hour of training, where it cannot be written.
    database.patience = PATIENCE if read_only or not is_server else SERVER_PATIENCE
    return database


def _wait_once_answered(database: Database, patience: float) -> None:
    """Wait for a server from its first answer on; one that never answers is more often a wrong address."""

    def answered(*_: object) -> None:
        _ANSWERED.add(database.location)
        database.patience = patience

    event.listen(database._engine, "connect", answered)
    if database.location in _ANSWERED:
        database.patience = patience


def _table_names(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def _version(database: Database) -> int | None:
    return database.read(lambda connection: connection.scalar(select(info.c.version)))


def _bring_up(database: Database) -> None:
    """Make the tables, or migrate them; of several processes that want to, one does."""
    with database._engine.connect().execution_options(ablate_write=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": _TURN})
        if not inspect(connection).has_table(info.name):
            _make_tables(connection)
        elif connection.scalar(select(info.c.version).with_for_update()) == 1:
            try:
                migrate(connection)
            except ConfigError as error:
                raise ConfigError(f"store = {shown(database.location)}: {error}") from None
            except ValueError as error:
                raise damaged(database.location, str(error)) from None


def _make_tables(connection: Connection) -> None:
    metadata.create_all(connection)
    connection.execute(insert(info).values(version=SCHEMA_VERSION, next_id=1))
    connection.execute(insert(revision).values(version_num=REVISION))


def _use_log(engine: Engine) -> None:
    pooled = engine.raw_connection()
    try:
        raw = pooled.driver_connection
        if isinstance(raw, sqlite3.Connection):
            use_log(raw)
    except sqlite3.Error as error:
        raise OperationalError(None, None, error) from None
    finally:
        pooled.close()


def _explained(error: Exception, location: str) -> str:
    reason = reason_of(error, location)
    if isinstance(error, ModuleNotFoundError):
        return f"{reason}; for postgresql:// it is psycopg, with: pip install 'ablate[postgres]'"
    if isinstance(error, OSError | DBAPIError) and "://" not in location:
        reason += "; must be a file in a folder that can be written, or an SQLAlchemy URL"
    return reason
