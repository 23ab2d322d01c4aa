"""Metrics on axes: which share one, what it is called, and how far it can reach."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ablate.task.metric import Metric

MOST_AXES = 8
"""Kinds of metrics that a figure has axes for; the tables hold all."""


def split_kinds(metrics: Sequence[Metric]) -> list[list[Metric]]:
    """Metrics that share an axis together, kinds and metrics in the order given."""
    kinds: dict[str, list[Metric]] = {}
    for metric in metrics:
        kinds.setdefault(metric.kind, []).append(metric)
    return list(kinds.values())


def drawn(metrics: Sequence[Metric], primary: Metric, most: int = MOST_AXES) -> tuple[Metric, ...]:
    """The metrics of the first ``most`` kinds, the primary metric's among them.

    Args:
        metrics: The metrics of a study, in its order.
        primary: One of them.
        most: Axes of a figure, at least 1.
    """
    kinds = list(dict.fromkeys(metric.kind for metric in metrics))
    kept = {primary.kind, *[kind for kind in kinds if kind != primary.kind][: most - 1]}
    return tuple(metric for metric in metrics if metric.kind in kept)


def axis_label(metrics: Sequence[Metric]) -> str:
    """What is written at an axis that metrics of one kind share."""
    labels = list(dict.fromkeys(metric.axis_label for metric in metrics))
    if len(labels) == 1:
        return labels[0]
    units = {metric.unit for metric in metrics}
    return units.pop() if len(units) == 1 else ""


def within(metric: Metric, values: ArrayLike) -> NDArray[np.float64]:
    """Values, or ends of intervals, cut to what the metric can be at all; NaN stays.

    Args:
        metric: The metric with its range.
        values: Any shape.
    """
    return np.asarray(np.clip(np.asarray(values, dtype=np.float64), *_bounds(metric)), dtype=np.float64)


def within_difference(metric: Metric, values: ArrayLike) -> NDArray[np.float64]:
    """Differences, or ends of their intervals, cut to what two values of the metric can differ by; NaN stays."""
    low, high = _bounds(metric)
    return np.asarray(np.clip(np.asarray(values, dtype=np.float64), low - high, high - low), dtype=np.float64)


def _bounds(metric: Metric) -> tuple[Any, Any]:
    return (-np.inf if metric.low is None else metric.low, np.inf if metric.high is None else metric.high)
