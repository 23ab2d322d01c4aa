"""The figures of a search, drawn by ``optuna.visualization.matplotlib``: from its history to its Pareto front."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from ablate.report.compose import Drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from optuna import Study

Layout = Literal["constrained", "tight", "none"]

LEAST = 2
"""Complete settings without which nothing is drawn."""
MOST_SLICES = 6
MOST_CONTOURS = 3
"""Factors that get a slice, and those that get contours of each pair."""


def search_drawings(study: "Study", names: Sequence[str], measures: Sequence[str]) -> Iterator[Drawing]:
    """All figures of a search, one after the other.

    Args:
        study: With its trials, in memory.
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
        f"{measures[0]} of every complete setting, and the best so far",
        lambda: plots.plot_optimization_history(study, **more),
        (5.5, 3.0),
    )
    if drawn:
        slices = drawn[:MOST_SLICES]
        yield _draw(
            "search-slices",
            f"{measures[0]} against each of {', '.join(slices)}",
            lambda: plots.plot_slice(study, params=slices, **more),
            (2.2 * len(slices) + 0.6, 2.8),
            layout=_layout(len(slices)),
        )
        yield _draw(
            "search-coordinates",
            f"Every complete setting as a line through its values of {', '.join(slices)}",
            lambda: plots.plot_parallel_coordinate(study, params=slices, **more),
            (1.4 * len(slices) + 1.4, 3.4),
            layout="none",
        )
    pairs = [name for name in drawn if all(name in trial.params for trial in complete)][:MOST_CONTOURS]
    if len(pairs) > 1:
        side = 2.4 * len(pairs)
        yield _draw(
            "search-contours",
            f"{measures[0]} over pairs of {', '.join(pairs)}",
            lambda: plots.plot_contour(study, params=pairs, **more),
            (side + 1.2, side) if len(pairs) > 2 else (4.8, 3.6),
            layout=_layout(len(pairs) - 1),
        )


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
        for text in figure.findobj(Text):
            assert isinstance(text, Text)
            text.set_fontsize(min(text.get_fontsize(), 7))
        if layout == "none":
            figure.subplots_adjust(left=0.08, right=0.9, bottom=0.3, top=0.88)
        else:
            figure.set_layout_engine(layout)
        figure.draw_without_rendering()
    return Drawing(name=name, factor="", title=alt, alt=alt, figure=figure)


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
