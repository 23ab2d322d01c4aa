"""What tasks declare, as tables need it: metrics, the name of a step, the values that are set by default."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from ablate.task.errors import ConfigError
from ablate.task.finding import find_task
from ablate.task.identity import flatten
from ablate.task.metric import Metric
from ablate.task.searching import searching_of


def metrics_of(tasks: Iterable[str]) -> tuple[Metric, ...]:
    """Every metric of some tasks in their order; of two with the same name the first.

    Args:
        tasks: Names.

    Raises:
        ConfigError: There is no such task.
    """
    found: dict[str, Metric] = {}
    for task in dict.fromkeys(tasks):
        found = {**find_task(task).metrics, **found}
    return tuple(found.values())


def listed_metrics(tasks: Iterable[str]) -> tuple[Metric, ...]:
    """The metrics that studies of these tasks have where they name none, and the one that searches have.

    Tasks that are no longer there have none.
    """
    found: dict[str, Metric] = {}
    for name in dict.fromkeys(tasks):
        try:
            task = find_task(name)
        except ConfigError:
            continue
        names = dict.fromkeys([*task.default_metrics, searching_of(task).metric or task.default_metrics[-1]])
        found |= {metric: task.metrics[metric] for metric in names if metric not in found}
    return tuple(found.values())


def step_of(tasks: Iterable[str]) -> str:
    """What a step of these tasks is called; ``step`` where they do not agree.

    Raises:
        ConfigError: There is no such task.
    """
    names = {find_task(task).step for task in set(tasks)}
    return names.pop() if len(names) == 1 else "step"


@cache
def default_identity(task: str) -> dict[str, Any]:
    """The identity of a task's run where nothing is configured, by dotted path; empty where there is no such run."""
    try:
        found = find_task(task)
        return flatten(found.parse({**found.configuration.defaults, "seed": 0}).identity)
    except ConfigError:
        return {}
