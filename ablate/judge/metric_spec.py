"""A metric as a command line declares it: ``acc:max``, ``loss:min[0..]:nats``, ``metrics.val/f1:max[0..1]``."""

import math
import re

from ablate.task.errors import ConfigError
from ablate.task.metric import Metric, problem_of_name

_SPEC = re.compile(
    r"(?P<name>.+?):(?P<exact>exact-)?(?P<goal>max|min)(\[(?P<low>[^\]\[]*?)\.\.(?P<high>[^\]\[]*?)\])?(:(?P<unit>.+))?"
)


def parse_metric(text: str, place: str = "--metric ") -> Metric:
    """Turn a declaration into a metric.

    Args:
        text: ``NAME:max`` or ``NAME:min`` (``exact-max``, ``exact-min``: it follows from the setting, not from the
            seed), then where wanted ``[LOW..HIGH]`` (an end may be left out) and ``:UNIT``.
        place: Before the text in messages.

    Raises:
        ConfigError: It is no such declaration.
    """
    found = _SPEC.fullmatch(text)
    if found is None:
        raise ConfigError(
            f"{place}{text}: must say whether high or low is good, such as {text.partition(':')[0] or 'acc'}:max, "
            "with a range and a unit where wanted: acc:max[0..1], loss:min[0..]:nats"
        )
    low, high = (_end(text, found[end], place) for end in ("low", "high"))
    if low is not None and high is not None and low >= high:
        raise ConfigError(f"{place}{text}: the range must go from low to high")
    name = found["name"]
    problem = problem_of_name(name)
    if problem is not None:
        raise ConfigError(f"{place}{text}: {problem}; rename the column")
    return Metric(
        name=name,
        goal="max" if found["goal"] == "max" else "min",
        unit=found["unit"] or "",
        low=low,
        high=high,
        exact=found["exact"] is not None,
    )


def text_of(metric: Metric) -> str:
    """The declaration that :func:`parse_metric` turns into a metric of this name, goal, range, unit and exactness."""
    low, high = ("" if end is None else repr(end) for end in (metric.low, metric.high))
    span, unit = f"[{low}..{high}]" if low or high else "", f":{metric.unit}" if metric.unit else ""
    return f"{metric.name}:{'exact-' if metric.exact else ''}{metric.goal}{span}{unit}"


def _end(text: str, end: str | None, place: str) -> float | None:
    if not end:
        return None
    try:
        value = float(end)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigError(f"{place}{text}: {end!r} is no end of a range")
    return value
