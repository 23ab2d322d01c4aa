"""Performance profiles drawn: a line a level, the share of its runs that does better than each value."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import pandas as pd

from ablate.analyse.profiles import performance_profiles
from ablate.report.figure_style import colors
from ablate.report.figures import cut
from ablate.report.metric_axes import axis_label
from ablate.task.metric import Metric
from ablate.task.printable import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_BANDS = 4
"""Levels up to which each line has its band; more of them would cover each other."""


def profiles(
    runs: pd.DataFrame,
    metric: Metric,
    ax: "Axes | None" = None,
    *,
    factor: str | None = None,
    over: Sequence[str] = (),
) -> "Axes":
    """The performance profiles of a factor's levels (see :mod:`ablate.analyse.profiles`).

    Args:
        runs: The frame of runs.
        metric: A column of ``runs`` by its name.
        ax: Where to draw; None: a new figure.
        factor: Path of the factor; it may be left out where there is one only.
        over: Paths of the other factors of a grid whose levels are tasks, such as ``["data"]``.

    Returns:
        The axes.
    """
    if ax is None:
        from matplotlib import pyplot

        ax = pyplot.subplots()[1]
    found = performance_profiles(runs, metric=metric, factor=factor, over=over)
    step: Literal["post", "pre"] = "post" if metric.goal == "max" else "pre"
    for profile, color in zip(found, colors(len(found), ordered=False), strict=True):
        if len(found) <= MOST_BANDS:
            ax.fill_between(profile.at, profile.low, profile.high, step=step, color=color, alpha=0.18, linewidth=0)
        ax.plot(profile.at, profile.share, color=color, lw=1.2, drawstyle=f"steps-{step}", label=cut(profile.label))
    ax.set_ylim(-0.02, 1.02)
    ax.set_xlabel(printable(axis_label([metric])))
    ax.set_ylabel("share of runs above" if metric.goal == "max" else "share of runs below")
    return ax
