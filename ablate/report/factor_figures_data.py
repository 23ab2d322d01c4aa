"""What the figures of a factor show and nothing else, so that studies with a factor in common share its figures."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from ablate.report.cost import costs_of
from ablate.report.file_names import unique_names
from ablate.report.view import FactorView, StudyView
from ablate.task.metric import Metric

LEVELS = (
    *("factor", "label", "metric", "mean", "interval_low", "interval_high", "published"),
    *("diverged", "failed", "missing"),
)
"""Columns of the summary that figures of a factor read: none that depends on the other factors of the study."""
RUNS = ("factor", "label", "seed", "digest", "status")
"""Columns of the frame of runs that they read, beside the metrics."""


@dataclass(frozen=True)
class Subject:
    """All that the figures of one factor are drawn from."""

    factor: FactorView
    name: str
    """The name of the factor in names of files: unlike that of every other factor of the study."""
    metrics: tuple[Metric, ...]
    metric: Metric
    """The primary one."""
    step: str
    """What a step is called."""
    levels: pd.DataFrame
    runs: pd.DataFrame
    curves: pd.DataFrame
    """The curves of complete runs, ordered by run and step."""
    costs: tuple[Metric, ...] = ()
    """What the primary metric is drawn against, not among ``metrics``."""

    @cached_property
    def key(self) -> str:
        """A digest of the content: of equal ones the same figures are drawn."""
        factor, published = self.factor, self.factor.published
        words = (factor.path, self.name, factor.levels, factor.label, factor.ordered, factor.unit, factor.scale)
        content = hashlib.sha256(repr((words, self.metrics, self.costs, self.metric, self.step)).encode())
        for frame in (self.levels, self.runs, self.curves, pd.DataFrame() if published is None else published):
            content.update(frame.to_csv(index=False).encode())
        return content.hexdigest()


def subjects(view: StudyView, levels: pd.DataFrame, runs: pd.DataFrame, curves: pd.DataFrame) -> Iterator[Subject]:
    """The factors of a study that have runs, in its order.

    Args:
        view: The study.
        levels: The levels from :func:`ablate.report.summary.summarise`.
        runs: The frame of runs.
        curves: The frame of curves.
    """
    curves = curves[["digest", "step", *view.names]].sort_values(["digest", "step"])
    names, costs = unique_names([factor.path for factor in view.factors]), costs_of(view)
    metrics = tuple(metric for metric in view.metrics if metric not in costs)
    columns = [*RUNS, *view.names, *(metric.name for metric in costs if metric.name not in view.names)]
    for factor in view.factors:
        own = runs.loc[runs["factor"] == factor.path, columns]
        if own.empty:
            continue
        complete = own.loc[own["status"] == "complete", "digest"]
        yield Subject(
            *(factor, names[factor.path], metrics, view.metric, view.step),
            levels=levels.loc[levels["factor"] == factor.path, list(LEVELS)],
            runs=own,
            curves=curves[curves["digest"].isin(complete)],
            costs=costs,
        )
