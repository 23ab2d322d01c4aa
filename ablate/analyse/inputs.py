"""What the analysis is given beside the frame of runs: declared metrics and published numbers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ablate.analyse.errors import AnalysisError
from ablate.task.metric import Metric

Metrics = Mapping[str, Metric] | Iterable[Metric]
"""Declared metrics: by name, or one after the other."""


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
