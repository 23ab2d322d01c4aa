"""Figures over epochs: one metric of every level, or every metric of one level (the article's Figs. 10, 14, 15)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ablate.report.figure_style import INK, colors, stroke
from ablate.report.view import FactorView, metric_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_BANDS = 6
"""Levels up to which each line has its band; more of them would cover each other."""
MOST_NAMES = 18
"""Levels up to which each line is named in the legend; of more, only some are."""


def level_curves(
    runs: pd.DataFrame, curves: pd.DataFrame, factor: FactorView, metric: str, ax: "Axes | None" = None
) -> "Axes":
    """A line a level over the epochs: the mean over the complete runs, with its 95 % interval while levels are few.

    Args:
        runs: The frame of runs.
        curves: The frame of curves.
        factor: The factor.
        metric: A column of ``curves``.
        ax: Where to draw; None: a new figure.

    Returns:
        The axes.
    """
    from ablate.report.figures import cut

    ax = _axes(ax)
    means = mean_curves(runs, curves, factor, [metric])
    labels = [level.label for level in factor.levels]
    step = -(-len(labels) // MOST_NAMES)
    for index, (label, color) in enumerate(zip(labels, colors(len(labels), ordered=factor.ordered), strict=True)):
        rows = means[means["label"] == label]
        if rows.empty:
            continue
        if len(labels) <= MOST_BANDS:
            ax.fill_between(rows["epoch"], rows["low"], rows["high"], color=color, alpha=0.18, linewidth=0)
        ax.plot(rows["epoch"], rows["mean"], color=color, lw=1.0, label=cut(label) if index % step == 0 else None)
    _epoch_axis(ax, means)
    ax.set_ylabel(metric_name(metric))
    return ax


def metric_curves(
    runs: pd.DataFrame,
    curves: pd.DataFrame,
    factor: FactorView,
    label: str,
    metrics: Sequence[str],
    ax: "Axes | None" = None,
    *,
    published: Mapping[str, float] | None = None,
) -> "Axes":
    """A line a metric over the epochs of one level, every run thin behind it.

    Args:
        runs: The frame of runs.
        curves: The frame of curves.
        factor: The factor.
        label: Of the level.
        metrics: Of one kind, as they share the axis.
        ax: Where to draw; None: a new figure.
        published: Published means after the last epoch, drawn as crosses.

    Returns:
        The axes.
    """
    from ablate.report.figures import kind

    ax = _axes(ax)
    means = mean_curves(runs, curves, factor, metrics)
    means = means[means["label"] == label]
    single = _joined(runs, curves, factor)
    single = single[single["label"] == label]
    for index, metric in enumerate(metrics):
        look = stroke(metric, index)
        rows = means[means["metric"] == metric]
        for _, run in single.groupby("digest", sort=False):
            ax.plot(run["epoch"], run[metric], color=look.color, lw=0.35, alpha=0.35, zorder=1)
        ax.fill_between(rows["epoch"], rows["low"], rows["high"], color=look.color, alpha=0.18, linewidth=0)
        ax.plot(rows["epoch"], rows["mean"], look.dash, color=look.color, label=metric_name(metric), zorder=3)
        value = (published or {}).get(metric, np.nan)
        if np.isfinite(value) and len(rows):
            ax.scatter(
                rows["epoch"].iloc[-1], value, s=16, marker="x", color=INK, linewidths=0.9, zorder=5, clip_on=False
            )
    _epoch_axis(ax, means)
    ax.set_ylabel(kind(metrics))
    return ax


def mean_curves(runs: pd.DataFrame, curves: pd.DataFrame, factor: FactorView, metrics: Sequence[str]) -> pd.DataFrame:
    """Mean and 95 % interval over the complete runs of each level, metric and epoch.

    Returns:
        Columns ``label``, ``metric``, ``epoch``, ``n``, ``mean``, ``low``, ``high``, ordered by epoch.
    """
    from ablate.analyse.curves import means

    tall = _joined(runs, curves, factor).melt(["label", "epoch"], list(metrics), "metric").dropna(subset=["value"])
    return means(tall, ["label", "metric", "epoch"], "value")


def _joined(runs: pd.DataFrame, curves: pd.DataFrame, factor: FactorView) -> pd.DataFrame:
    of_factor = runs[(runs["factor"] == factor.path) & (runs["status"] == "complete")]
    joined: pd.DataFrame = of_factor[["digest", "label", "seed"]].merge(curves, on="digest")
    return joined.sort_values(["label", "seed", "epoch"])


def _axes(ax: "Axes | None") -> "Axes":
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots()[1]


def _epoch_axis(ax: "Axes", means: pd.DataFrame) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    if len(means):
        ax.set_xlim(means["epoch"].min() - 0.15, means["epoch"].max() + 0.15)
    ax.set_xlabel("epoch")
