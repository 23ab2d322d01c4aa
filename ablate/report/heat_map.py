"""A heat map of two factors that were varied together: a cell a combination, coloured by its mean."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ablate.report.axis_limits import limits
from ablate.report.figure_style import PRINT, ink_on
from ablate.report.figures import cut
from ablate.report.view import FactorView
from ablate.task.claim import JOINED
from ablate.task.metric import Metric
from ablate.task.numbers import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_WRITTEN = 8
"""Columns up to which cells carry their number; wider grids have a scale of colours instead."""


def is_heat_map(factor: FactorView) -> bool:
    """Whether the levels of a factor are combinations of two, with at least two values of either."""
    pairs = [level.value for level in factor.levels]
    if not pairs or not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs):
        return False
    return all(len({repr(pair[i]) for pair in pairs}) > 1 for i in (0, 1))


def heat_map(levels: pd.DataFrame, factor: FactorView, metric: Metric, ax: "Axes | None" = None) -> "Axes":
    """The means of a metric over two factors; the best is framed, what has no mean stays empty.

    Args:
        levels: As :func:`ablate.report.summary.summarise` returns it.
        factor: One whose levels are pairs (:func:`is_heat_map`): the first is across, the second upwards.
        metric: What the cells show.
        ax: Where to draw; None: a new figure.

    Returns:
        The axes.
    """
    from matplotlib import colormaps, pyplot

    ax = ax if ax is not None else pyplot.subplots()[1]
    rows = levels[(levels["factor"] == factor.path) & (levels["metric"] == metric.name)]
    known: dict[str, Any] = dict(zip(rows["label"], rows["mean"], strict=True))
    across, up = (_values(factor, part) for part in (0, 1))
    means = np.full((len(up), len(across)), math.nan)
    for level in factor.levels:
        if level.label in known:
            x, y = (names.index(repr(level.value[part])) for part, names in ((0, across), (1, up)))
            means[y, x] = float(known[level.label])
    low, high = limits(means[np.isfinite(means)])
    colors = colormaps["viridis" if metric.goal == "max" else "viridis_r"]
    mesh = ax.pcolormesh(means, cmap=colors, vmin=low, vmax=high, edgecolors="none", zorder=1)
    if len(across) <= MOST_WRITTEN:
        digits = int(rows["digits"].iloc[0]) if "digits" in rows else 3
        for (y, x), mean in np.ndenumerate(means):
            _write(ax, x, y, mean, min(digits, 3), colors(mesh.norm(mean)) if math.isfinite(mean) else None)
    elif ax.figure is not None:
        ax.figure.colorbar(mesh, ax=ax, label=metric.axis_label)
    if np.isfinite(means).any():
        y, x = divmod(int(np.nanargmax(means * metric.sign)), len(across))
        ax.plot([x, x + 1, x + 1, x, x], [y, y, y + 1, y + 1, y], color="#d55e00", lw=1.8, clip_on=False, zorder=5)
    ax.set_xticks(np.arange(len(across)) + 0.5, [cut(text, 12) for text in _texts(factor, 0, across)])
    ax.set_yticks(np.arange(len(up)) + 0.5, [cut(text, 16) for text in _texts(factor, 1, up)])
    ax.tick_params(length=0)
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set_xlabel(cut(_name(factor, 0), 40))
    ax.set_ylabel(cut(_name(factor, 1), 40))
    return ax


def _values(factor: FactorView, part: int) -> list[str]:
    """The different values of one of the two, numbers by size and others in the study's order."""
    values = {repr(level.value[part]): level.value[part] for level in factor.levels}
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values.values())
    return sorted(values, key=lambda name: values[name]) if numbers else list(values)


def _texts(factor: FactorView, part: int, names: list[str]) -> list[str]:
    """Printed values: as labels of combinations have them, without the name before them."""
    prefix = f"{_name(factor, part)} "
    texts = {
        repr(level.value[part]): (_parts(factor, level.label)[part] or str(level.value[part])).removeprefix(prefix)
        for level in factor.levels
    }
    return [texts[name] for name in names]


def _name(factor: FactorView, part: int) -> str:
    """What the labels of combinations call the factor, else the last part of its path."""
    texts = [_parts(factor, level.label)[part] for level in factor.levels]
    names = {text.rpartition(" ")[0] for text in texts}
    if len(names) == 1 and (name := names.pop()):
        return name
    path = factor.path.split(JOINED)[part] if len(factor.path.split(JOINED)) == 2 else factor.path
    return path.rsplit(".", 1)[-1].replace("_", " ")


def _parts(factor: FactorView, label: str) -> list[str]:
    parts = label.split(", ")
    return parts if len(parts) == 2 else ["", ""]


def _write(ax: "Axes", x: int, y: int, mean: float, digits: int, color: Any) -> None:
    style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 6.5, "zorder": 4}
    ax.text(x + 0.5, y + 0.5, number(mean, digits), color=PRINT if color is None else ink_on(color), **style)
