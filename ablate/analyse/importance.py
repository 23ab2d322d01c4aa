"""How much of a metric's variance each factor of a study explains."""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from ablate.analyse.errors import AnalysisError
from ablate.analyse.panel import Panel, diverged_text, make_panels
from ablate.analyse.results import Importance, ImportanceTerm
from ablate.task.metric import Metric

SEPARATOR = " x "
"""What stands between the factors in the name of a grid's combined factor, whose levels are tuples."""

_Columns = dict[str, NDArray[Any]]
"""Runs, an array a column, each [runs]."""


class _Row(NamedTuple):
    """One source of variance."""

    squares: float
    df: float
    ratio: float
    """F; NaN of the residual."""
    p: float


def importance(runs: pd.DataFrame, *, metric: Metric) -> Importance:
    """Share the variance out among factors, as far as the study's design allows.

    Grid (one combined factor whose levels are tuples, every combination present): analysis of variance with main
    effects and two-way interactions, seeds as blocks (``statsmodels``, type II sums of squares); shares are of the
    total sum of squares. One at a time (several factors, each departing alone from a shared baseline): for each factor
    the share of its levels in the sum of squares of its own runs, seeds as blocks. That compares a factor with noise;
    it says nothing about interactions, and a factor's share depends on the levels chosen. Everything else is refused.

    A diverged run ranks below every finished one (:func:`ablate.analyse.panel.worst_of`).

    Args:
        runs: frame of runs of one study.
        metric: a metric with a column of its name.

    Raises:
        AnalysisError: a single factor, a leave-one-out study, a grid with an empty cell, too few runs for a residual.
    """
    return importance_of(make_panels(runs, [metric], ())[metric.name])


def importance_of(panels: Sequence[Panel]) -> Importance:
    """What :func:`importance` does, with one metric of every factor as a matrix."""
    if len(panels) == 1:
        parts = _parts(panels[0])
        if parts is None:
            raise AnalysisError(
                f"{panels[0].factor}: importance needs several factors, in a grid or one at a time; this study has one"
            )
        return _grid(panels[0], parts)
    if any(_parts(panel) is not None for panel in panels):
        raise AnalysisError("importance needs one grid or factors one at a time, not both in one study")
    return _one_at_a_time(panels)


def _grid(panel: Panel, parts: tuple[str, ...]) -> Importance:
    data, counted = _long(panel)
    for index in range(len(parts)):
        codes: dict[str, int] = {}
        of_row = [codes.setdefault(repr(level.value[index]), len(codes)) for level in panel.levels]
        data[f"f{index}"] = np.array(of_row)[data["row"]]
    factors = [f"f{index}" for index in range(len(parts)) if _different(data[f"f{index}"]) > 1]
    if len(factors) < 2:
        raise AnalysisError(f"{panel.factor}: importance needs two factors with at least two levels each")
    cells, runs = math.prod(_different(data[name]) for name in factors), len(data["y"])
    of_cell = np.bincount(_groups(data, factors))
    if len(of_cell) < cells:
        raise AnalysisError(
            f"{panel.factor}: {cells - len(of_cell)} of {cells} combinations have no run; effects and "
            "interactions cannot be separated"
        )
    warnings = [*panel.warnings, *counted]
    interactions = len(factors) > 2 or _different(data["seed"]) > 1 or runs > cells
    if not interactions:
        warnings.append("One run per combination: the interaction cannot be told from noise and counts as residual.")
    table, total = _anova(data, factors, interactions)
    if of_cell.min() < of_cell.max():
        warnings.append("Combinations have unequal numbers of runs: shares do not add up to one.")
    named = {name: parts[int(name[1:])] for name in factors}
    terms = [
        _term(tuple(named[part[2:-1]] for part in source.split(":")), row, total, runs)
        for source, row in table.items()
        if source not in ("Residual", "C(seed)")
    ]
    return _result(panel, "grid", runs, terms, warnings, table, total)


def _one_at_a_time(panels: Sequence[Panel]) -> Importance:
    terms, warnings, n = [], [], 0
    for panel in panels:
        panel.baseline()
        data, counted = _long(panel)
        warnings += [*panel.warnings, *counted]
        if _different(data["row"]) < 2:
            warnings.append(f"{panel.factor}: fewer than two levels with runs; not ranked.")
            continue
        table, total = _anova(data, ["row"], False)
        terms.append(_term((panel.factor,), table["C(row)"], total, len(data["y"])))
        n += len(data["y"])
    return _result(panels[0], "one-at-a-time", n, terms, warnings, {}, 1.0)


def _anova(data: _Columns, factors: list[str], interactions: bool) -> tuple[dict[str, _Row], float]:
    """Table of type II sums of squares and the total sum of squares about the mean."""
    of_seed, y = np.bincount(data["seed"]), data["y"]
    blocks = np.count_nonzero(of_seed) > 1 and of_seed.max() > 1
    total = float(((y - y.mean()) ** 2).sum())
    if total == 0:
        raise AnalysisError("the metric is the same in every run: there is no variance to share out")
    if blocks and _is_balanced(data, factors):
        return _balanced(data, factors, interactions, total), total
    from statsmodels.formula.api import ols  # takes a quarter of a second, and is seldom needed
    from statsmodels.stats.anova import anova_lm

    effects = " + ".join(f"C({name})" for name in factors)
    formula = f"y ~ ({effects})**2" if interactions else f"y ~ {effects}"
    model = ols(formula + (" + C(seed)" if blocks else ""), data=pd.DataFrame(data)).fit()
    _check_residual(model.ssr, model.df_resid, total, len(y), factors)
    table = anova_lm(model, typ=2)[["sum_sq", "df", "F", "PR(>F)"]]
    return {str(source): _Row(*row) for source, *row in table.itertuples(name=None)}, total


