"""The figures of a search in the house style: its history, each factor against the value, the Pareto front.

No surface is drawn between the settings: contours of so few points would show what nobody measured.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ablate.report import figure_style as look
from ablate.report.drawings import Drawing
from ablate.report.figures import cut
from ablate.task.printable import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from optuna import Study
    from optuna.trial import FrozenTrial

LEAST = 2
"""Complete settings without which nothing is drawn."""
FAR = 3.0
"""A setting is far off where its value lies so many interquartile ranges below the lower quartile (Tukey 1977)."""
MOST_SLICES = 6
"""Factors that get a slice, the most important ones."""
LOST = "stopped, diverged or failed"


def search_drawings(
    study: "Study", names: Sequence[str], measures: Sequence[str], starts: Mapping[int, str] | None = None
) -> Iterator[Drawing]:
    """All figures of a search, one after the other; call it within :func:`ablate.report.figure_style.styled`.

    Args:
        study: With its trials, in memory.
        names: Optuna's names of the factors, the most important first.
        measures: Names of the objectives.
        starts: By number of trial, the name of a setting that the search was given.

    Yields:
        What the trials allow: history and slices; with two objectives the Pareto front first.
    """
    complete = [trial for trial in study.trials if trial.state.name == "COMPLETE"]
    if len(complete) < LEAST:
        return
    several, higher = len(study.directions) > 1, study.directions[0].name != "MINIMIZE"
    near = complete if several else _without_far(complete, 1.0 if higher else -1.0)
    left_out = len(complete) - len(near)
    note = f" ({left_out} far off left out)" if left_out else ""
    if several:
        yield _pareto(study, complete, measures)
    yield _history(study, near, measures[0], higher, starts or {}, note)
    drawn = [name for name in names if len({repr(t.params[name]) for t in near if name in t.params}) > 1]
    if drawn:
        yield _slices(near, drawn[:MOST_SLICES], measures[0], higher, note)


def factor_label(name: str) -> str:
    """A factor's name for people: without the group that it belongs to."""
    path, _, condition = name.partition(" (")
    return path.rsplit(".", 1)[-1].replace("_", " ") + (f" ({condition}" if condition else "")


def _without_far(complete: "Sequence[FrozenTrial]", sign: float) -> "list[FrozenTrial]":
    """Those without settings that learned next to nothing, beside which all others would be one line."""
    values = sign * np.array([trial.values[0] for trial in complete], dtype=np.float64)
    low, high = np.quantile(values, [0.25, 0.75])
    return [trial for trial, v in zip(complete, values, strict=True) if v >= low - FAR * (high - low)]


def _history(
    study: "Study", near: "Sequence[FrozenTrial]", measure: str, higher: bool, starts: Mapping[int, str], note: str
) -> Drawing:
    from matplotlib.ticker import MaxNLocator

    figure = _figure(2.2)
    ax: Axes = figure.subplots()
    numbers, values = [trial.number for trial in near], [trial.values[0] for trial in near]
    best = np.maximum.accumulate(values) if higher else np.minimum.accumulate(values)
    last = max(trial.number for trial in study.trials)
    ax.step([*numbers, last], [*best, best[-1]], where="post", color=look.VERMILION, label="best so far")
    for is_start in (False, True):
        points = [trial for trial in near if (trial.number in starts) == is_start]
        if points:
            x, y = [trial.number for trial in points], [trial.values[0] for trial in points]
            kind = ("given to start from", look.GREEN, "D", 4) if is_start else ("a setting", look.BLUE, "o", 3)
            label, color, marker, above = kind
            ax.scatter(x, y, s=12, color=color, marker=marker, linewidths=0, zorder=above, label=label)
    there = {trial.number for trial in study.trials if trial.state.name == "COMPLETE"}
    lost = [trial.number for trial in study.trials if trial.state.is_finished() and trial.number not in there]
    if lost:
        foot = ax.get_xaxis_transform()
        ax.scatter(lost, [0.02] * len(lost), s=9, marker="x", color=look.MUTED, lw=0.7, transform=foot, label=LOST)
    ax.set_xlabel("trial")
    ax.set_ylabel(printable(measure))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside upper left", ncols=2, columnspacing=1.2)
    alt = f"{_capital(measure)} of the complete settings in their order, and the best so far{note}"
    return Drawing("search-history", "", alt, f"{alt}.", figure)


def _slices(near: "Sequence[FrozenTrial]", names: Sequence[str], measure: str, higher: bool, note: str) -> Drawing:
    columns = min(2, len(names))
    rows = -(-len(names) // columns)
    figure = _figure(1.35 * rows + 0.35)
    axes = list(figure.subplots(rows, columns, squeeze=False, sharey=True).flat)
    best = (max if higher else min)(near, key=lambda trial: trial.values[0])
    for ax, name in zip(axes, names, strict=False):
        _slice(ax, [trial for trial in near if name in trial.params], name, best)
    for ax in axes[::columns]:
        ax.set_ylabel(printable(measure))
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=2, columnspacing=1.2)
    shown = ", ".join(map(factor_label, names))
    alt = f"{_capital(measure)} against each of {shown}{note}"
    return Drawing("search-slices", "", alt, f"{alt}; the best setting is marked.", figure)


def _slice(ax: "Axes", trials: "Sequence[FrozenTrial]", name: str, best: "FrozenTrial") -> None:
    distribution = trials[0].distributions[name]
    choices: Sequence[Any] | None = getattr(distribution, "choices", None)
    place = (lambda v: list(choices).index(v)) if choices is not None else float
    others = [trial for trial in trials if trial is not best]
    x, y = [place(trial.params[name]) for trial in others], [trial.values[0] for trial in others]
    ax.scatter(x, y, s=8, color=look.BLUE, alpha=0.8, linewidths=0, label="a setting")
    if name in best.params:
        x, y = [place(best.params[name])], [best.values[0]]
        ax.scatter(x, y, s=20, color=look.VERMILION, marker="D", linewidths=0, zorder=4, label="the best")
    if choices is not None:
        ax.set_xticks(range(len(choices)), [cut(str(choice), 12) for choice in choices])
        ax.set_xlim(-0.5, len(choices) - 0.5)
    elif getattr(distribution, "log", False):
        ax.set_xscale("log")
        _label_decades(ax)
    ax.set_xlabel(cut(factor_label(name), 34))


def _pareto(study: "Study", complete: "Sequence[FrozenTrial]", measures: Sequence[str]) -> Drawing:
    figure = _figure(2.3)
    ax: Axes = figure.subplots()
    front = {trial.number for trial in study.best_trials}
    for is_on, color, label in ((False, look.BLUE, "a setting"), (True, look.VERMILION, "on the front")):
        points = [trial.values for trial in complete if (trial.number in front) == is_on]
        if points:
            ax.scatter([p[1] for p in points], [p[0] for p in points], s=10, color=color, linewidths=0, label=label)
    ax.set_xlabel(printable(measures[1]))
    ax.set_ylabel(printable(measures[0]))
    figure.legend(loc="outside upper left", ncols=2, columnspacing=1.2)
    alt = f"Pareto front of {' and '.join(measures)}"
    return Drawing("search-pareto", "", alt, f"{alt}: every complete setting.", figure)


def _figure(height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(look.WIDTH, height), layout="constrained")


def _label_decades(ax: "Axes") -> None:
    """Plain numbers along a logarithmic axis, few enough to be read."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = ax.get_xlim()
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0,) if high / low > 100.0 else (1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
