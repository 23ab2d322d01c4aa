"""Identities and their digests."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def digest_of(identity: Any) -> str:
    """SHA-256, in hex, of plain JSON data in canonical form (sorted keys, no blanks).

    Args:
        identity: Nested mappings, lists, texts, numbers, booleans and None.
    """
    return hashlib.sha256(json.dumps(identity, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def task_name_of(identity: Mapping[str, Any]) -> str:
    """The task that a record's identity names; those of the built-in task, older than tasks, name none."""
    return str(identity.get("task", "images"))


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as dotted paths to values; an empty mapping is a value."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def without(values: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Nested mappings less the value at a dotted path; the same where there is none."""
    rest = dict(values)
    first, _, further = path.partition(".")
    if not further:
        rest.pop(first, None)
    elif isinstance(rest.get(first), Mapping):
        rest[first] = without(rest[first], further)
    return rest


def lookup(values: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path of nested mappings.

    Raises:
        KeyError: There is none.
    """
    node: Any = values
    for part in path.split("."):
        if not isinstance(node, Mapping) or part not in node:
            raise KeyError(path)
        node = node[part]
    return node
