"""How much each factor of a grid moves a metric, in the metric's unit: its best value against its worst."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from ablate.analyse.power import ALPHA
from ablate.task.metric import Metric


@dataclass(frozen=True)
class Span:
    """The best value of one factor against the worst, each averaged over all values of the others."""

    factor: str
    best: object
    worst: object
    difference: float
    """Mean at the best minus mean at the worst."""
    interval: tuple[float, float] | None
    """95 %, t, of all pairs of the factor's values together (Bonferroni), as the data chose the pair; None: fewer than
    two seeds."""
    n: int
    """Seeds that are complete at every combination."""


def spans(runs: pd.DataFrame, metric: Metric, factor: str) -> tuple[Span, ...]:
    """The span of each factor of a grid, the largest first.

    Args:
        runs: frame of runs of one study.
        metric: a metric with a column of its name.
        factor: the grid's combined factor, whose levels are tuples; ``a x b``.

    Returns:
        Empty where levels are no tuples, combinations are missing, or no seed is complete at all of them.
    """
    own = runs[(runs["factor"] == factor) & (runs["status"] == "complete")].drop_duplicates(["order", "seed"])
    names = factor.split(" x ")
    whole = [level for level in own["level"] if isinstance(level, tuple | list) and len(level) == len(names)]
    if own.empty or len(whole) < len(own) or len(names) < 2:
        return ()
    parts = pd.DataFrame([[repr(value) for value in level] for level in whole], columns=names, index=own.index)
    shown = {repr(value): value for level in whole for value in level}
    table = pd.concat([parts, own[["seed", metric.name]]], axis=1)
    cells = table.pivot_table(index=names, columns="seed", values=metric.name, aggfunc="first").dropna(axis=1)
    if cells.shape[1] == 0 or len(cells) < np.prod([parts[name].nunique() for name in names]):
        return ()
    found = []
    for name in names:
        by_value = cells.groupby(level=name, sort=False).mean()
        if len(by_value) > 1:
            found.append(_span(name, by_value, shown, metric.sign))
    return tuple(sorted(found, key=lambda span: -abs(span.difference)))


def _span(name: str, by_value: pd.DataFrame, shown: dict[str, object], sign: float) -> Span:
    values: NDArray[np.float64] = by_value.to_numpy(dtype=np.float64)
    means = values.mean(axis=1) * sign
    top, bottom = int(np.argmax(means)), int(np.argmin(means))
    paired = values[top] - values[bottom]
    n, interval = len(paired), None
    if n > 1:
        pairs = len(values) * (len(values) - 1) // 2
        half = float(special.stdtrit(n - 1, 1 - ALPHA / 2 / pairs)) * paired.std(ddof=1) / np.sqrt(n)
        interval = (float(paired.mean() - half), float(paired.mean() + half))
    best, worst = (shown[str(by_value.index[row])] for row in (top, bottom))
    return Span(name, best, worst, float(paired.mean()), interval, n)
