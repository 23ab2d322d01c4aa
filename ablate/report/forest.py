"""The forest plot: a whole ablation at a glance, a row a level, its paired difference from the baseline."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ablate.report.axis_limits import limits
from ablate.report.figure_style import BLUE, CARD, INK, MUTED, VERMILION
from ablate.report.figures import cut
from ablate.report.metric_axes import within_difference
from ablate.report.view import StudyView
from ablate.task.metric import Metric
from ablate.task.numbers import signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

VERDICT_COLORS = {"better": BLUE, "worse": VERMILION}
ROW = 0.155
"""Height of a row, in inches."""
ROOM = 0.3
"""Share of the axis that an arrow at its edge takes with its number."""


def forest(levels: pd.DataFrame, view: StudyView, metric: Metric | None = None, ax: "Axes | None" = None) -> "Axes":
    """A row a level: the paired difference from the baseline, its 95 % interval, and the verdict beside it.

    Args:
        levels: As :func:`ablate.report.summary.summarise` returns it.
        view: The study.
        metric: None: the study's primary metric.
        ax: Where to draw; None: a new figure.

    Returns:
        The axes.
    """
    if ax is None:
        from matplotlib import pyplot

        ax = pyplot.subplots()[1]
    metric = metric or view.metric
    shown = levels[(levels["metric"] == metric.name) & ~levels["is_baseline"]]
    ends = (end for name in ("difference_low", "difference_high") for end in within_difference(metric, shown[name]))
    low, high = limits([0.0, *shown["difference"], *ends])
    low, high = min(low, 0.0), max(high, 0.0)  # what all are compared with, however far all are from it
    margin = 0.06 * (high - low) or 0.01
    ax.set_xlim(*_with_room(low - margin, high + margin, shown["difference"]))
    y, ticks, names = 0.0, [], []
    for factor in view.factors:
        rows = _rows(levels, factor.path, metric)
        if rows.empty:
            continue
        ax.text(-0.02, y, cut(factor.name), transform=ax.get_yaxis_transform(), ha="right", va="center", weight="bold")
        for row in rows.to_dict("records"):
            y += 1
            ticks.append(y)
            names.append(cut(str(row["label"])))
            _row(ax, y, row, metric)
        y += 1.35
    ax.axvline(0, color=MUTED, lw=0.7, zorder=1)
    ax.set_yticks(ticks, names)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(y - 0.6, -0.7)
    ax.grid(visible=True, axis="x")
    ax.grid(visible=False, axis="y")
    ax.spines["left"].set_visible(False)
    ax.locator_params(axis="x", nbins=5)
    left, right = ("worse", "better") if metric.goal == "max" else ("better", "worse")
    unit = f" ({metric.unit})" if metric.unit_after else ""
    ax.set_xlabel(f"difference in {cut(metric.title, 48)}{unit}\n← {left}        {right} →")
    return ax


def _with_room(low: float, high: float, differences: "pd.Series[float]") -> tuple[float, float]:
    """Limits that leave room before the line at 0 for numbers that are written at an edge."""
    if (differences < low).any():
        low = min(low, -ROOM / (1 - ROOM) * high)
    if (differences > high).any():
        high = max(high, -ROOM / (1 - ROOM) * low)
    return low, high


def forest_height(levels: pd.DataFrame, view: StudyView, metric: Metric | None = None) -> float:
    """Height in inches that the rows of a forest plot need."""
    counts = [len(_rows(levels, factor.path, metric or view.metric)) for factor in view.factors]
    return 0.62 + ROW * sum(count + 1.35 for count in counts if count)


def _rows(levels: pd.DataFrame, factor: str, metric: Metric) -> pd.DataFrame:
    return levels[(levels["factor"] == factor) & (levels["metric"] == metric.name) & ~levels["is_baseline"]]


def _row(ax: "Axes", y: float, row: Mapping[Any, Any], metric: Metric) -> None:
    verdict = str(row.get("standing") or "")
    color = VERDICT_COLORS.get(verdict, MUTED)
    value = float(row["difference"])
    left, right = ax.get_xlim()
    if not left <= value <= right and np.isfinite(value):
        _off_scale(ax, y, signed(value, int(row["digits"])), color, left=value < left)
    elif np.isfinite(value):
        ends = within_difference(metric, [row["difference_low"], row["difference_high"]])
        if np.isfinite(ends).all():
            ax.plot(ends, [y, y], color=color, lw=1.4, solid_capstyle="butt", zorder=3)
        face = color if verdict in VERDICT_COLORS else CARD
        ax.plot([value], [y], "o", color=color, ms=3.6, mfc=face, mew=0.9, zorder=4)
    ax.text(1.02, y, verdict, transform=ax.get_yaxis_transform(), ha="left", va="center", color=INK, fontsize=6.5)


def _off_scale(ax: "Axes", y: float, text: str, color: str, *, left: bool) -> None:
    """An arrow at the edge, with the number, for a difference that would press the others together."""
    edge = 0.02 if left else 0.98
    across = ax.get_yaxis_transform()
    ax.plot([edge], [y], "<" if left else ">", color=color, ms=3.6, transform=across, clip_on=False, zorder=4)
    ax.text(
        edge + (0.03 if left else -0.03),
        y,
        text,
        transform=across,
        ha="left" if left else "right",
        va="center",
        color=color,
        fontsize=6,
    )
