"""Figures along steps: one metric of every level, or every metric of one level (the article's Figs. 10, 14, 15)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ablate.report.figure_style import INK, colors, strokes
from ablate.report.figures import cut
from ablate.report.metric_axes import axis_label
from ablate.report.view import FactorView
from ablate.task.metric import Metric
from ablate.task.printable import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ablate.report.figures import Looks

MOST_BANDS = 6
"""Levels up to which each line has its band; more of them would cover each other."""
MOST_NAMES = 18
"""Levels up to which each line is named in the legend; of more, only some are."""


def level_curves(
    runs: pd.DataFrame,
    curves: pd.DataFrame,
    factor: FactorView,
    metric: Metric,
    ax: "Axes | None" = None,
    *,
    step: str = "epoch",
) -> "Axes":
    """A line a level along the steps: the mean over the complete runs, with its 95 % interval while levels are few.

    Args:
        runs: The frame of runs.
        curves: The frame of curves.
        factor: The factor.
        metric: A column of ``curves`` by its name.
        ax: Where to draw; None: a new figure.
        step: What a step is called.

    Returns:
        The axes.
    """
    ax = _axes(ax)
    means = mean_curves(runs, curves, factor, [metric])
    marker = "o" if means["step"].nunique() == 1 else None
    labels = [level.label for level in factor.levels]
    every = -(-len(labels) // MOST_NAMES)
    for index, (label, color) in enumerate(zip(labels, colors(len(labels), ordered=factor.ordered), strict=True)):
        rows = means[means["label"] == label]
        if rows.empty:
            continue
        if len(labels) <= MOST_BANDS:
            ax.fill_between(rows["step"], rows["low"], rows["high"], color=color, alpha=0.18, linewidth=0)
        name = cut(label) if index % every == 0 else None
        ax.plot(rows["step"], rows["mean"], color=color, lw=1.0, marker=marker, label=name)
    _step_axis(ax, means, step)
    ax.set_ylabel(cut(f"{metric.title} ({metric.unit})" if metric.unit_after else metric.title))
    return ax


def metric_curves(
    runs: pd.DataFrame,
    curves: pd.DataFrame,
    factor: FactorView,
    label: str,
    metrics: Sequence[Metric],
    ax: "Axes | None" = None,
    *,
    published: Mapping[str, float] | None = None,
    looks: "Looks | None" = None,
    step: str = "epoch",
) -> "Axes":
    """A line a metric along the steps of one level, every run thin behind it.

    Args:
        runs: The frame of runs.
        curves: The frame of curves.
        factor: The factor.
        label: The label of the level.
        metrics: The metrics of one kind, as they share the axis.
        ax: Where to draw; None: a new figure.
        published: Published means after the last step by name of metric, drawn as crosses.
        looks: Strokes of the metrics; None: those of a study with these metrics alone.
        step: What a step is called.

    Returns:
        The axes.
    """
    ax, looks = _axes(ax), looks or strokes(metrics)
    runs = runs[runs["label"] == label]
    means = mean_curves(runs, curves, factor, metrics)
    single = _joined(runs, curves, factor, metrics)
    for metric in metrics:
        look = looks[metric.name]
        rows = means[means["metric"] == metric.name]
        for _, run in single.groupby("digest", sort=False):
            known = run[run[metric.name].notna()]
            ax.plot(known["step"], known[metric.name], color=look.color, lw=0.35, alpha=0.35, zorder=1)
        ax.fill_between(rows["step"], rows["low"], rows["high"], color=look.color, alpha=0.18, linewidth=0)
        title = printable(metric.title)
        ax.plot(rows["step"], rows["mean"], look.dash, color=look.color, label=title, zorder=3)
        value = (published or {}).get(metric.name, np.nan)
        if np.isfinite(value) and len(rows):
            ax.scatter(
                rows["step"].iloc[-1], value, s=16, marker="x", color=INK, linewidths=0.9, zorder=5, clip_on=False
            )
    _step_axis(ax, means, step)
    ax.set_ylabel(printable(axis_label(metrics)))
    return ax


def mean_curves(
    runs: pd.DataFrame, curves: pd.DataFrame, factor: FactorView, metrics: Sequence[Metric]
) -> pd.DataFrame:
    """Mean and 95 % interval over the complete runs of each level, metric and step, within the metric's range.

    Returns:
        Columns ``label``, ``metric`` (its name), ``step``, ``n``, ``mean``, ``low``, ``high``, ordered by step.
    """
    from ablate.analyse.curves import means

    names = [metric.name for metric in metrics]
    tall = _joined(runs, curves, factor, metrics).melt(["label", "step"], names, "metric").dropna(subset=["value"])
    parts = [means(tall[tall["metric"] == m.name], ["label", "metric", "step"], "value", m) for m in metrics]
    return pd.concat(parts, ignore_index=True)


def _joined(runs: pd.DataFrame, curves: pd.DataFrame, factor: FactorView, metrics: Sequence[Metric]) -> pd.DataFrame:
    of_factor = runs[(runs["factor"] == factor.path) & (runs["status"] == "complete")]
    own = curves.loc[curves["digest"].isin(of_factor["digest"]), ["digest", "step", *(m.name for m in metrics)]]
    # A notebook's curves have a run once for each factor that it belongs to.
    own = own.drop_duplicates(["digest", "step"])
    joined: pd.DataFrame = of_factor[["digest", "label", "seed"]].merge(own, on="digest")
    return joined.sort_values(["label", "seed", "step"])


def _axes(ax: "Axes | None") -> "Axes":
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots()[1]


def _step_axis(ax: "Axes", means: pd.DataFrame, step: str) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
    if len(means):
        first, last = means["step"].min(), means["step"].max()
        margin = max(0.15, 0.0015 * (last - first))
        low, high = first - margin, last + margin
        if not ax.get_autoscalex_on():  # a panel with which this one shares its axis has other steps
            low, high = min(low, ax.get_xlim()[0]), max(high, ax.get_xlim()[1])
        ax.set_xlim(low, high)
    ax.set_xlabel(cut(step))
