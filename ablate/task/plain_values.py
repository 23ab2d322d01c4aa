"""Nested plain values: what the settings of declared tasks are made of."""

import difflib
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ablate.task.errors import ConfigError
from ablate.task.identity import flatten


def unknown_fields(values: Mapping[str, Any], known: Mapping[str, Any]) -> list[str]:
    """One line for each field of ``values`` that is not among ``known``; an empty mapping there is open."""
    if not known:
        return []
    problems = []

    def walk(given: Mapping[str, Any], allowed: Mapping[str, Any], prefix: str) -> None:
        for key, value in given.items():
            path = f"{prefix}{key}"
            if key not in allowed:
                every = list(flatten(known))
                close = difflib.get_close_matches(path, every, 1)
                hint = f"; did you mean {close[0]}?" if close else f"; fields are {', '.join(every)}"
                problems.append(f"{path}: there is no such field{hint}")
            elif isinstance(allowed[key], Mapping) and allowed[key] and isinstance(value, Mapping):
                walk(value, allowed[key], f"{path}.")

    walk(values, known, "")
    return problems


def plain_values(values: Mapping[str, Any], prefix: str = "") -> tuple[dict[str, Any], list[str]]:
    """Nested values as JSON data, and what is none."""
    plain: dict[str, Any] = {}
    problems: list[str] = []
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            plain[str(key)], found = plain_values(value, f"{path}.")
            problems += found
        elif isinstance(value, list | tuple):
            inner, found = plain_values({str(at): entry for at, entry in enumerate(value)}, f"{path}.")
            plain[str(key)] = list(inner.values())
            problems += found
        elif value is None or isinstance(value, bool | int | str):
            plain[str(key)] = value
        elif isinstance(value, float) and math.isfinite(value):
            plain[str(key)] = value
        else:
            problems.append(f"{path} = {value!r}: must be a number, a text, true, false, null, a list or a mapping")
    return plain, problems


def as_default(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Whole numbers as floating-point ones where the default is one, so that 1 and 1.0 are the same level."""
    same: dict[str, Any] = {}
    for key, value in values.items():
        default = defaults.get(key)
        if isinstance(value, Mapping) and isinstance(default, Mapping):
            same[key] = as_default(value, default)
        elif isinstance(value, int) and not isinstance(value, bool) and isinstance(default, float):
            same[key] = float(value)
        else:
            same[key] = value
    return same


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values with those of another mapping over them."""
    both = dict(below)
    for key, value in above.items():
        old = both.get(key)
        both[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return both


_Loader: Any = type("_Loader", (yaml.SafeLoader,), {})
"""YAML in which ``1e-3`` is a number, as it is in study files."""

_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d[\d_]*\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+0123456789.")
)


def read_yaml(file: Path, name: str) -> dict[str, Any]:
    """Nested values of a YAML file.

    Args:
        file: Where it is.
        name: For messages.

    Raises:
        ConfigError: It cannot be read, or is no mapping.
    """
    try:
        values = yaml.load(file.read_text(encoding="utf-8"), _Loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"defaults = {name!r}: cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"defaults = {name!r}: the file must be a mapping of fields to values")
    return values
