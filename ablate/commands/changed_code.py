"""Which of a plan's runs are there already, but of other code; and whose code changed under a version set by hand."""

from collections.abc import Iterable
from dataclasses import dataclass

from ablate.store import Store
from ablate.task.errors import ConfigError
from ablate.task.finding import find_task
from ablate.task.identity import digest_of, task_name_of
from ablate.task.record import Record
from ablate.task.run import Run

MOST = 20
"""Versions of the code that are looked for, the latest first."""
SOME = 400
"""Records that are looked at for a change under a version set by hand."""


@dataclass(frozen=True)
class ChangedCode:
    """Runs of which the store has records of other code."""

    runs: int
    why: str
    """What changed since, in words, by file."""


def trained_before(lacking: Iterable[Run], store: Store) -> list[ChangedCode]:
    """Runs that the store lacks but has of earlier code, each counted with the latest of these.

    Args:
        lacking: Runs without a record.
        store: Open.

    Returns:
        A row for each change, the latest first.
    """
    rest = {run.digest: run for run in lacking if run.identity.get("code")}
    if not rest:
        return []
    found = []
    tasks = {run.task for run in rest.values()}
    for code, latest in store.latest_by("code")[:MOST]:
        if not rest or task_name_of(latest.config) not in tasks:
            continue
        before = {digest_of({**run.identity, "code": code}): digest for digest, run in rest.items()}
        there = store.status_of(before)
        if there:
            found.append(ChangedCode(len(there), _why(latest) or "the code has changed"))
        for digest in there:
            del rest[before[digest]]
    return found


def changed_under_their_version(held: Iterable[Run], store: Store) -> list[ChangedCode]:
    """Runs in the store whose code changed although the version that its author sets did not.

    Args:
        held: Runs with a record.
        store: Open.
    """
    by_hand = [run.digest for run in held if _is_set_by_hand(run)][:SOME]
    counts: dict[str, int] = {}
    for record in store.get(by_hand, curves=False).values():
        why = _why(record)
        if why is not None:
            counts[why] = counts.get(why, 0) + 1
    return [ChangedCode(count, why) for why, count in counts.items()]


def _is_set_by_hand(run: Run) -> bool:
    return "version" in (run.identity.get("code") or {})


def _why(record: Record) -> str | None:
    try:
        return find_task(task_name_of(record.config)).changed_code(record)
    except ConfigError:
        return None
