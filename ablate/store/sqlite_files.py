"""SQLite files: writers that queue up, readers that disturb nobody, files that are not the same any more."""

import contextlib
import errno
import os
import random
import shutil
import sqlite3
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

BUSY_SECONDS = 60.0
"""How long a statement that does not begin a transaction waits for others."""

STUCK_SECONDS = 600.0
"""How long a writer waits while nobody else finishes a write: then whoever has the lock does not go on."""

FOLD_SECONDS = 5.0
"""How long readers of the log of a file that was moved are waited for."""

_LONG_PAUSE, _SHORT_PAUSE = 0.03, 0.006
"""Seconds between two attempts of a writer that has just come, and of one that has waited for long."""


def open_writer(path: Path) -> sqlite3.Connection:
    """A connection that may write; the file is made where there is none."""
    return _prepared(_connect(path, "rwc"))


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that only reads, and leaves no file beside the store where it can be helped.

    Where the file may be written, it takes part in the write-ahead log as everybody does, and so sees one state of the
    database however many write. Where it may not (read-only media), it does so if a log is there.
    """
    if may_write(path):
        connection = _prepared(_connect(path, "rw"))
        connection.execute("PRAGMA query_only = ON")
        return connection
    connection = _connect(path, "ro")
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        if _log_of(path).exists() and _log_of(path).stat().st_size:
            return _open_copy(path)
        connection = _connect(path, "ro&immutable=1")
    return _prepared(connection)


def may_write(path: Path) -> bool:
    """Whether a file and the folder that its log lies in can be written."""
    return os.access(path, os.W_OK) and os.access(path.absolute().parent, os.W_OK)


def state_of(path: Path) -> tuple[int, ...]:
    """Changes whenever somebody changes the file itself; tells whether a read beside no log was undisturbed.

    Raises:
        OSError: It is gone.
    """
    found, log = path.stat(), _log_of(path)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, log.stat().st_size if log.exists() else 0


def identity_of(path: Path) -> tuple[int, int] | None:
    """Tells a file from another one in its place; None: it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def begin_write(connection: sqlite3.Connection) -> None:
    """Begin a transaction that no other writer runs beside, however long others take that go on.

    SQLite's own waiting lets newcomers pass those who have waited for long; here it is the other way round.

    Raises:
        sqlite3.OperationalError: Nobody finishes what has the lock, or the database cannot be used.
    """
    begun = progress = looked = time.monotonic()
    version = None
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                now = time.monotonic()
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or now - progress > STUCK_SECONDS:
                    raise
                if now - looked > 1.0:
                    looked = now
                    newer = _version(connection)
                    progress = now if newer is not None and newer != version else progress
                    version = newer if newer is not None else version
                share = 1.0 / (1.0 + now - begun)
                time.sleep(random.uniform(0.3, 1.0) * (_SHORT_PAUSE + share * (_LONG_PAUSE - _SHORT_PAUSE)))
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")


def use_log(connection: sqlite3.Connection) -> None:
    """Switch to a write-ahead log; the switch itself does not wait for another process that is doing the same.

    Raises:
        sqlite3.OperationalError: It is not possible.
    """
    end = time.monotonic() + BUSY_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] not in ("wal", "memory"):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.02)


def fold_log(connection: sqlite3.Connection) -> None:
    """Copy all that the write-ahead log holds into the file, wherever that lies now, and empty the log.

    As far as it can be done: what readers still need of the log stays in it.
    """
    connection.execute(f"PRAGMA busy_timeout = {int(FOLD_SECONDS * 1000)}")
    with contextlib.suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def prepare_place(path: Path) -> None:
    """Make the folder of a file.

    Raises:
        OSError: It cannot be made, or the path is a folder.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)


def _version(connection: sqlite3.Connection) -> int | None:
    """Grows with every write of others."""
    try:
        return int(connection.execute("PRAGMA data_version").fetchone()[0])
    except sqlite3.OperationalError:
        return None


def _open_copy(path: Path) -> sqlite3.Connection:
    """A killed writer's log lies beside a store on read-only media: only a copy can be put in order."""
    with tempfile.TemporaryDirectory(prefix="ablate-") as folder:
        copy = Path(folder) / path.name
        shutil.copyfile(path, copy)
        shutil.copyfile(_log_of(path), _log_of(copy))
        connection = _prepared(_connect(copy, "rw"))
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        memory = sqlite3.connect(":memory:", check_same_thread=False)
        connection.backup(memory)
        connection.close()
    memory.isolation_level = None
    memory.execute("PRAGMA query_only = ON")
    return memory


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode={mode}", uri=True, check_same_thread=False)


def _prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")
