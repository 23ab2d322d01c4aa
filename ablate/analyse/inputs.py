"""What a study file states and the analysis checks: claims and published numbers, as frozen, validated values."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal, get_args

from ablate.analyse.errors import AnalysisError
from ablate.task.metric import Metric

Kind = Literal["better", "best_in", "equivalent", "monotone", "peaks_inside"]
Direction = Literal["rising", "falling"]

KINDS: tuple[str, ...] = get_args(Kind)


Metrics = Mapping[str, Metric] | Iterable[Metric]
"""Declared metrics: by name, or one after the other."""


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
    """In the metric's unit, >= 0."""


@dataclass(frozen=True)
class Published:
    """A number printed elsewhere, to hold ours against."""

    factor: str
    level: Any
    """Native value or label."""
    metric: str
    value: float
    repeats: int
    """Runs behind the printed mean, >= 1."""
    rounding: float = 0.0
    """Half a unit of the last printed digit (0.0005 for three decimals): widens the prediction interval."""


def parse_claim(mapping: Mapping[str, Any], metrics: Metrics | None = None) -> Claim:
    """Validate a claim as a study file states it.

    Args:
        mapping: the fields of ``Claim`` as plain data; lists for tuples, a single level may stand alone.
        metrics: those that it may be about; None: any name, which ``judge`` looks up.

    Raises:
        AnalysisError: every problem found, one line each, with what is allowed.
    """
    place = f"claim {mapping.get('id', '?')!r}"
    values, problems = _checked(Claim, mapping, place)
    if metrics is not None and isinstance(values.get("metric"), str) and values["metric"] not in by_name(metrics):
        problems.append(f"{place}: metric = {values['metric']!r}: must be one of {', '.join(by_name(metrics))}")
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
    for name, listed in (("levels", levels), ("among", among)):
        if any(level in listed[:index] for index, level in enumerate(listed)):
            problems.append(f"{place}: {name} = {list(listed)}: a level is listed twice")
    if problems:
        raise AnalysisError("\n".join(problems))
    return Claim(**values)


def parse_published(mapping: Mapping[str, Any]) -> Published:
    """Validate a published number as a study file states it.

    Raises:
        AnalysisError: every problem found, one line each.
    """
    place = f"published {mapping.get('metric', '?')} of {mapping.get('level', '?')}"
    values, problems = _checked(Published, mapping, place)
    repeats = values.get("repeats", 1)
    if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 1:
        problems.append(f"{place}: repeats = {repeats!r}: must be a whole number of at least 1")
    if values.get("rounding", 0.0) < 0:
        problems.append(f"{place}: rounding = {values['rounding']!r}: must be at least 0")
    if problems:
        raise AnalysisError("\n".join(problems))
    return Published(**values)


def by_name(metrics: Metrics) -> dict[str, Metric]:
    """Declared metrics by name, in order.

    Raises:
        AnalysisError: two different ones of one name.
    """
    found: dict[str, Metric] = {}
    for metric in metrics.values() if isinstance(metrics, Mapping) else metrics:
        if found.setdefault(metric.name, metric) != metric:
            raise AnalysisError(f"metric {metric.name!r} is declared twice, and not alike")
    return found


def find_metric(metrics: Metrics, name: str) -> Metric:
    """The declared metric of this name.

    Raises:
        AnalysisError: there is none; lists those there are.
    """
    declared = by_name(metrics)
    if name not in declared:
        raise AnalysisError(f"metric {name!r} is not declared; metrics are {', '.join(declared) or '(none)'}")
    return declared[name]


_TEXTS = ("id", "text", "kind", "factor", "metric", "direction")
_NUMBERS = ("margin", "value", "rounding")
_TUPLES = ("levels", "among")


def _checked(
    kind: type[Claim] | type[Published], mapping: Mapping[str, Any], place: str
) -> tuple[dict[str, Any], list[str]]:
    """The mapping with its fields in their types, and the problems; a field with a problem is left out."""
    allowed = {field.name: field for field in fields(kind)}
    problems = [
        f"{place}: {name}: is no field; allowed are {', '.join(allowed)}" for name in mapping if name not in allowed
    ]
    required = [name for name, field in allowed.items() if field.default is MISSING]
    problems += [f"{place}: {name}: is missing" for name in required if name not in mapping]
    values: dict[str, Any] = {}
    for name, value in mapping.items():
        if name in _TEXTS and not (isinstance(value, str) and value):
            problems.append(f"{place}: {name} = {value!r}: must be a text")
        elif name in _NUMBERS and (
            isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)
        ):
            problems.append(f"{place}: {name} = {value!r}: must be a finite number")
        elif name in _TUPLES:
            values[name] = tuple(value) if isinstance(value, list | tuple) else (value,)
        elif name in allowed:
            values[name] = float(value) if name in _NUMBERS else value
    return values, problems
