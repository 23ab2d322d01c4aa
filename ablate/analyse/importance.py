"""How much of a metric's variance each factor of a study explains."""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from ablate.analyse.errors import AnalysisError
from ablate.analyse.panel import Panel, diverged_text, make_panels
from ablate.analyse.results import Importance, ImportanceTerm
from ablate.task.metric import Metric

SEPARATOR = " x "
"""Between the factors in the name of a grid's combined factor, whose levels are tuples."""


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
        data[f"f{index}"] = np.array(of_row)[data["row"].to_numpy()]
    factors = [f"f{index}" for index in range(len(parts)) if data[f"f{index}"].nunique() > 1]
    if len(factors) < 2:
        raise AnalysisError(f"{panel.factor}: importance needs two factors with at least two levels each")
    cells = int(np.prod([data[name].nunique() for name in factors]))
    if len(data.groupby(factors)) < cells:
        raise AnalysisError(
            f"{panel.factor}: {cells - len(data.groupby(factors))} of {cells} combinations have no run; effects and "
            "interactions cannot be separated"
        )
    warnings = [*panel.warnings, *counted]
    interactions = len(factors) > 2 or data["seed"].nunique() > 1 or len(data) > cells
    if not interactions:
        warnings.append("One run per combination: the interaction cannot be told from noise and counts as residual.")
    table, total = _anova(data, factors, interactions)
    if data.groupby(factors).size().nunique() > 1:
        warnings.append("Combinations have unequal numbers of runs: shares do not add up to one.")
    named = {name: parts[int(name[1:])] for name in factors}
    terms = [
        _term(tuple(named[part[2:-1]] for part in str(source).split(":")), row, total, len(data))
        for source, row in table.iterrows()
        if str(source) not in ("Residual", "C(seed)")
    ]
    return _result(panel, "grid", len(data), terms, warnings, table, total)


def _one_at_a_time(panels: Sequence[Panel]) -> Importance:
    terms, warnings, n = [], [], 0
    for panel in panels:
        panel.baseline()
        data, counted = _long(panel)
        warnings += [*panel.warnings, *counted]
        if data["row"].nunique() < 2:
            warnings.append(f"{panel.factor}: fewer than two levels with runs; not ranked.")
            continue
        table, total = _anova(data.rename(columns={"row": "f0"}), ["f0"], False)
        terms.append(_term((panel.factor,), table.loc["C(f0)"], total, len(data)))
        n += len(data)
    return _result(panels[0], "one-at-a-time", n, terms, warnings, None, None)


def _anova(data: pd.DataFrame, factors: list[str], interactions: bool) -> tuple[pd.DataFrame, float]:
    """Table of type II sums of squares and the total sum of squares about the mean."""
    of_seed, y = np.bincount(data["seed"]), data["y"].to_numpy()
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
    model = ols(formula + (" + C(seed)" if blocks else ""), data=data).fit()
    _check_residual(model.ssr, model.df_resid, total, len(data), factors)
    return anova_lm(model, typ=2), total


def _check_residual(squares: float, df: float, total: float, runs: int, factors: Sequence[str]) -> None:
    if df < 1:
        raise AnalysisError(f"{runs} runs are too few to tell {', '.join(factors)} from noise: add seeds")
    if squares <= 1e-12 * total:
        raise AnalysisError("runs of one setting do not differ at all: there is no noise to compare effects with")


def _is_balanced(data: pd.DataFrame, factors: list[str]) -> bool:
    """Whether every combination has one run of every seed."""
    names = (*factors, "seed")
    cells = np.bincount(_groups(data, names))
    return bool((cells == 1).all()) and len(cells) == math.prod(_different(data, name) for name in names)


def _different(data: pd.DataFrame, name: str) -> int:
    """How many different small whole numbers a column has."""
    return int(np.count_nonzero(np.bincount(data[name])))