def _check_residual(squares: float, df: float, total: float, runs: int, factors: Sequence[str]) -> None:
    if df < 1:
        raise AnalysisError(f"{runs} runs are too few to tell {', '.join(factors)} from noise: add seeds")
    if squares <= 1e-12 * total:
        raise AnalysisError("levels differ by the same amount on every seed: there is no noise to compare effects with")


def _is_balanced(data: _Columns, factors: list[str]) -> bool:
    """Whether every combination has one run of every seed."""
    names = (*factors, "seed")
    cells = np.bincount(_groups(data, names))
    return bool((cells == 1).all()) and len(cells) == math.prod(_different(data[name]) for name in names)


def _different(column: NDArray[Any]) -> int:
    """How many different small whole numbers a column has."""
    return int(np.count_nonzero(np.bincount(column)))


def _groups(data: _Columns, names: Sequence[str]) -> NDArray[np.intp]:
    """Number of the combination of small whole numbers in these columns that each row has, from 0."""
    groups = np.zeros(len(data["y"]), dtype=np.intp)
    for name in names:
        column = data[name]
        groups = np.unique(groups * (int(column.max()) + 1) + column, return_inverse=True)[1]
    return groups


def _balanced(data: _Columns, factors: list[str], interactions: bool, total: float) -> dict[str, _Row]:
    """What ``anova_lm`` gives for a balanced design, from means alone.

    There the effects are orthogonal, so that each one's sum of squares is that of its own marginal means (Montgomery
    2017, *Design and Analysis of Experiments*, 5.3): a grid of 10,000 settings needs no matrix of its effects.
    """
    y = data["y"]
    overall = y.mean()
    effects: list[tuple[str, ...]] = [(name,) for name in factors]
    effects += list(combinations(factors, 2)) if interactions else []
    rows: dict[str, tuple[float, float]] = {}
    for effect in [*effects, ("seed",)]:
        groups = _groups(data, effect)
        means = np.bincount(groups, weights=y) / np.bincount(groups)
        explained = float(((means - overall) ** 2).sum()) * len(y) / len(means)
        free = float(math.prod(_different(data[name]) - 1 for name in effect))
        for name in effect if len(effect) > 1 else ():
            explained -= rows[f"C({name})"][0]
        rows[":".join(f"C({name})" for name in effect)] = (max(0.0, explained), free)
    residual = total - sum(explained for explained, _ in rows.values())
    df_residual = len(y) - 1 - sum(free for _, free in rows.values())
    _check_residual(residual, df_residual, total, len(y), factors)
    table = {"Residual": _Row(residual, df_residual, np.nan, np.nan)}
    for source, (explained, free) in rows.items():
        ratio = explained / free / (residual / df_residual)
        table[source] = _Row(explained, free, ratio, float(special.fdtrc(free, df_residual, ratio)))
    return table


def _long(panel: Panel) -> tuple[_Columns, list[str]]:
    """Runs with columns row (of the level), seed and y, and a warning where diverged runs are among them."""
    values = panel.counted
    row, column = np.nonzero(np.isfinite(values))
    data: _Columns = {"row": row, "seed": column, "y": values[row, column]}
    if not len(row):
        raise AnalysisError(f"{panel.factor}: no run has {panel.metric.name}")
    diverged = int(panel.diverged.sum())
    return data, [f"{panel.factor}: {diverged_text(panel, diverged)}"] if diverged else []


def _parts(panel: Panel) -> tuple[str, ...] | None:
    """The factors that a grid combines, or None."""
    parts = tuple(panel.factor.split(SEPARATOR))
    fit = all(isinstance(level.value, tuple | list) and len(level.value) == len(parts) for level in panel.levels)
    return parts if len(parts) > 1 and fit else None


def _term(factors: tuple[str, ...], row: _Row, total: float, n: int) -> ImportanceTerm:
    return ImportanceTerm(factors, row.squares / total, int(row.df), row.ratio, row.p, math.sqrt(row.squares / n))


def _result(
    panel: Panel,
    design: Literal["grid", "one-at-a-time"],
    n: int,
    terms: list[ImportanceTerm],
    warnings: list[str],
    table: dict[str, _Row],
    total: float,
) -> Importance:
    shares = {source: row.squares / total for source, row in table.items()}
    return Importance(
        *(panel.study, panel.metric.name, design, n),
        terms=tuple(sorted(terms, key=lambda term: -term.share)),
        seeds_share=shares.get("C(seed)"),
        residual_share=shares.get("Residual"),
        warnings=tuple(dict.fromkeys(warnings)),
    )
