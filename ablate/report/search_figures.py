"""The figures of a search, drawn by ``optuna.visualization.matplotlib``: from its history to its Pareto front."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from ablate.report.drawings import Drawing

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from optuna import Study
    from optuna.trial import FrozenTrial

Layout = Literal["constrained", "tight", "none"]

LEAST = 2
"""Complete settings without which nothing is drawn."""
FAR = 3.0
"""A setting is far off where its value lies so many interquartile ranges below the lower quartile (Tukey 1977)."""
MOST_SLICES = 6
MOST_CONTOURS = 3
"""Factors that get a slice, and those that get contours of each pair."""


def search_drawings(study: "Study", names: Sequence[str], measures: Sequence[str]) -> Iterator[Drawing]:
    """All figures of a search, one after the other.

    Args:
        study: The study with its trials, in memory.
        names: Factors by importance, the most important first.
        measures: Names of the objectives.

    Yields:
        What the trials allow: with one objective history, slices, contours and parallel coordinates; with two the
        Pareto front, and slices of the first.
    """
    from optuna.visualization import matplotlib as plots

    complete = [trial for trial in study.trials if trial.state.name == "COMPLETE"]
    if len(complete) < LEAST:
        return
    drawn = [name for name in names if len({repr(t.params[name]) for t in complete if name in t.params}) > 1]
    several = len(study.directions) > 1
    near = study if several else _without_far(study, complete)
    left_out = len(complete) - len([t for t in near.trials if t.state.name == "COMPLETE"])
    note = f" ({left_out} far off left out)" if left_out else ""
    target = (lambda trial: trial.values[0]) if several else None
    more: dict[str, Any] = {"target": target, "target_name": measures[0]}
    if several:
        yield _draw(
            "search-pareto",
            f"Pareto front of {' and '.join(measures)}",
            lambda: plots.plot_pareto_front(study, target_names=list(measures)),
            (4.5, 3.2),
        )
    yield _draw(
        "search-history",
        f"{measures[0]} of the complete settings in their order, and the best so far{note}",
        lambda: plots.plot_optimization_history(near, **more),
        (5.5, 3.0),
    )
    if drawn:
        slices = drawn[:MOST_SLICES]
        yield _draw(
            "search-slices",
            f"{measures[0]} against each of {', '.join(slices)}{note}",
            lambda: plots.plot_slice(near, params=slices, **more),
            (2.2 * len(slices) + 0.6, 2.8),
            layout=_layout(len(slices)),
        )
        yield _draw(
            "search-coordinates",
            f"Every complete setting as a line through its values of {', '.join(slices)}{note}",
            lambda: plots.plot_parallel_coordinate(near, params=slices, **more),
            (1.4 * len(slices) + 1.4, 3.4),
            layout="none",
        )
    pairs = [name for name in drawn if all(name in trial.params for trial in complete)][:MOST_CONTOURS]
    if len(pairs) > 1:
        side = 2.4 * len(pairs)
        yield _draw(
            "search-contours",
            f"{measures[0]} over pairs of {', '.join(pairs)}{note}",
            lambda: plots.plot_contour(near, params=pairs, **more),
            (side + 1.2, side) if len(pairs) > 2 else (4.8, 3.6),
            layout=_layout(len(pairs) - 1),
        )


def _without_far(study: "Study", complete: "Sequence[FrozenTrial]") -> "Study":
    """The search without settings that learned next to nothing, beside which all others would be one line.

    Numbers stay: what is left out stands there as failed, which no figure shows.
    """
    import numpy as np
    import optuna

    sign = -1.0 if study.direction.name == "MINIMIZE" else 1.0
    values = sign * np.array([trial.value for trial in complete], dtype=np.float64)
    low, high = np.quantile(values, [0.25, 0.75])
    far = {t.number for t, value in zip(complete, values, strict=True) if value < low - FAR * (high - low)}
    if not far:
        return study
    failed = optuna.trial.create_trial(state=optuna.trial.TrialState.FAIL)
    with _undisturbed():
        near = optuna.create_study(direction=study.direction)
        near.add_trials([failed if trial.number in far else trial for trial in study.trials])
    return near


def _layout(panels: int) -> Layout:
    """The constrained one divides by zero where Optuna has put the colours' scale beside a single panel."""
    return "constrained" if panels > 1 else "tight"


def _draw(
    name: str,
    alt: str,
    plot: Callable[[], Any],
    inches: tuple[float, float],
    *,
    layout: Layout = "constrained",
) -> Drawing:
    """Draw one figure; ``none``: its axes lie upon each other, which no layout engine understands."""
    from matplotlib.text import Text

    with _undisturbed():
        axes = plot()
        figure: Figure = axes.flat[0].figure if hasattr(axes, "flat") else axes.figure
        figure.set_size_inches(inches)
        for ax in figure.axes:
            for axis, scale in ((ax.xaxis, ax.get_xscale()), (ax.yaxis, ax.get_yscale())):
                if scale == "log":
                    _label_decades(axis)
        for text in figure.findobj(Text):
            assert isinstance(text, Text)
            text.set_fontsize(min(text.get_fontsize(), 7))
        if layout == "none":
            figure.subplots_adjust(left=0.08, right=0.9, bottom=0.3, top=0.88)
        else:
            figure.set_layout_engine(layout)
        figure.draw_without_rendering()
    return Drawing(name=name, factor="", title=alt, alt=alt, figure=figure)


def _label_decades(axis: "Axis") -> None:
    """Plain numbers along a logarithmic axis, few enough to be read."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1.0,) if high / low > 100.0 else (1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Optuna sets a global style, opens figures in pyplot, and warns at each call that it is experimental."""
    import matplotlib
    from matplotlib import pyplot
    from optuna import logging

    level = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    before = set(pyplot.get_fignums())
    try:
        with matplotlib.rc_context(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            matplotlib.use("Agg")
            yield
    finally:
        for number in set(pyplot.get_fignums()) - before:
            pyplot.close(number)
        logging.set_verbosity(level)
