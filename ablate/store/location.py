"""Where a store is: a file or a URL, and how that is said to people."""

import re
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

_SECRET = re.compile(r"pass|pwd|secret|token|key", re.IGNORECASE)


def shown(location: str) -> str:
    """A store's place for people: never with a password, wherever in a URL it stands.

    Args:
        location: A path or an SQLAlchemy URL, also one that is none.
    """
    if "://" not in location:
        return location
    try:
        url = make_url(location)
    except (ArgumentError, ValueError):
        return f"{location.partition('://')[0]}://***"
    query = {name: "***" if _SECRET.search(name) else value for name, value in url.query.items()}
    return url.set(query=query).render_as_string(hide_password=True)


def without_secrets(text: str, location: str) -> str:
    """What a database said of ``location``, for people: a password in it becomes ``***``."""
    if "://" not in location:
        return text
    try:
        url = make_url(location)
    except (ArgumentError, ValueError):
        return "is no URL that can be read"
    secrets = [url.password, *(value for name, value in url.query.items() if _SECRET.search(name))]
    for secret in secrets:
        if secret and isinstance(secret, str):
            text = text.replace(secret, "***")
    return text


def url_of(location: str) -> URL:
    """A path or URL as a URL; one of PostgreSQL that names no driver takes the one that ``ablate[postgres]`` brings.

    Raises:
        ArgumentError: It is none.
    """
    if "://" not in location:
        return URL.create("sqlite", database=location)
    url = make_url(location)
    return url.set(drivername="postgresql+psycopg") if url.drivername in ("postgresql", "postgres") else url


def file_of(location: str) -> Path | None:
    """The SQLite file at a location; None: it is a server's.

    Raises:
        ArgumentError: It is no URL.
    """
    url = url_of(location)
    if url.get_backend_name() != "sqlite":
        return None
    database = url.database or ""
    if url.query.get("uri"):
        database = database.removeprefix("file:").partition("?")[0]
    return Path(database)


def is_in_memory(location: str) -> bool:
    """Whether it names an SQLite database that nobody could open again.

    Raises:
        ArgumentError: It is no URL.
    """
    url = url_of(location)
    if url.get_backend_name() != "sqlite":
        return False
    database = url.database or ""
    return database in ("", ":memory:") or ":memory:" in database or url.query.get("mode") == "memory"
