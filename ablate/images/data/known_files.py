"""What was found out about picture files, kept in the user's cache so that an unchanged file is not read again."""

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import PIL

from ablate.images.data.picture import RULE, Picture
from ablate.task.kept_results import user_cache
from ablate.task.plain_json import loads

SETTLED_SECONDS = 3.0
"""A file that changed less than so long ago is not remembered: it may change again within one tick of its file
system's clock, which nothing would show."""


@dataclass(frozen=True)
class Inspection:
    """What is known of a file's content."""

    sha256: str
    """The SHA-256 of its bytes, in hex; empty where they cannot be read."""
    picture: Picture | None
    """None: it cannot be read as one."""
    problem: str | None = None
    """Why it cannot be used; None: it can."""
    decoded: bool = False
    """Whether all of it was decoded: damage shows only then."""


def key_of(path: Path, background: str) -> str | None:
    """What changes whenever a file's content, the rule or the decoder may have; None: not to be remembered."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    if time.time() - max(status.st_mtime, status.st_ctime) < SETTLED_SECONDS:
        return None
    numbers = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return "/".join(map(str, (*numbers, RULE, PIL.__version__, background)))


def recall(keys: Iterable[str]) -> dict[str, Inspection]:
    """What is remembered under these keys; nothing where the cache cannot be read."""
    wanted, found = list(keys), {}
    if not wanted or not _place().is_file():
        return {}
    try:
        with closing(_connect()) as connection:
            for start in range(0, len(wanted), 500):
                some = wanted[start : start + 500]
                marks = ",".join("?" * len(some))
                for key, text in connection.execute(f"SELECT key, value FROM known WHERE key IN ({marks})", some):
                    found[key] = _from_json(text)
    except (sqlite3.Error, OSError, ValueError, TypeError, KeyError):
        return {}
    return found


def remember(found: Mapping[str, Inspection]) -> None:
    """Keep what was found out; a cache that cannot be written, or is damaged, is done without."""
    if not found:
        return
    try:
        _place().parent.mkdir(parents=True, exist_ok=True)
        with closing(_connect()) as connection, connection:
            connection.execute("CREATE TABLE IF NOT EXISTS known (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")
            connection.executemany(
                "INSERT OR REPLACE INTO known VALUES (?, ?)",
                [(key, json.dumps(asdict(inspection))) for key, inspection in found.items()],
            )
    except sqlite3.DatabaseError as error:
        if not isinstance(error, sqlite3.OperationalError):  # garbled: begun anew the next time
            _place().unlink(missing_ok=True)
    except OSError:
        return  # a full disk, a folder that may not be written: everything is found out again the next time


def _place() -> Path:
    return user_cache() / "pictures.db"


def _connect() -> sqlite3.Connection:
    return sqlite3.connect(_place(), timeout=5.0)


def _from_json(text: str) -> Inspection:
    values = loads(text)
    picture = values.pop("picture")
    if picture is not None:
        picture = Picture(**picture | {name: tuple(picture[name]) for name in ("changed", "remarks")})
    return Inspection(picture=picture, **values)
