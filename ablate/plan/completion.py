"""Tab completion of overrides: keys of the configuration, of the study and of the launch settings, and their values."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ablate.plan.compose import option_names
from ablate.plan.launch import LAUNCH_KEYS
from ablate.plan.study_file import STUDY_KEYS
from ablate.task.errors import ConfigError
from ablate.task.finding import find_parts
from ablate.task.identity import flatten, lookup

DEVICES = ("auto", "cpu", "cuda")


def complete_override(incomplete: str, words: Sequence[str] = ()) -> list[str]:
    """What an override may become.

    Args:
        incomplete: What was typed of it.
        words: Those before it, which may name a study or a task.

    Returns:
        Candidates, each the whole word.
    """
    try:
        groups, values = option_names([word for word in words if word.startswith(("sweeps=", "task="))])
    except ConfigError:
        # What stands there is faulty already; running the command says how.
        groups, values = {}, {}
    plus = incomplete[: len(incomplete) - len(incomplete.lstrip("+~"))]
    key, has_value, start = incomplete.removeprefix(plus).partition("=")
    found = _values(key, groups, values) if has_value else _keys(key, groups, values)
    whole = [f"{key}={value}" for value in found if value.startswith(start)] if has_value else found
    return [plus + word for word in whole]


def _keys(start: str, groups: Mapping[str, Sequence[str]], values: Mapping[str, Any]) -> list[str]:
    """One step further: groups, settings and fields with ``=``, the path to deeper ones with ``.``."""
    paths = [*flatten(values), *(f"study.{key}" for key in STUDY_KEYS if key != "task")]
    found = {f"{name}=": None for name in (*groups, *LAUNCH_KEYS) if name.startswith(start)}
    for path in paths:
        if path.startswith(start):
            rest = path[len(start) :]
            head, dot, _ = rest.partition(".")
            found[f"{start}{head}{dot or '='}"] = None
    return list(found)


def _values(key: str, groups: Mapping[str, Sequence[str]], values: Mapping[str, Any]) -> Iterator[str]:
    if key in groups:
        yield from groups[key]
    elif key == "device":
        yield from DEVICES
    elif key == "executor":
        yield from (part.name for part in find_parts("executors"))
    else:
        try:
            value = lookup(values, key)
        except KeyError:
            return
        yield from ("true", "false") if isinstance(value, bool) else () if value is None else (str(value),)
