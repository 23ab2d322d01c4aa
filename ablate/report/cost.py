"""What a study's levels reach against what they cost: one panel a cost, a point a level."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ablate.report.figure_style import CARD, DARK, colors
from ablate.report.figures import cut
from ablate.report.metric_axes import axis_label, within
from ablate.report.view import FactorView, StudyView
from ablate.task.metric import Metric
from ablate.task.printable import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SECONDS = Metric("seconds", "min", "time of a run", "s", low=0.0, axis="time of a run", cost=True)
"""Measured of every run: training and evaluation, its share of a cohort."""


def costs_of(view: StudyView) -> tuple[Metric, ...]:
    """The costs that a study's figure has panels for; none where no metric of the study is a cost."""
    own = tuple(metric for metric in view.metrics if metric.cost)
    return (*own, SECONDS) if own and not view.metric.cost else ()


def against_cost(
    levels: pd.DataFrame,
    runs: pd.DataFrame,
    factor: FactorView,
    metric: Metric,
    cost: Metric,
    ax: "Axes | None" = None,
) -> "Axes":
    """A point a level: mean cost and mean of a metric with its 95 % interval; dots are single runs.

    Args:
        levels: As :func:`ablate.report.summary.summarise` returns it.
        runs: The frame of runs.
        factor: The factor.
        metric: What is reached.
        cost: A column of ``runs``.
        ax: Where to draw; None: a new figure.

    Returns:
        The axes, the cost's logarithmic where it spans a factor of ten or more.
    """
    from matplotlib.ticker import EngFormatter, FuncFormatter, NullFormatter

    if ax is None:
        from matplotlib import pyplot

        ax = pyplot.subplots()[1]
    rows = levels[(levels["factor"] == factor.path) & (levels["metric"] == metric.name)].set_index("label")
    means = list[float]()
    names = [level.label for level in factor.levels if level.label in rows.index]
    for name, color in zip(names, colors(len(names), ordered=False), strict=True):
        own = runs[(runs["factor"] == factor.path) & (runs["label"] == name) & (runs["status"] == "complete")]
        if own.empty:
            continue
        row, at = rows.loc[name], float(own[cost.name].mean())
        low, high = within(metric, [row["interval_low"], row["interval_high"]])
        ax.scatter(own[cost.name], own[metric.name], s=4, color=color, linewidths=0, alpha=0.6, zorder=3)
        if np.isfinite([low, high]).all():
            ax.plot([at, at], [low, high], color=DARK, lw=0.9, zorder=4)
        ax.plot(at, row["mean"], "o", ms=4.5, color=color, mec=CARD, mew=0.5, zorder=5, label=cut(name))
        means.append(at)
    positive = [value for value in means if value > 0]
    if positive and len(positive) == len(means) and max(positive) >= 10 * min(positive):
        ax.set_xscale("log")
        ax.xaxis.set_minor_formatter(NullFormatter())
    # 5k parameters, but 0.005 s: what has a unit takes no prefix, which would stand beside another.
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}") if cost.unit_after else EngFormatter(sep=""))
    ax.set_xlabel(printable(axis_label([cost])))
    ax.set_ylabel(printable(axis_label([metric])))
    return ax
