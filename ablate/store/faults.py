"""What can go wrong with a database, sorted by what can be done about it."""

import sqlite3
from typing import Literal

from sqlalchemy.exc import DBAPIError

from ablate.store.location import shown, without_secrets
from ablate.task.errors import ConfigError

Kind = Literal["busy", "away", "damaged", "other"]
"""``busy``: others are at work on it, or it comes up; ``away``: it may come back (disk full, server restarted,
connection lost); ``damaged``: it is no store, or not whole."""

_SQLITE: dict[int, Kind] = {
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_PROTOCOL: "busy",
    sqlite3.SQLITE_IOERR: "away",
    sqlite3.SQLITE_FULL: "away",
    sqlite3.SQLITE_CANTOPEN: "away",
    sqlite3.SQLITE_READONLY: "away",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
}

_SERVER: dict[str, Kind] = {
    "40001": "busy",
    "40P01": "busy",
    "55P03": "busy",
    "53300": "busy",
    "42P01": "damaged",
    "42703": "damaged",
    "XX001": "damaged",
    "XX002": "damaged",
}
"""Kinds of faults by PostgreSQL's SQLSTATE; whole classes are below."""
_SERVER_CLASSES: dict[str, Kind] = {"08": "away", "53": "away", "57": "away", "58": "away"}


_CONNECTING = (
    "too many clients",
    "connection slots",
    "is starting up",
    "not yet accepting connections",
    "is shutting down",
    "in recovery mode",
)
"""Words in the message of a server that takes no connection now; then there is no SQLSTATE."""


class StoreUnavailable(ConfigError):
    """The store cannot be used now, and waiting has not helped: nothing of the transaction was written."""


class StoreDamaged(StoreUnavailable):
    """The store is not whole: what it says cannot be trusted."""


def kind_of(error: DBAPIError) -> Kind:
    """What can be done about an error."""
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", None)
        if code is None:
            return "other"
        if code == sqlite3.SQLITE_ERROR and ("no such table" in str(cause) or "no such column" in str(cause)):
            return "damaged"
        return _SQLITE.get(code & 0xFF, "other")
    state = getattr(cause, "sqlstate", None)
    if state is not None:
        return _SERVER.get(state) or _SERVER_CLASSES.get(state[:2], "other")
    if any(text in str(cause) for text in _CONNECTING):
        return "busy"
    is_operational = any(kind.__name__ == "OperationalError" for kind in type(cause).__mro__)
    return "away" if error.connection_invalidated or is_operational else "other"


def reason_of(error: Exception, location: str) -> str:
    """An error in one line for people, without secrets."""
    message = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename and str(error.filename) != location else ""
        message = f"{place}{error.strerror}"
    lines = message.strip().splitlines()
    return without_secrets(lines[0] if lines else type(error).__name__, location)


def unavailable(location: str, reason: str) -> StoreUnavailable:
    """The error that says so."""
    return StoreUnavailable(f"store = {shown(location)}: {reason}")


def damaged(location: str, reason: str) -> StoreDamaged:
    """The error that says so."""
    return StoreDamaged(
        f"store = {shown(location)}: is damaged ({reason}); nothing of it was used. Put back a copy of it, or start a "
        "new store and merge what reports hold: ablate merge results/*"
    )
