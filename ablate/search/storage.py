"""Optuna's study in the run store's database, and who is at work on which of its trials.

The tables of the two do not collide (Optuna's: studies, trials, trial_*, alembic_version, ...), so that one file or
one server holds a search with its records, and ``optuna-dashboard`` shows it. A trial that a searcher has asked for
is leased like a run; the lease ends with the searcher's process, so that another (or the same command again) goes on
with it at once.
"""

import hashlib
import sqlite3
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy.engine import URL

from ablate.store import Owner, Store
from ablate.store.location import url_of, without_secrets
from ablate.store.server import connect_options
from ablate.task.errors import ConfigError

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

Direction = Literal["minimize", "maximize"]

WAIT_SECONDS = 0.1
"""Seconds between two attempts to be the only one that asks."""

BUSY_SECONDS = 60.0
"""How long a statement waits for another process's write (SQLite)."""


def open_study(name: str, location: str, store: Store, owner: Owner, directions: Sequence[Direction]) -> "Study":
    """Optuna's study of this name, made where there is none.

    Args:
        name: The name of the study in Optuna.
        location: The location of the store: an SQLite file or an SQLAlchemy URL.
        store: Open at ``location``; guards the making of Optuna's tables.
        owner: This searcher.
        directions: ``maximize`` or ``minimize`` for each objective.

    Raises:
        ConfigError: The place cannot be opened or written.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with alone(store, owner, "optuna"), quiet():
        storage = _open(location, store)
        return optuna.create_study(study_name=name, storage=storage, directions=directions, load_if_exists=True)


def load_study(name: str, location: str) -> "Study | None":
    """Optuna's study of this name, or None where there is none; writes nothing.

    Raises:
        ConfigError: The place cannot be opened.
    """
    import optuna
    from sqlalchemy import create_engine, inspect

    from ablate.store import open_store

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if "://" not in location and not Path(location).exists():
        return None
    with quiet(), open_store(location, read_only=True) as store:
        engine = create_engine(_url(location))
        has_tables = store.outlast(lambda: inspect(engine).has_table("studies"))
        engine.dispose()
        if not has_tables or name not in optuna.get_all_study_names(storage=(storage := _open(location, store))):
            return None
        return optuna.load_study(study_name=name, storage=storage)


@contextmanager
def alone(store: Store, owner: Owner, what: str) -> Iterator[None]:
    """Keep other searchers out for a moment; a searcher that died inside keeps nobody out."""
    key = _key("alone", what)
    while not store.lease([key], owner):
        time.sleep(WAIT_SECONDS)
    try:
        yield
    finally:
        store.release(owner, [key])


def take(study: "Study", numbers: Sequence[int], store: Store, owner: Owner) -> list[int]:
    """Lease trials.

    Returns:
        Those that no living searcher holds.
    """
    keys = {_key(study.study_name, number): number for number in numbers}
    return sorted(keys[key] for key in store.lease(keys, owner)) if keys else []


def give_back(study: "Study", numbers: Sequence[int], store: Store, owner: Owner) -> None:
    """End leases on trials."""
    store.release(owner, [_key(study.study_name, number) for number in numbers])


def running(study: "Study") -> "list[FrozenTrial]":
    """Trials that somebody has asked for and not yet told, by number."""
    from optuna.trial import TrialState

    return list(study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna marks much of what it recommends as experimental, with a warning at every use."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


def _open(location: str, store: Store) -> "RDBStorage":
    from sqlalchemy import event
    from sqlalchemy.exc import SQLAlchemyError

    from ablate.search.outlasting import OutlastingStorage

    url = _url(location)
    if url.get_backend_name() == "sqlite":
        # A write begins with the lock: two searchers wait for each other instead of failing halfway.
        options: dict[str, Any] = {"connect_args": {"timeout": BUSY_SECONDS, "isolation_level": "IMMEDIATE"}}
    else:
        options = {"connect_args": connect_options(url), "pool_pre_ping": True}
    try:
        storage = OutlastingStorage(url.render_as_string(hide_password=False), options, store)
    except (SQLAlchemyError, RuntimeError, ImportError) as error:
        reason = without_secrets(str(getattr(error, "orig", None) or error).splitlines()[0], location)
        raise ConfigError(f"store: Optuna's tables cannot be used there: {reason}") from None
    if storage.engine.dialect.name == "sqlite":
        storage.engine.dispose()
        event.listen(storage.engine, "connect", _like_the_store)
    return storage


def _like_the_store(connection: sqlite3.Connection, _: object) -> None:
    """Use a write-ahead log, so that no commit waits for the disk: what a power cut loses is whole trials."""
    connection.execute("PRAGMA synchronous = NORMAL")


def _url(location: str) -> URL:
    return url_of(location if "://" in location else f"sqlite:///{Path(location).absolute()}")


def _key(*parts: object) -> str:
    return hashlib.sha256("/".join(map(str, ("search", *parts))).encode()).hexdigest()
