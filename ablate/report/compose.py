"""Whole figures from single axes: losses above accuracies, one legend, sized for one column."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablate.report import curves as curve_figures
from ablate.report import figures, look
from ablate.report.forest import forest, forest_height
from ablate.report.limits import limits
from ablate.report.summary import published_of
from ablate.report.view import FactorView, StudyView, metric_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


LEGENDS = {6: 6, 3: 14, 2: 40, 1: 1000}
"""Columns of a legend, and the longest name that they hold."""
MOST_PAGES = 4
"""Levels of a study of epochs that get a figure of their own (the longest ones)."""


MOST_BARS = 4
"""Kinds that are drawn as bars side by side; more of them, or long names, are drawn as rows."""
MOST_ROWS = 14
"""Levels up to which every metric gets its rows; of more, only the primary metric is drawn."""


@dataclass(frozen=True)
class Drawing:
    """A finished figure."""

    name: str
    """Of its file, without the ending."""
    factor: str
    """Path of the factor it is about; empty: the whole study."""
    title: str
    alt: str
    """What it shows, in words."""
    figure: "Figure"


def drawings(view: StudyView, levels: pd.DataFrame, runs: pd.DataFrame, curves: pd.DataFrame) -> Iterator[Drawing]:
    """All figures of a study, one after the other (so that only one is held at a time).

    Args:
        view: The study.
        levels: From :func:`ablate.report.summary.summarise`.
        runs: The frame of runs.
        curves: The frame of curves.

    Yields:
        The forest plot first where there are several factors; then for each factor its levels and its curves.
    """
    with look.styled():
        if has_forest(view, levels):
            yield _forest(view, levels)
        for factor in view.factors:
            if not (runs["factor"] == factor.path).any():
                continue
            yield _levels(view, factor, levels, runs)
            if _far_levels(factor, levels):
                yield _levels(view, factor, levels, runs, close=True)
            yield from _curves(view, factor, runs, curves)


def has_forest(view: StudyView, levels: pd.DataFrame) -> bool:
    """Whether a study has several factors (or combinations of them) and a difference to show."""
    combined = view.design != "one-at-a-time" and len(levels["label"].unique()) > 2
    return (len(view.factors) > 1 or combined) and bool(levels["difference"].notna().any())


def slug(text: str) -> str:
    """A dotted path as the name of a file."""
    return "".join(c if c.isalnum() else "_" for c in text).strip("_") or "factor"


def _far_levels(factor: FactorView, levels: pd.DataFrame) -> bool:
    """Whether some level of a factor on an axis lies so far off that the others need a closer look."""
    if not (factor.ordered and len(factor.levels) > 2):
        return False
    rows = levels[levels["factor"] == factor.path]
    return any(not _near(means)[1].all() for _, means in rows.groupby("metric")["mean"])


def _near(values: "pd.Series[float]") -> "tuple[tuple[float, float], pd.Series[bool]]":
    low, high = limits(values)
    return (low, high), values.isna() | values.between(low, high)


def _levels(
    view: StudyView, factor: FactorView, levels: pd.DataFrame, runs: pd.DataFrame, *, close: bool = False
) -> Drawing:
    """The levels of a factor in the form that suits them; ``close``: without those that lie far from the others."""
    names = [level.label for level in factor.levels]
    if factor.ordered and len(names) > 2:
        figure, handles = _lines(view, factor, levels, runs, close=close)
    elif len(names) > MOST_BARS or sum(map(len, names)) > 40:
        figure, handles = _rows(view, factor, levels, runs)
    else:
        figure, handles = _bars(view, factor, levels, runs)
    shown = levels[levels["factor"] == factor.path]
    handles += figures.legend_handles(
        published=bool(shown["published"].notna().any()),
        lost=bool(figures.lost_runs(levels, factor)),
    )
    figure.legend(handles=handles, loc="outside upper left", ncols=3, columnspacing=1.2)
    return Drawing(
        name=f"{slug(factor.path)}-levels{'-close' if close else ''}",
        factor=factor.path,
        title=f"{factor.name[:1].upper()}{factor.name[1:]}: last epoch"
        + (", closer (levels far off are cut)" if close else ""),
        alt=f"{_join(view.metrics)} at {len(names)} levels of {factor.name}, {names[0]} to {names[-1]}; means with "
        "95 % intervals and single runs. The table holds the same numbers.",
        figure=figure,
    )


def _lines(
    view: StudyView, factor: FactorView, levels: pd.DataFrame, runs: pd.DataFrame, *, close: bool
) -> "tuple[Figure, list[Any]]":
    kinds = figures.split_kinds(view.metrics)
    figure = _figure(1.35 * len(kinds) + 0.75)
    axes = figure.subplots(len(kinds), 1, sharex=True, squeeze=False)[:, 0]
    for ax, metrics in zip(axes, kinds, strict=True):
        figures.lines(levels, runs, factor, metrics, ax)
        if close:
            _close_up(ax, levels[(levels["factor"] == factor.path) & levels["metric"].isin(metrics)])
    for ax in axes[:-1]:
        ax.set_xlabel("")
    figures.mark_lost(axes[0], levels, factor)
    return figure, figures.metric_handles(view.metrics)


def _close_up(ax: "Axes", rows: pd.DataFrame) -> None:
    """Limit the axis to levels near the others, with their intervals and published numbers."""
    near = pd.concat([group[_near(group["mean"])[1]] for _, group in rows.groupby("metric")])
    shown = near[["mean", "interval_low", "interval_high", "published"]]
    low, high = shown.min().min(), shown.max().max()
    margin = 0.08 * (high - low) or 0.01
    ax.set_ylim(low - margin, high + margin)


def _rows(view: StudyView, factor: FactorView, levels: pd.DataFrame, runs: pd.DataFrame) -> "tuple[Figure, list[Any]]":
    metrics = view.metrics if len(factor.levels) <= MOST_ROWS else (view.metric,)
    figure = _figure(0.4 + len(metrics) * (0.5 + 0.14 * len(factor.levels)))
    axes = figure.subplots(len(metrics), 1, squeeze=False)[:, 0]
    for ax, metric in zip(axes, metrics, strict=True):
        figures.rows(levels, runs, factor, metric, ax)
    return figure, []


def _bars(view: StudyView, factor: FactorView, levels: pd.DataFrame, runs: pd.DataFrame) -> "tuple[Figure, list[Any]]":
    kinds = figures.split_kinds(view.metrics)
    figure = _figure(2.3)
    axes = figure.subplots(1, len(kinds), squeeze=False, width_ratios=[len(metrics) + 0.35 for metrics in kinds])[0]
    for ax, metrics in zip(axes, kinds, strict=True):
        figures.bars(levels, runs, factor, metrics, ax)
    return figure, axes[0].get_legend_handles_labels()[0]


def _curves(view: StudyView, factor: FactorView, runs: pd.DataFrame, curves: pd.DataFrame) -> Iterator[Drawing]:
    of_factor = runs[(runs["factor"] == factor.path) & (runs["status"] == "complete")]
    if not curves["digest"].isin(of_factor["digest"]).any():
        return
    if factor.path.endswith("epochs"):
        for level in factor.levels[-MOST_PAGES:]:
            if (of_factor["label"] == level.label).any():
                yield _metric_curves(view, factor, level.label, of_factor, curves)
    else:
        yield _level_curves(view, factor, of_factor, curves)


def _level_curves(view: StudyView, factor: FactorView, runs: pd.DataFrame, curves: pd.DataFrame) -> Drawing:
    figure = _figure(1.3 * len(view.metrics) + 0.5 + 0.14 * -(-min(len(factor.levels), curve_figures.MOST_NAMES) // 4))
    axes = figure.subplots(len(view.metrics), 1, sharex=True, squeeze=False)[:, 0]
    for ax, metric in zip(axes, view.metrics, strict=True):
        curve_figures.level_curves(runs, curves, factor, metric, ax)
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
        name=f"{slug(factor.path)}-curves",
        factor=factor.path,
        title=f"{factor.name[:1].upper()}{factor.name[1:]}: over the epochs",
        alt=f"{_join(view.metrics)} over the epochs, one line for each level of {factor.name}, mean over seeds. "
        "Every single run is in the section of curves.",
        figure=figure,
    )


def _metric_curves(
    view: StudyView, factor: FactorView, label: str, runs: pd.DataFrame, curves: pd.DataFrame
) -> Drawing:
    kinds = figures.split_kinds(view.metrics)
    published = published_of(factor, label)
    figure = _figure(1.35 * len(kinds) + 0.75)
    axes = figure.subplots(len(kinds), 1, sharex=True, squeeze=False)[:, 0]
    for ax, metrics in zip(axes, kinds, strict=True):
        curve_figures.metric_curves(runs, curves, factor, label, metrics, ax, published=published)
    for ax in axes[:-1]:
        ax.set_xlabel("")
    known = any(math.isfinite(published.get(metric, math.nan)) for metric in view.metrics)
    handles = [
        *figures.metric_handles(view.metrics, markers=False),
        *figures.legend_handles(published=known, curves=True),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=3, columnspacing=1.2)
    return Drawing(
        name=f"{slug(factor.path)}-curves-{slug(label)}",
        factor=factor.path,
        title=f"{factor.name[:1].upper()}{factor.name[1:]} {label}",
        alt=f"{_join(view.metrics)} over the epochs at {factor.name} {label}: mean over seeds and every run.",
        figure=figure,
    )


def _forest(view: StudyView, levels: pd.DataFrame) -> Drawing:
    figure = _figure(forest_height(levels, view))
    forest(levels, view, view.metric, figure.subplots())
    return Drawing(
        name="forest",
        factor="",
        title=f"Difference from the baseline in {metric_name(view.metric)}",
        alt=f"Forest plot: for every level of {len(view.factors)} factors the paired difference from the baseline in "
        f"{metric_name(view.metric)} with its 95 % interval. The tables below hold the same numbers.",
        figure=figure,
    )


def _figure(height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(look.WIDTH, height), layout="constrained")


def _join(metrics: tuple[str, ...]) -> str:
    names = [metric_name(metric) for metric in metrics]
    text = ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]
    return text[:1].upper() + text[1:]