def _groups(data: pd.DataFrame, names: Sequence[str]) -> NDArray[np.intp]:
    """Number of the combination of small whole numbers in these columns that each row has, from 0."""
    groups = np.zeros(len(data), dtype=np.intp)
    for name in names:
        column = data[name].to_numpy(dtype=np.intp)
        groups = np.unique(groups * (int(column.max()) + 1) + column, return_inverse=True)[1]
    return groups


def _balanced(data: pd.DataFrame, factors: list[str], interactions: bool, total: float) -> pd.DataFrame:
    """What ``anova_lm`` gives for a balanced design, from means alone.

    There the effects are orthogonal, so that each one's sum of squares is that of its own marginal means (Montgomery
    2017, *Design and Analysis of Experiments*, 5.3): a grid of 10,000 settings needs no matrix of its effects.
    """
    y = data["y"].to_numpy()
    overall = y.mean()
    effects: list[tuple[str, ...]] = [(name,) for name in factors]
    effects += list(combinations(factors, 2)) if interactions else []
    rows: dict[str, tuple[float, float]] = {}
    for effect in [*effects, ("seed",)]:
        groups = _groups(data, effect)
        means = np.bincount(groups, weights=y) / np.bincount(groups)
        explained = float(((means - overall) ** 2).sum()) * len(data) / len(means)
        free = float(math.prod(_different(data, name) - 1 for name in effect))
        for name in effect if len(effect) > 1 else ():
            explained -= rows[f"C({name})"][0]
        rows[":".join(f"C({name})" for name in effect)] = (max(0.0, explained), free)
    residual = total - sum(explained for explained, _ in rows.values())
    df_residual = len(data) - 1 - sum(free for _, free in rows.values())
    _check_residual(residual, df_residual, total, len(data), factors)
    squares, df = np.array([*rows.values(), (residual, df_residual)]).T
    ratio = np.r_[squares[:-1] / df[:-1] / (residual / df_residual), np.nan]
    columns = {"sum_sq": squares, "df": df, "F": ratio, "PR(>F)": special.fdtrc(df, df_residual, ratio)}
    return pd.DataFrame(columns, index=[*rows, "Residual"])


def _long(panel: Panel) -> tuple[pd.DataFrame, list[str]]:
    """Runs with columns row (of the level), seed and y, and a warning where diverged runs are among them."""
    values = panel.counted
    row, column = np.nonzero(np.isfinite(values))
    data = pd.DataFrame({"row": row, "seed": column, "y": values[row, column]})
    if data.empty:
        raise AnalysisError(f"{panel.factor}: no run has {panel.metric.name}")
    diverged = int(panel.diverged.sum())
    return data, [f"{panel.factor}: {diverged_text(panel, diverged)}"] if diverged else []


def _parts(panel: Panel) -> tuple[str, ...] | None:
    """The factors that a grid combines, or None."""
    parts = tuple(panel.factor.split(SEPARATOR))
    fit = all(isinstance(level.value, tuple | list) and len(level.value) == len(parts) for level in panel.levels)
    return parts if len(parts) > 1 and fit else None


def _term(factors: tuple[str, ...], row: Any, total: float, n: int) -> ImportanceTerm:
    squares = float(row["sum_sq"])
    return ImportanceTerm(
        factors, squares / total, int(row["df"]), float(row["F"]), float(row["PR(>F)"]), float(np.sqrt(squares / n))
    )


def _result(
    panel: Panel,
    design: Literal["grid", "one-at-a-time"],
    n: int,
    terms: list[ImportanceTerm],
    warnings: list[str],
    table: pd.DataFrame | None,
    total: float | None,
) -> Importance:
    shares = {} if table is None or total is None else (table["sum_sq"] / total).to_dict()
    return Importance(
        *(panel.study, panel.metric.name, design, n),
        terms=tuple(sorted(terms, key=lambda term: -term.share)),
        seeds_share=shares.get("C(seed)"),
        residual_share=shares.get("Residual"),
        warnings=tuple(dict.fromkeys(warnings)),
    )
