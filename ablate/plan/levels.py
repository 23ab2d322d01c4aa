"""Levels of a factor as a study file or a command line writes them."""

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from functools import lru_cache
from typing import Any

from ablate.task.errors import ConfigError

MAX_LEVELS = 10_000
"""Most levels of a factor."""
SHOWN = 60
"""Characters of a value in a message."""

Levels = tuple[tuple[Any, ...], tuple[str, ...] | None]
"""Levels, and their names where they are mappings."""


def parse_levels(path: str, levels: Any, scalar: bool = False) -> Levels:
    """The levels of one factor.

    Args:
        path: The factor, for messages.
        levels: A list; or ``{start, stop, step}``, both ends included, in decimals; or a mapping of level names to
            ``{path: value}``.
        scalar: Whether a single value stands for a list of one (leave-one-out: the component switched off).

    Returns:
        The levels, and their names where they are mappings.

    Raises:
        ConfigError: Names the factor.
    """
    place = f"study.factors.{path}"
    if isinstance(levels, Mapping) and levels.keys() & {"start", "stop", "step"}:
        return _stepped(place, levels), None
    if isinstance(levels, Mapping):
        return _named(place, levels)
    if not isinstance(levels, list):
        if scalar and levels is not None:
            return (levels,), None
        hint = "; null as a level is [null]" if scalar else ""
        raise ConfigError(
            f"{place} = {_shown(levels)}: must be a list of levels, {{start, stop, step}} or named levels{hint}"
        )
    if not levels:
        raise ConfigError(f"{place}: has no levels")
    if len(levels) > MAX_LEVELS:
        raise ConfigError(f"{place}: has {len(levels):,} levels; at most {MAX_LEVELS:,}")
    problems = [
        f"{place} = {_shown(level)}: a level that sets several fields needs a name, {{NAME: {{path: value}}}}"
        for level in levels
        if _holds_mapping(level)
    ]
    if problems:
        raise ConfigError(problems)
    if len({repr(level) for level in levels}) < len(levels):
        raise ConfigError(f"{place} = {_shown(levels)}: a level is listed twice")
    return tuple(map(_frozen, levels)), None


def stepped(start: float, stop: float, step: float, *, closed: bool) -> tuple[Any, ...]:
    """Numbers from ``start`` in steps, in decimals: 0.3 and never 0.30000000000000004.

    Args:
        start: The first.
        stop: Not gone beyond.
        step: Not 0.
        closed: Whether ``stop`` itself may be reached.

    Returns:
        Integers where all three are.

    Raises:
        ConfigError: They are more than :data:`MAX_LEVELS`.
    """
    first, end, by = (Decimal(str(value)) for value in (start, stop, step))
    count = max(0, int((end - first) / by) + 1)
    if count and not closed and first + (count - 1) * by == end:
        count -= 1
    if count > MAX_LEVELS:
        raise ConfigError(f"makes {count:,} levels; at most {MAX_LEVELS}")
    kind = int if all(type(value) is int for value in (start, stop, step)) else float
    return tuple(kind(first + index * by) for index in range(count))


def named_as(value: Any, names: tuple[str, ...]) -> Any:
    """The name that a claim or a condition means, which is the text of the file: 5 is the level named ``5``.

    Args:
        value: As YAML or Hydra reads it.
        names: That there are.

    Returns:
        The name; the value itself where there is no such name, or there are several (``1e3`` beside ``1000.0``).
    """
    if isinstance(value, str) or not isinstance(value, bool | int | float | None):
        return value
    meant = _by_reading(names).get((type(value), str(value + 0.0) if isinstance(value, float) else value), [])
    exact = [name for name in meant if name == str(value)]
    return (exact or meant)[0] if len(exact or meant) == 1 else value


@lru_cache(maxsize=32)
def _by_reading(names: tuple[str, ...]) -> dict[tuple[type, Any], list[str]]:
    """Names by the values that they are read as, unquoted; floating-point ones as text, so that nan is itself."""
    found: dict[tuple[type, Any], list[str]] = {}
    for name in names:
        for reading in _readings(name.strip().lower()):
            found.setdefault((type(reading), str(reading) if isinstance(reading, float) else reading), []).append(name)
    return found


def _readings(text: str) -> Iterator[Any]:
    if text in ("null", "~", ""):
        yield None
    if text in ("true", "on", "yes", "y", "false", "off", "no", "n"):
        yield text in ("true", "on", "yes", "y")
    number = text.replace("_", "")
    with suppress(ValueError):
        yield int(number, 0)
    with suppress(ValueError):
        yield float(number.replace(".inf", "inf").replace(".nan", "nan")) + 0.0


def _named(place: str, levels: Mapping[Any, Any]) -> Levels:
    bad = [str(key) for key, value in levels.items() if not isinstance(value, Mapping)]
    if bad or not levels:
        raise ConfigError(f"{place}.{', '.join(bad)}: a named level maps paths to values, such as {{train.epochs: 5}}")
    # A file's names are text; a command line's may not be.
    strange = [key for key in levels if not isinstance(key, str) and type(key) is not int]
    if strange:
        raise ConfigError(f"{place}.{', '.join(map(str, strange))}: is no text here; take another name for the level")
    if len(levels) > MAX_LEVELS:
        raise ConfigError(f"{place}: has {len(levels):,} levels; at most {MAX_LEVELS:,}")
    sets = [{str(path): _frozen(value) for path, value in level.items()} for level in levels.values()]
    problems = [
        f"{place}.{name}: sets {a} and {b}, which is a part of it"
        for name, level in zip(levels, sets, strict=True)
        for a in level
        for b in level
        if b.startswith(f"{a}.") and not isinstance(level[a], str)
    ]
    if problems:
        raise ConfigError(problems)
    return tuple(sets), tuple(map(str, levels))


def _stepped(place: str, spec: Mapping[str, Any]) -> tuple[Any, ...]:
    numbers = [value for value in spec.values() if type(value) in (int, float) and math.isfinite(value)]
    if spec.keys() != {"start", "stop", "step"} or len(numbers) < 3:
        raise ConfigError(f"{place} = {_shown(dict(spec))}: needs exactly the numbers start, stop and step")
    if spec["step"] <= 0 or spec["stop"] < spec["start"]:
        raise ConfigError(f"{place} = {dict(spec)}: needs step above 0 and stop not below start")
    try:
        return stepped(spec["start"], spec["stop"], spec["step"], closed=True)
    except ConfigError as error:
        raise ConfigError(f"{place} = {dict(spec)}: {error}") from None


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def _holds_mapping(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list | tuple) and any(map(_holds_mapping, value)))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
