"""Figures over the levels of a factor: lines (the article's Figs. 11, 13, 20), pairs of bars (17, 19, 21), rows.

Each function draws on one ``Axes`` and returns it, so that it serves in a notebook. Lines and bars are means over the
complete runs, bands and whiskers the 95 % interval, dots the single runs, crosses the published numbers.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ablate.report.figure_style import CARD, DARK, INK, MUTED, VERMILION, Stroke, colors, lighter, strokes
from ablate.report.metric_axes import axis_label, within
from ablate.report.view import FactorView
from ablate.task.metric import Metric
from ablate.task.numbers import MINUS
from ablate.task.printable import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes


Looks = Mapping[str, Stroke]
"""Strokes of metrics by name."""


def lines(
    levels: pd.DataFrame,
    runs: pd.DataFrame,
    factor: FactorView,
    metrics: Sequence[Metric],
    ax: "Axes | None" = None,
    looks: Looks | None = None,
) -> "Axes":
    """A line a metric over the levels of an ordered factor.

    Args:
        levels: As :func:`ablate.report.summary.summarise` returns it.
        runs: The frame of runs.
        factor: The factor.
        metrics: The metrics of one kind, as they share the axis.
        ax: Where to draw; None: a new figure.
        looks: Strokes of the metrics; None: those of a study with these metrics alone.

    Returns:
        The axes.
    """
    ax = _axes(ax)
    levels = levels[levels["factor"] == factor.path]
    place = positions(factor)
    looks = looks or strokes(metrics)
    for metric in metrics:
        rows = levels[levels["metric"] == metric.name]
        look = looks[metric.name]
        x = np.array([place[label] for label in rows["label"]])
        _dots(ax, runs, factor, metric.name, place, look.color)
        low, high = (within(metric, rows[end]) for end in ("interval_low", "interval_high"))
        ax.fill_between(x, low, high, color=look.color, alpha=0.18, linewidth=0, zorder=2)
        ax.plot(
            x,
            rows["mean"],
            look.dash,
            color=look.color,
            marker=look.marker,
            markeredgecolor=CARD,
            markeredgewidth=0.5,
            zorder=4,
            label=printable(metric.title),
        )
        _crosses(ax, x, rows["published"].to_numpy(dtype=float))
    _level_axis(ax, factor, place)
    ax.set_ylabel(printable(axis_label(metrics)))
    return ax


def bars(
    levels: pd.DataFrame, runs: pd.DataFrame, factor: FactorView, metrics: Sequence[Metric], ax: "Axes | None" = None
) -> "Axes":
    """Bars of the levels side by side, a group a metric. Arguments as of :func:`lines`."""
    ax = _axes(ax)
    levels = levels[levels["factor"] == factor.path]
    labels, names = [level.label for level in factor.levels], [metric.name for metric in metrics]
    lost = lost_runs(levels, factor)
    width = 0.84 / max(len(labels), 1)
    for position, (label, color) in enumerate(zip(labels, colors(len(labels), ordered=False), strict=True)):
        rows = levels[levels["label"] == label].set_index("metric").reindex(names)
        x = np.arange(len(metrics)) - 0.42 + width * (position + 0.5)
        mean = rows["mean"].to_numpy(dtype=float)
        name = f"{cut(label)} ({MINUS}{lost[label]})" if label in lost else cut(label)
        ax.bar(x, mean, width * 0.92, color=lighter(color), linewidth=0, label=name, zorder=2)
        for at, y, ends, metric in zip(x, mean, _ends(rows), metrics, strict=True):
            low, high = within(metric, ends)
            whisker = np.array([max(y - low, 0.0), max(high - y, 0.0)])
            if np.isfinite(ends).all() and np.isfinite(y):
                ax.errorbar(at, y, whisker[:, None], fmt="none", ecolor=DARK, elinewidth=0.9, capsize=1.8, zorder=4)
        for at, metric in zip(x, metrics, strict=True):
            values = _complete(runs, factor, metric.name, label)
            spread = np.linspace(-0.36, -0.1, len(values)) * width if len(values) > 1 else [-0.2 * width] * len(values)
            ax.scatter(at + np.asarray(spread), values, s=3, color=color, linewidths=0, zorder=3)
        _crosses(ax, x + 0.27 * width, rows["published"].to_numpy(dtype=float), DARK)
    ax.set_xticks(np.arange(len(metrics)), [printable(metric.title) for metric in metrics])
    ax.tick_params(axis="x", length=0)
    ax.set_xlim(-0.5, len(metrics) - 0.5)
    if ax.get_ylim()[0] < 0 <= _least(levels, runs, factor, names):
        ax.set_ylim(bottom=0)
    ax.set_ylabel(printable(axis_label(metrics)))
    return ax


def _ends(rows: pd.DataFrame) -> np.ndarray:
    ends: np.ndarray = rows[["interval_low", "interval_high"]].to_numpy(dtype=float)
    return ends


def _least(levels: pd.DataFrame, runs: pd.DataFrame, factor: FactorView, names: Sequence[str]) -> float:
    """The lowest value that bars of these metrics show; 0 where they show none."""
    shown = levels[levels["metric"].isin(names)][["mean", "published"]].min().min()
    single = runs[(runs["factor"] == factor.path) & (runs["status"] == "complete")][list(names)].min().min()
    return float(np.nanmin([0.0, shown, single]))


def rows(
    levels: pd.DataFrame,
    runs: pd.DataFrame,
    factor: FactorView,
    metric: Metric,
    ax: "Axes | None" = None,
    look: Stroke | None = None,
) -> "Axes":
    """A row a level, for many kinds or long names: mean and whisker, dots and cross. Arguments as of :func:`lines`."""
    from matplotlib.ticker import MaxNLocator

    ax = _axes(ax)
    shown = levels[(levels["factor"] == factor.path) & (levels["metric"] == metric.name)].set_index("label")
    look = look or strokes([metric])[metric.name]
    color = look.color
    for y, level in enumerate(factor.levels):
        if level.label not in shown.index:
            continue
        values = _complete(runs, factor, metric.name, level.label)
        ax.scatter(values, np.full(len(values), y), s=3, color=color, alpha=0.45, linewidths=0, zorder=3)
        row = shown.loc[level.label]
        ends = within(metric, [row["interval_low"], row["interval_high"]])
        ax.plot(ends, [y, y], color=color, lw=1.6, solid_capstyle="butt", zorder=2)
        ax.plot(row["mean"], y, look.marker, color=color, markeredgecolor=CARD, markeredgewidth=0.5, zorder=4)
        if np.isfinite(row["published"]):
            ax.scatter(row["published"], y, s=16, marker="x", color=INK, linewidths=0.9, zorder=5)
    lost = lost_runs(levels, factor)
    names = [
        cut(level.label) + (f" ({MINUS}{lost[level.label]})" if level.label in lost else "") for level in factor.levels
    ]
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.grid(visible=True, axis="x")
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.set_xlabel(printable(metric.title))
    return ax


def positions(factor: FactorView) -> dict[str, float]:
    """Where a level lies on its axis: its value on a numeric axis, else its place in the study."""
    if scale(factor) == "places":
        return {level.label: float(i) for i, level in enumerate(factor.levels)}
    return {level.label: float(level.value) for level in factor.levels}


def scale(factor: FactorView) -> str:
    """``linear``, ``log2``, ``log10``, or ``places`` for levels that are no numbers."""
    values = [level.value for level in factor.levels]
    numeric = all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in values)
    if not factor.ordered or not numeric or len(set(values)) < len(values):
        return "places"
    positive = min(values) > 0
    if factor.scale != "auto":
        return factor.scale if positive or factor.scale == "linear" else "linear"
    if (
        positive
        and len(values) > 2
        and all(math.log2(v).is_integer() for v in values)
        and max(values) >= 16 * min(values)
    ):
        return "log2"
    return "log10" if positive and len(values) > 2 and _steps_by_factors(sorted(values)) else "linear"


def _steps_by_factors(values: Sequence[float]) -> bool:
    """Whether levels over a decade or more lie more evenly on a logarithmic axis than on a linear one."""
    linear, logarithmic = (np.diff(v) for v in (np.asarray(values, dtype=float), np.log(values)))
    evener = logarithmic.std() / logarithmic.mean() < linear.std() / linear.mean()
    return values[-1] >= 9.99 * values[0] and bool(evener)


def _axes(ax: "Axes | None") -> "Axes":
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots()[1]


def _level_axis(ax: "Axes", factor: FactorView, place: dict[str, float]) -> None:
    """Scale, ticks at levels (as many as fit) and name of the axis of levels."""
    from matplotlib.ticker import NullLocator

    how = scale(factor)
    if how == "log2":
        ax.set_xscale("log", base=2)
    elif how == "log10":
        ax.set_xscale("log")
    labels = list(place)
    step = math.ceil(sum(len(cut(label)) + 1.5 for label in labels) / 44)
    shown = labels[::step]
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks([place[label] for label in shown], [cut(label) for label in shown])
    ax.set_xlabel(cut(factor.axis, 48))
    if how in ("linear", "places"):
        ends = (min(place.values()), max(place.values()))
        margin = 0.04 * (ends[1] - ends[0]) or 0.5
        ax.set_xlim(ends[0] - margin, ends[1] + margin)


def cut(text: str, most: int = 26) -> str:
    """A name that leaves room for the figure; the table has all of it."""
    text = printable(text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _complete(runs: pd.DataFrame, factor: FactorView, metric: str, label: str) -> np.ndarray:
    """Finite values of a metric over the complete runs of a level, ordered by seed."""
    rows = runs[(runs["factor"] == factor.path) & (runs["label"] == label) & (runs["status"] == "complete")]
    values: np.ndarray = rows.sort_values("seed")[metric].to_numpy(dtype=float)
    finite: np.ndarray = values[np.isfinite(values)]
    return finite


def _dots(ax: "Axes", runs: pd.DataFrame, factor: FactorView, metric: str, place: dict[str, float], color: str) -> None:
    """The complete runs of all levels at once: a collection a level takes most of the time of a figure."""
    rows = runs[(runs["factor"] == factor.path) & (runs["status"] == "complete") & runs["label"].isin(list(place))]
    order = {label: index for index, label in enumerate(place)}
    rows = rows.assign(order=rows["label"].map(order)).sort_values(["order", "seed"])
    x, y = rows["label"].map(place).to_numpy(dtype=float), rows[metric].to_numpy(dtype=float)
    known = np.isfinite(y)
    ax.scatter(x[known], y[known], s=3, color=color, alpha=0.45, linewidths=0, zorder=3)


def _crosses(ax: "Axes", x: np.ndarray, published: np.ndarray, color: str = INK) -> None:
    known = np.isfinite(published)
    if known.any():
        ax.scatter(x[known], published[known], s=16, marker="x", color=color, linewidths=0.9, zorder=5)


def mark_lost(ax: "Axes", levels: pd.DataFrame, factor: FactorView) -> None:
    """Above the axes, say at each level how many of its runs are not in its mean."""
    place = positions(factor)
    for label, lost in lost_runs(levels, factor).items():
        ax.annotate(
            f"{MINUS}{lost}",
            (place[label], 1.0),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="bottom",
            fontsize=6,
            color=VERMILION,
            annotation_clip=False,
        )


def lost_runs(levels: pd.DataFrame, factor: FactorView) -> dict[str, int]:
    """Runs of each level that diverged, failed or are missing, where there are any."""
    rows = levels[levels["factor"] == factor.path].drop_duplicates("label")
    counts = rows.set_index("label")[["diverged", "failed", "missing"]].sum(axis=1)
    return {str(label): int(count) for label, count in counts.items() if count}


def metric_handles(metrics: Sequence[Metric], looks: Looks, *, markers: bool = True) -> list[Any]:
    """Legend entries of the series of a figure of lines, with or without their markers."""
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], color=look.color, marker=look.marker if markers else "", ls=look.dash, label=cut(metric.title))
        for metric, look in ((metric, looks[metric.name]) for metric in metrics)
    ]


def legend_handles(*, published: bool, lost: bool = False, curves: bool = False) -> list[Any]:
    """Legend entries of the marks that all figures share.

    Args:
        published: Whether there are crosses.
        lost: Whether numbers of lost runs are printed.
        curves: Whether a run is a thin line rather than a dot.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [
        Patch(color=MUTED, alpha=0.3, linewidth=0, label="95 % interval"),
        Line2D([], [], color=MUTED, lw=0.5, label="a run")
        if curves
        else Line2D([], [], color=MUTED, marker="o", markersize=2, ls="", label="a run"),
    ]
    if published:
        handles.append(Line2D([], [], color=INK, marker="x", markersize=4, ls="", label="published"))
    if lost:
        handles.append(Line2D([], [], ls="", label=f"{MINUS}n: lost runs"))
    return handles
