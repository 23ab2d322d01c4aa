"""How much of a metric's variance each factor of a study explains."""

from typing import Any, Literal

import numpy as np
import pandas as pd
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from ablate.analyse.errors import AnalysisError
from ablate.analyse.panel import Chance, Panel, checked, factors_of, make_panel
from ablate.analyse.results import Importance, ImportanceTerm

GUESS = Chance()

SEPARATOR = " \N{MULTIPLICATION SIGN} "
"""Between the factors in the name of a grid's combined factor, whose levels are tuples."""


def importance(runs: pd.DataFrame, *, metric: str, chance: Chance = GUESS) -> Importance:
    """Share the variance out among factors, as far as the study's design allows.

    Grid (one combined factor whose levels are tuples, every combination present): analysis of variance with main
    effects and two-way interactions, seeds as blocks (``statsmodels``, type II sums of squares); shares are of the
    total sum of squares. One at a time (several factors, each departing alone from a shared baseline): for each factor
    the share of its levels in the sum of squares of its own runs, seeds as blocks. That compares a factor with noise;
    it says nothing about interactions, and a factor's share depends on the levels chosen. Everything else is refused.

    A diverged run counts as one at chance.

    Args:
        runs: frame of runs of one study.
        metric: a metric column.
        chance: what a diverged run counts as.

    Raises:
        AnalysisError: a single factor, a leave-one-out study, a grid with an empty cell, too few runs for a residual.
    """
    runs = checked(runs, (metric,))
    names = factors_of(runs)
    panels = [make_panel(runs, metric, name) for name in names]
    if len(names) == 1:
        parts = _parts(panels[0])
        if parts is None:
            raise AnalysisError(
                f"{names[0]}: importance needs several factors, in a grid or one at a time; this study has one"
            )
        return _grid(panels[0], parts, chance)
    if any(_parts(panel) is not None for panel in panels):
        raise AnalysisError("importance needs one grid or factors one at a time, not both in one study")
    return _one_at_a_time(panels, chance)


def _grid(panel: Panel, parts: tuple[str, ...], chance: Chance) -> Importance:
    data, counted = _long(panel, chance)
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


def _one_at_a_time(panels: list[Panel], chance: Chance) -> Importance:
    terms, warnings, n = [], [], 0
    for panel in panels:
        panel.baseline()
        data, counted = _long(panel, chance)
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
    blocks = data["seed"].nunique() > 1 and data.groupby("seed").size().max() > 1
    total = float(((data["y"] - data["y"].mean()) ** 2).sum())
    if total == 0:
        raise AnalysisError("the metric is the same in every run: there is no variance to share out")
    effects = " + ".join(f"C({name})" for name in factors)
    formula = f"y ~ ({effects})**2" if interactions else f"y ~ {effects}"
    model = ols(formula + (" + C(seed)" if blocks else ""), data=data).fit()
    if model.df_resid < 1:
        raise AnalysisError(f"{len(data)} runs are too few to tell {', '.join(factors)} from noise: add seeds")
    if model.ssr <= 1e-12 * total:
        raise AnalysisError("runs of one setting do not differ at all: there is no noise to compare effects with")
    return anova_lm(model, typ=2), total


def _long(panel: Panel, chance: Chance) -> tuple[pd.DataFrame, list[str]]:
    """Runs with columns row (of the level), seed and y, and a warning where diverged runs are among them."""
    values = panel.counting_diverged(chance)
    row, column = np.nonzero(np.isfinite(values))
    data = pd.DataFrame({"row": row, "seed": column, "y": values[row, column]})
    if data.empty:
        raise AnalysisError(f"{panel.factor}: no run has {panel.metric}")
    diverged = int(panel.diverged.sum())
    text = f"{panel.factor}: {diverged} diverged run(s) count as runs at chance."
    return data, [text] if diverged else []


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
        *(panel.study, panel.metric, design, n),
        terms=tuple(sorted(terms, key=lambda term: -term.share)),
        seeds_share=shares.get("C(seed)"),
        residual_share=shares.get("Residual"),
        warnings=tuple(dict.fromkeys(warnings)),
    )
