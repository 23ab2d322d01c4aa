"""Whole figures from single axes: one for each kind of metric, one legend, sized for one column."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablate.report import curves as curve_figures
from ablate.report import figure_style as look
from ablate.report import figures
from ablate.report.axis_limits import limits
from ablate.report.cost import against_cost
from ablate.report.factor_figures_data import Subject
from ablate.report.file_names import unique_names
from ablate.report.forest import forest, forest_height
from ablate.report.heat_map import heat_map, is_heat_map
from ablate.report.metric_axes import drawn, split_kinds
from ablate.report.summary import published_of
from ablate.report.view import StudyView
from ablate.task.metric import Metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


LEGENDS = {6: 6, 3: 14, 2: 40, 1: 1000}
"""Columns of a legend, and the longest name that they hold."""
MOST_PAGES = 4
"""Levels of a factor that sets how long runs are that get a figure of their own (the longest ones)."""
MOST_PANELS = 3
"""Kinds of metrics up to which bars are drawn side by side."""
MOST_BARS = 4
"""Kinds that are drawn as bars side by side; more of them, or long names, are drawn as rows."""
MOST_ROWS = 14
"""Levels up to which every metric gets its rows; of more, only the primary metric is drawn."""
NEAR = 3
"""Levels that must lie near each other to be worth a closer look."""


@dataclass(frozen=True)
class Drawing:
    """A finished figure."""

    name: str
    """The name of its file, without the ending."""
    factor: str
    """Path of the factor it is about; empty: the whole study."""
    title: str
    alt: str
    """What it shows, in words."""
    figure: "Figure"


Drawer = Callable[[], Drawing]
"""Draws one figure."""


def study_drawers(view: StudyView, levels: pd.DataFrame) -> list[Drawer]:
    """What draws the figures of a whole study: the forest plot, where there are several differences.

    Args:
        view: The study.
        levels: The levels from :func:`ablate.report.summary.summarise`.
    """
    return [partial(_forest, view, levels)] if has_forest(view, levels) else []


def factor_drawers(subject: Subject) -> list[Drawer]:
    """What draws the figures of a factor, levels before curves; they may be drawn one at a time, anywhere.

    Args:
        subject: The subject from :func:`ablate.report.factor_figures_data.subjects`.
    """
    drawers: list[Drawer] = [partial(_heat_map if is_heat_map(subject.factor) else _levels, subject)]
    if far_levels(subject):
        drawers.append(partial(_levels, subject, close=True))
    if subject.costs:
        drawers.append(partial(_against_costs, subject))
    return [*drawers, *_curves(subject)]


def has_forest(view: StudyView, levels: pd.DataFrame) -> bool:
    """Whether a study has several differences from a baseline to show."""
    own = levels[levels["metric"] == view.metric.name]
    return int(own["difference"].notna().sum()) > 1


def far_levels(subject: Subject) -> bool:
    """Whether some level of a factor on an axis lies so far off that the others need a closer look."""
    if not (subject.factor.ordered and len(subject.factor.levels) > NEAR):
        return False
    near = [_near(means)[1] for _, means in subject.levels.groupby("metric")["mean"]]
    return any(not one.all() and one.sum() >= NEAR for one in near)


def _near(values: "pd.Series[float]") -> "tuple[tuple[float, float], pd.Series[bool]]":
    low, high = limits(values)
    return (low, high), values.isna() | values.between(low, high)


def _levels(subject: Subject, *, close: bool = False) -> Drawing:
    """The levels of a factor in the form that suits them; ``close``: without those that lie far from the others."""
    factor = subject.factor
    names = [level.label for level in factor.levels]
    if factor.ordered and len(names) > 2:
        figure, handles = _lines(subject, close=close)
    elif len(names) > MOST_BARS or sum(map(len, names)) > 40 or len(split_kinds(subject.metrics)) > MOST_PANELS:
        figure, handles = _rows(subject)
    else:
        figure, handles = _bars(subject)
    handles += figures.legend_handles(
        published=bool(subject.levels["published"].notna().any()),
        lost=bool(figures.lost_runs(subject.levels, factor)),
    )
    figure.legend(handles=handles, loc="outside upper left", ncols=3, columnspacing=1.2)
    return Drawing(
        name=f"{subject.name}-levels{'-close' if close else ''}",
        factor=factor.path,
        title=f"{factor.title}: last {subject.step}" + (", closer (levels far off are cut)" if close else ""),
        alt=f"{_join(subject.metrics)} at {len(names)} levels of {factor.name}, {names[0]} to {names[-1]}; means with "
        "95 % intervals and single runs. The table holds the same numbers.",
        figure=figure,
    )


def _heat_map(subject: Subject) -> Drawing:
    factor = subject.factor
    upwards = len({repr(level.value[1]) for level in factor.levels})
    figure = _figure(0.75 + 0.3 * min(max(upwards, 3), 14))
    heat_map(subject.levels, factor, subject.metric, figure.subplots())
    return Drawing(
        name=f"{subject.name}-map",
        factor=factor.path,
        title=f"{subject.metric.title} (mean), last {subject.step}; the best is framed",
        alt=f"Heat map of mean {subject.metric.title} at {len(factor.levels)} combinations of {factor.name}; the best "
        "is framed. The table holds the same numbers.",
        figure=figure,
    )


def _lines(subject: Subject, *, close: bool) -> "tuple[Figure, list[Any]]":
    shown, looks = drawn(subject.metrics, subject.metric), look.strokes(subject.metrics)
    kinds = split_kinds(shown)
    figure = _figure(1.35 * len(kinds) + 0.75)
    axes = figure.subplots(len(kinds), 1, sharex=True, squeeze=False)[:, 0]
    for ax, metrics in zip(axes, kinds, strict=True):
        figures.lines(subject.levels, subject.runs, subject.factor, metrics, ax, looks)
        if close:
            _close_up(ax, subject.levels[subject.levels["metric"].isin([metric.name for metric in metrics])])
    for ax in axes[:-1]:
        ax.set_xlabel("")
    figures.mark_lost(axes[0], subject.levels, subject.factor)
    return figure, figures.metric_handles(shown, looks)


def _close_up(ax: "Axes", rows: pd.DataFrame) -> None:
    """Limit the axis to levels near the others, with their intervals and published numbers."""
    near = pd.concat([group[_near(group["mean"])[1]] for _, group in rows.groupby("metric")])
    shown = near[["mean", "interval_low", "interval_high", "published"]]
    low, high = shown.min().min(), shown.max().max()
    margin = 0.08 * (high - low) or 0.01
    ax.set_ylim(low - margin, high + margin)


def _rows(subject: Subject) -> "tuple[Figure, list[Any]]":
    count = len(subject.factor.levels)
    metrics = drawn(subject.metrics, subject.metric)[:MOST_ROWS] if count <= MOST_ROWS else (subject.metric,)
    looks = look.strokes(subject.metrics)
    figure = _figure(0.4 + len(metrics) * (0.5 + 0.14 * count))
    axes = figure.subplots(len(metrics), 1, squeeze=False)[:, 0]
    for ax, metric in zip(axes, metrics, strict=True):
        figures.rows(subject.levels, subject.runs, subject.factor, metric, ax, looks[metric.name])
    return figure, []


def _bars(subject: Subject) -> "tuple[Figure, list[Any]]":
    kinds = split_kinds(subject.metrics)
    figure = _figure(2.3)
    axes = figure.subplots(1, len(kinds), squeeze=False, width_ratios=[len(metrics) + 0.35 for metrics in kinds])[0]
    for ax, metrics in zip(axes, kinds, strict=True):
        figures.bars(subject.levels, subject.runs, subject.factor, metrics, ax)
    return figure, axes[0].get_legend_handles_labels()[0]


def _against_costs(subject: Subject) -> Drawing:
    rows = -(-len(subject.costs) // 2)
    figure = _figure(1.9 * rows + 0.5)
    axes = list(figure.subplots(rows, 2, squeeze=False, sharey=True).flat)
    for ax, cost in zip(axes, subject.costs, strict=False):
        against_cost(subject.levels, subject.runs, subject.factor, subject.metric, cost, ax)
    for ax in axes[1::2]:
        ax.set_ylabel("")
    for ax in axes[len(subject.costs) :]:
        ax.set_axis_off()
    handles, labels = axes[0].get_legend_handles_labels()
    columns = next(count for count, most in LEGENDS.items() if max(map(len, labels), default=0) <= most)
    figure.legend(handles, labels, loc="outside upper left", ncols=columns, columnspacing=1.2)
    names = _join(subject.costs)
    return Drawing(
        name=f"{subject.name}-cost",
        factor=subject.factor.path,
        title=f"{subject.factor.title}: {subject.metric.title} against cost",
        alt=f"{subject.metric.title} at the levels of {subject.factor.name} against {names[:1].lower()}{names[1:]}: "
        "means with 95 % intervals and single runs. The table holds the same numbers.",
        figure=figure,
    )


def _curves(subject: Subject) -> list[Drawer]:
    if subject.curves.empty:
        return []
    if sets_length(subject):
        complete = set(subject.runs.loc[subject.runs["status"] == "complete", "label"])
        names = unique_names([level.label for level in subject.factor.levels])
        longest = [level.label for level in subject.factor.levels[-MOST_PAGES:] if level.label in complete]
        return [partial(_metric_curves, subject, label, names[label]) for label in longest]
    return [partial(_level_curves, subject)] if subject.curves["step"].nunique() > 1 else []


def sets_length(subject: Subject) -> bool:
    """Whether the levels are how long runs are, so that their curves would lie upon each other."""
    last = subject.curves.groupby("digest")["step"].max()
    complete = subject.runs[subject.runs["status"] == "complete"]
    lengths = complete["digest"].map(last).groupby(complete["label"]).agg(["min", "max"]).dropna()
    alike = bool((lengths["min"] == lengths["max"]).all())
    return len(lengths) > 1 and alike and lengths["max"].nunique() == len(lengths)


def _level_curves(subject: Subject) -> Drawing:
    factor, metrics = subject.factor, drawn(subject.metrics, subject.metric)[: 2 * MOST_PANELS]
    if subject.metric not in metrics:
        metrics = (*metrics[:-1], subject.metric)
    figure = _figure(1.3 * len(metrics) + 0.5 + 0.14 * -(-min(len(factor.levels), curve_figures.MOST_NAMES) // 4))
    axes = figure.subplots(len(metrics), 1, sharex=True, squeeze=False)[:, 0]
    for ax, metric in zip(axes, metrics, strict=True):
        curve_figures.level_curves(subject.runs, subject.curves, factor, metric, ax, step=subject.step)
    for ax in axes[:-1]:
        ax.set_xlabel("")
    handles, labels = axes[-1].get_legend_handles_labels()
    columns = next(count for count, most in LEGENDS.items() if max(map(len, labels)) <= most)
    figure.legend(
        look.across(handles, columns),
        look.across(labels, columns),
        loc="outside upper left",
        ncols=columns,
        title=figures.cut(factor.axis, 48),
        columnspacing=1.2,
        alignment="left",
        title_fontsize=7,
    )
    return Drawing(
        name=f"{subject.name}-curves",
        factor=factor.path,
        title=f"{factor.title}: over the {subject.step}s",
        alt=f"{_join(metrics)} over the {subject.step}s, one line for each level of {factor.name}, mean over seeds. "
        "Every single run is in the section of curves.",
        figure=figure,
    )


def _metric_curves(subject: Subject, label: str, name: str) -> Drawing:
    factor, looks = subject.factor, look.strokes(subject.metrics)
    shown = drawn(subject.metrics, subject.metric)
    kinds = split_kinds(shown)
    published = published_of(factor, label)
    figure = _figure(1.35 * len(kinds) + 0.75)
    axes = figure.subplots(len(kinds), 1, sharex=True, squeeze=False)[:, 0]
    for ax, metrics in zip(axes, kinds, strict=True):
        curve_figures.metric_curves(
            *(subject.runs, subject.curves, factor, label, metrics, ax),
            published=published,
            looks=looks,
            step=subject.step,
        )
    for ax in axes[:-1]:
        ax.set_xlabel("")
    known = any(math.isfinite(published.get(metric.name, math.nan)) for metric in shown)
    handles = [
        *figures.metric_handles(shown, looks, markers=False),
        *figures.legend_handles(published=known, curves=True),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=3, columnspacing=1.2)
    return Drawing(
        name=f"{subject.name}-curves-{name}",
        factor=factor.path,
        title=f"{factor.title} {label}",
        alt=f"{_join(shown)} over the {subject.step}s at {factor.name} {label}: mean over seeds and every run.",
        figure=figure,
    )


def _forest(view: StudyView, levels: pd.DataFrame) -> Drawing:
    figure = _figure(forest_height(levels, view))
    forest(levels, view, view.metric, figure.subplots())
    return Drawing(
        name="forest",
        factor="",
        title=f"Difference from the baseline in {view.metric.title}",
        alt=f"Forest plot: for every level of {len(view.factors)} factors the paired difference from the baseline in "
        f"{view.metric.title} with its 95 % interval. The tables below hold the same numbers.",
        figure=figure,
    )


def _figure(height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(look.WIDTH, height), layout="constrained")


def _join(metrics: tuple[Metric, ...]) -> str:
    names = [metric.title for metric in metrics]
    text = ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]
    return text[:1].upper() + text[1:]
