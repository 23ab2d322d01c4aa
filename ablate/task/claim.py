"""A sentence about levels that a study can support or refute: stated by its file, checked before it is trained."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal, get_args

from ablate.task.errors import ConfigError
from ablate.task.metric import Metric

Kind = Literal["better", "best_in", "equivalent", "monotone", "peaks_inside"]
Direction = Literal["rising", "falling"]

KINDS: tuple[str, ...] = get_args(Kind)

JOINED = " x "
"""Between the paths of the factors of a grid, whose combinations are the levels of one factor."""


@dataclass(frozen=True)
class Claim:
    """A sentence about levels that a study can support or refute.

    Kinds, with a level meaning its population mean over seeds and "better" following the metric's direction:

    - ``better``: the first of ``levels`` is better than the second, by more than ``margin``.
    - ``best_in``: the best of all levels of the factor (or of ``among``) is one of ``levels``; another level may be
      better by up to ``margin``.
    - ``equivalent``: all ``levels`` lie within ``margin`` of each other (``margin`` > 0).
    - ``monotone``: along ``levels`` the metric itself goes in ``direction``; a later level may fall back behind an
      earlier one by up to ``margin`` (``margin`` 0: every step must go the right way).
    - ``peaks_inside``: along ``among`` (default: all levels of the factor, in order) the metric gets better, then
      worse: the best lies in ``levels`` (default: all but the first and the last of ``among``), with levels on either
      side of them, which may be better by up to ``margin``.
    """

    id: str
    text: str
    """The sentence as its source prints it, or a faithful translation."""
    kind: Kind
    factor: str
    """Dotted path of the factor."""
    metric: str
    levels: tuple[Any, ...] = ()
    """Native values or labels."""
    among: tuple[Any, ...] = ()
    """``best_in`` and ``peaks_inside``: the levels competed against; empty: all levels of the factor."""
    direction: Direction = "rising"
    """``monotone`` only; of the metric itself (a loss that improves is falling)."""
    margin: float = 0.0
    """The margin is in the metric's unit and not negative."""
    over: tuple[str, ...] = ()
    """Dotted paths of the other factors of a grid, such as ``data``: the claim is that it holds at each of their
    levels."""


def parse_claim(mapping: Mapping[str, Any], metrics: Iterable[Metric] | None = None) -> Claim:
    """Validate a claim as a study file states it.

    Args:
        mapping: The fields of ``Claim`` as plain data; lists for tuples, a single level may stand alone.
        metrics: Those that it may be about; None: any name.

    Raises:
        ConfigError: Every problem found, with what is allowed.
    """
    place = f"claim {mapping.get('id', '?')!r}"
    values, problems = _checked(mapping, place)
    names = None if metrics is None else [metric.name for metric in metrics]
    if names is not None and "metric" in values and values["metric"] not in names:
        problems.append(f"{place}: metric = {values['metric']!r}: must be one of {', '.join(names)}")
    kind, margin = values.get("kind"), values.get("margin", 0.0)
    levels, among = values.get("levels", ()), values.get("among", ())
    if kind not in KINDS:
        problems.append(f"{place}: kind = {kind!r}: must be one of {', '.join(KINDS)}")
    if values.get("direction", "rising") not in get_args(Direction):
        problems.append(f"{place}: direction = {values['direction']!r}: must be rising or falling")
    elif "direction" in values and kind in KINDS and kind != "monotone":
        problems.append(f"{place}: direction: is of monotone claims only")
    if margin < 0 or (kind == "equivalent" and margin == 0):
        problems.append(f"{place}: margin = {margin:g}: must be {'above' if kind == 'equivalent' else 'at least'} 0")
    least = {"better": 2, "best_in": 1, "equivalent": 2, "monotone": 2}.get(str(kind), 0)
    if len(levels) < least or (kind == "better" and len(levels) != 2):
        wanted = "exactly" if kind == "better" else "at least"
        problems.append(f"{place}: levels = {list(levels)}: {kind} needs {wanted} {least}")
    if among and kind in KINDS and kind not in ("best_in", "peaks_inside"):
        problems.append(f"{place}: among: is of best_in and peaks_inside claims only")
    over = values.get("over", ())
    if any(not isinstance(path, str) or not path for path in over):
        problems.append(f"{place}: over = {list(over)}: must be paths of factors")
    elif values.get("factor") in over:
        problems.append(f"{place}: over = {list(over)}: must be other factors than that of the claim")
    for name, listed in (("levels", levels), ("among", among), ("over", over)):
        if _repeats(listed):
            problems.append(
                f"{place}: {name} = {list(listed)}: {'a factor' if name == 'over' else 'a level'} is listed twice"
            )
    if problems:
        raise ConfigError(problems)
    return Claim(**values)


def _repeats(levels: Sequence[Any]) -> bool:
    """Whether two levels are equal; those that are no plain values are compared one by one."""
    plain = {level for level in levels if isinstance(level, str | int | float)}
    others = [level for level in levels if not isinstance(level, str | int | float)]
    return len(plain) + len(others) < len(levels) or any(level in others[:at] for at, level in enumerate(others))


_TEXTS = ("id", "text", "kind", "factor", "metric", "direction")
_TUPLES = ("levels", "among", "over")


def _checked(mapping: Mapping[str, Any], place: str) -> tuple[dict[str, Any], list[str]]:
    """The mapping with its fields in their types, and the problems; a field with a problem is left out."""
    allowed = {field.name: field for field in fields(Claim)}
    problems = [
        f"{place}: {name}: is no field; allowed are {', '.join(allowed)}" for name in mapping if name not in allowed
    ]
    required = [name for name, field in allowed.items() if field.default is MISSING]
    problems += [f"{place}: {name}: is missing" for name in required if name not in mapping]
    values: dict[str, Any] = {}
    for name, value in mapping.items():
        if name in _TEXTS and not (isinstance(value, str) and value):
            problems.append(f"{place}: {name} = {value!r}: must be a text")
        elif name == "margin" and (
            isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)
        ):
            problems.append(f"{place}: {name} = {value!r}: must be a finite number")
        elif name in _TUPLES:
            values[name] = tuple(value) if isinstance(value, list | tuple) else (value,)
        elif name in allowed:
            values[name] = float(value) if name == "margin" else value
    return values, problems
