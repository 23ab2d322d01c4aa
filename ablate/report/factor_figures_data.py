"""What the figures of a factor show and nothing else, so that studies with a factor in common share its figures."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from ablate.report.view import FactorView, StudyView

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
    metrics: tuple[str, ...]
    metric: str
    """The primary one."""
    levels: pd.DataFrame
    runs: pd.DataFrame
    curves: pd.DataFrame
    """Of complete runs, ordered by run and epoch."""

    @cached_property
    def key(self) -> str:
        """A digest of the content: of equal ones the same figures are drawn."""
        factor, published = self.factor, self.factor.published
        words = (factor.path, factor.levels, factor.label, factor.ordered, factor.unit, factor.scale)
        content = hashlib.sha256(repr((words, self.metrics, self.metric)).encode())
        for frame in (self.levels, self.runs, self.curves, pd.DataFrame() if published is None else published):
            content.update(frame.to_csv(index=False).encode())
        return content.hexdigest()


def subjects(view: StudyView, levels: pd.DataFrame, runs: pd.DataFrame, curves: pd.DataFrame) -> Iterator[Subject]:
    """The factors of a study that have runs, in its order.

    Args:
        view: The study.
        levels: From :func:`ablate.report.summary.summarise`.
        runs: The frame of runs.
        curves: The frame of curves.
    """
    curves = curves[["digest", "epoch", *view.metrics]].sort_values(["digest", "epoch"])
    for factor in view.factors:
        own = runs.loc[runs["factor"] == factor.path, [*RUNS, *view.metrics]]
        if own.empty:
            continue
        complete = own.loc[own["status"] == "complete", "digest"]
        yield Subject(
            *(factor, view.metrics, view.metric),
            levels=levels.loc[levels["factor"] == factor.path, list(LEVELS)],
            runs=own,
            curves=curves[curves["digest"].isin(complete)],
        )
