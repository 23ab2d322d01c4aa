"""Columns of records as tables: which there are, in which order, and what a cell says."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from ablate.store.tasks import Tasks
from ablate.task.identity import task_name_of
from ablate.task.plain_json import loads
from ablate.task.record import Record

FIRST_METRICS = ("train_loss", "train_acc", "val_loss", "val_acc", "test_loss", "test_acc")
"""Columns of records that name no task (the built-in one, older than tasks), whether measured or not."""

CONFIG, PROVENANCE = "config.", "provenance."
"""Beginnings of columns that come from nested mappings."""

KEPT = 20_000
"""Names and cells of which is known what they say: the records of a study have nearly all of them in common."""

_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What a spreadsheet may take for the beginning of a formula; the last four are the full-width forms."""
_ODD = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
"""Characters that files or their readers do not let through."""
_ESCAPED = re.compile(r"\\(u[0-9a-f]{4}|.)", re.DOTALL)
_PART = re.compile(r"(?:[^.\\]|\\.)*", re.DOTALL)


def is_older_than_tasks(records: Iterable[Record]) -> bool:
    """Whether no record names a task: their steps are epochs, their columns those of always."""
    return not any("task" in record.config for record in records)


def metric_names(records: Sequence[Record]) -> list[str]:
    """Metrics that have a column: what records that name no task always have, then the order of the tasks, then others.

    Args:
        records: Records of any tasks.
    """
    measured = dict.fromkeys(name for record in records for name in record.result.metrics)
    first = FIRST_METRICS if is_older_than_tasks(records) else ()
    tasks, one_each = Tasks(), {task_name_of(record.config): record.config for record in records}
    known = [task for identity in one_each.values() if (task := tasks.of(identity)) is not None]
    declared = [name for task in known for name in task.metrics if name in measured]
    return list(dict.fromkeys([*first, *declared, *measured]))


def flat(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    r"""Dotted paths to values; an empty mapping is a value.

    In a name, a dot or a backslash has a backslash before it, and a control character becomes ``\u`` and its number.
    """
    for name, value in nested.items():
        path = prefix + _escape(name)
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{path}.")
        else:
            yield path, value


def nested(paths: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """What :func:`flat` was given.

    Raises:
        ValueError: A path goes through a value.
    """
    found: dict[str, Any] = {}
    for path, value in paths:
        *parents, name = _parts(path)
        place = found
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise ValueError(f"{path}: {parent} is a value")
        place[name] = value
    return found


def cell(column: str, value: Any) -> str:
    """Plain text, but JSON where a reader would take it for something else, or a spreadsheet for a formula.

    Args:
        column: Its name; None in a group of columns is ``null``, and nothing elsewhere.
        value: JSON data.
    """
    if value is None:
        return "null" if column.startswith((CONFIG, PROVENANCE)) else ""
    if not isinstance(value, str):
        return json.dumps(value)
    must_be_quoted = value == "" or value.startswith(_FORMULA) or "\r" in value or _ODD.search(value)
    return json.dumps(value) if must_be_quoted or _is_json(value) else value


def value_of(text: str) -> Any:
    """What :func:`cell` was given."""
    if text.startswith(("[", "{")):  # may hold what a caller changes
        return loads(text) if _is_json(text) else text
    return _scalar(text)


@lru_cache(maxsize=KEPT)
def _scalar(text: str) -> Any:
    try:
        return loads(text)
    except ValueError:
        return text


@lru_cache(maxsize=KEPT)
def _escape(name: str) -> str:
    return _ODD.sub(lambda odd: f"\\u{ord(odd[0]):04x}", re.sub(r"([.\\])", r"\\\1", name))


@lru_cache(maxsize=KEPT)
def _parts(path: str) -> tuple[str, ...]:
    return tuple(_ESCAPED.sub(_plain, part) for part in _split(path))


def _plain(escaped: "re.Match[str]") -> str:
    return chr(int(escaped[1][1:], 16)) if len(escaped[1]) > 1 else escaped[1]


def _split(path: str) -> list[str]:
    parts, start = [], 0
    while True:
        found = _PART.match(path, start)
        assert found is not None
        parts.append(found.group())
        start = found.end() + 1
        if found.end() >= len(path):
            return parts


@lru_cache(maxsize=KEPT)
def _is_json(text: str) -> bool:
    try:
        loads(text)
    except ValueError:
        return False
    return True
