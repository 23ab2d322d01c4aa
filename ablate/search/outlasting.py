"""Optuna's storage, which outlasts what the store outlasts: a server that restarts, a connection that is cut.

Each of its methods is one transaction. One that fails as the database is away or busy is done again by the store's own
rule (:meth:`ablate.store.Store.outlast`). Where the connection was lost while a transaction was ending, it may have
been done already: attributes, values and parameters are then set again to what they are, a trial that was asked for
twice belongs to nobody and is adopted like that of a dead searcher, and what has been told counts as told.
"""

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy.exc import DBAPIError

from ablate.store import Store


class OutlastingStorage(RDBStorage):
    """Optuna's storage in the store's database.

    Args:
        url: The address of the database.
        options: How connections are made (``engine_kwargs``).
        store: The store in the same database.

    Raises:
        StoreUnavailable: The database was away for too long.
    """

    def __init__(self, url: str, options: dict[str, Any], store: Store) -> None:
        self._store = store
        store.outlast(lambda: super(OutlastingStorage, self).__init__(url, engine_kwargs=options))

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """See Optuna's; what a lost connection leaves in doubt is looked up."""
        tries = 0

        def attempt() -> bool:
            nonlocal tries
            tries += 1
            try:
                return bool(_plainly(RDBStorage.set_trial_state_values, self, trial_id, state, values))
            except UpdateFinishedTrialError:
                if tries == 1 or _plainly(RDBStorage.get_trial, self, trial_id).state != state:
                    raise
                return True

        return self._store.outlast(attempt)


def _plainly(method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What a method returns; where the database is at fault, its own error is raised, without Optuna's around it."""
    try:
        return method(*arguments, **options)
    except StorageInternalError as error:
        if isinstance(error.__cause__, DBAPIError):
            raise error.__cause__ from None
        raise


def _outlasting(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def outlast(self: OutlastingStorage, *arguments: Any, **options: Any) -> Any:
        return self._store.outlast(lambda: _plainly(method, self, *arguments, **options))

    return outlast


TRANSACTIONS = tuple(
    name
    for name, method in inspect.getmembers(RDBStorage, inspect.isfunction)
    if "_create_scoped_session" in method.__code__.co_names
)
"""Optuna's methods that are a transaction each."""

for _name in TRANSACTIONS:
    if _name not in vars(OutlastingStorage):
        setattr(OutlastingStorage, _name, _outlasting(getattr(RDBStorage, _name)))
