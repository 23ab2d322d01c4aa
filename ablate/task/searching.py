"""What a search has to know of a task beside its metrics; one that says nothing is searched by the defaults."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ablate.task.errors import ConfigError
from ablate.task.finding import find_task
from ablate.task.run import Run
from ablate.task.task import Task

Change = tuple[str, Any]
"""Dotted path and its value."""


def _as_it_is(metric: str) -> str:
    return metric


@dataclass(frozen=True)
class ProofProtocol:
    """One way in which what a search has found is trained again on fresh seeds."""

    name: str = "fresh_seeds"
    """The protocol's name in ``study.search.confirm.protocols``."""
    changes: tuple[Change, ...] = ()
    """Changes to the study's baseline."""
    metrics: tuple[str, ...] = ()
    """Metrics of the proof's tables; empty: those of the study, and the search's own."""
    suffix: str = ""
    """This follows the study's name where a search has several protocols."""
    judged: Callable[[str], str] = _as_it_is
    """The search's metric to the one that the claims of the proof are about."""
    as_searched: bool = True
    """Whether runs measure what those of the search do, so that values found and confirmed can be compared."""
    with_singles: bool = True
    """Whether the single changes of compared settings are trained, too, to see if they add up."""


def _nothing(path: str) -> str | None:
    return None


def _none(path: str) -> bool:
    return False


@dataclass(frozen=True)
class Searching:
    """How a task is searched."""

    changes: tuple[Change, ...] = ()
    """Changes that every run of a search has, such as a protocol under which the test set is not read."""
    protocols: tuple[ProofProtocol, ...] = field(default=(ProofProtocol(),))
    metric: str | None = None
    """The metric that is optimised where a study file names none; None: the task's main one."""
    cost: str = ""
    """What ``Run.samples`` counts: ``samples`` (training samples) or ``cost`` (the values of a declared field); empty:
    nothing but steps and runs."""
    alike: str | None = None
    """Field of a setting: values along the steps are compared between runs that have the same there; None: all are."""
    refused: Callable[[str], str | None] = _nothing
    """Why a path is not searched; None: it may be."""
    shapes: Callable[[str], bool] = _none
    """Whether settings that differ in a path cannot be trained as one cohort, where the task has cohorts."""
    remark: str = ""
    """A sentence on what the values of a search are measured on."""


def searching_of(task: Task) -> Searching:
    """What a task says of searches, in an attribute ``searching`` that it need not have."""
    found = getattr(task, "searching", None)
    return found if isinstance(found, Searching) else Searching()


def unit_of_work(runs: Iterable[Run]) -> str:
    """What ``Run.samples`` of some runs counts, for people: ``training samples``, ``epochs``, ``runs``.

    Args:
        runs: Runs of any tasks; ``units of work`` where these do not count alike.
    """
    units = {_unit(task, has_length) for task, has_length in {(run.task, run.length is not None) for run in runs}}
    return units.pop() if len(units) == 1 else "units of work"


def _unit(name: str, has_length: bool) -> str:
    try:
        task = find_task(name)
    except ConfigError:
        return "runs"
    counted = {"samples": "training samples", "cost": "units of cost"}.get(searching_of(task).cost)
    return counted or (f"{task.step}s" if has_length else "runs")
