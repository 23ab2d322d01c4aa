"""Are two levels practically the same?"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy import special

from ablate.analyse.bootstrap import Floats, t_interval
from ablate.analyse.errors import AnalysisError
from ablate.analyse.panel import Panel, diverged_text, make_panel
from ablate.analyse.power import ALPHA
from ablate.analyse.results import Equivalence, Interval
from ablate.analyse.signed_rank import signed_rank
from ablate.task.metric import Metric


def equivalent(
    runs: pd.DataFrame,
    *,
    metric: Metric,
    a: object,
    b: object,
    margin: float,
    factor: str | None = None,
    declared: Iterable[Metric] = (),
) -> Equivalence:
    """Test whether two levels differ by less than a margin: two one-sided paired t tests at 5 %.

    Schuirmann 1987 (*J. Pharmacokinetics and Biopharmaceutics* 15); ``statsmodels.stats.weightstats.ttost_paired``.
    Failing to find a difference is no equivalence; this is. Where runs diverged, the levels are equivalent only if they
    are so among the complete pairs and with diverged runs ranked below all others. Two levels that learned
    nothing, or differences without any spread, are no evidence.

    Args:
        runs: frame of runs of one study.
        metric: a metric with a column of its name.
        a: a level, by native value or label.
        b: another.
        margin: in the metric's unit, > 0.
        factor: may be None where the frame has one only.
        declared: further metrics, which may tell whether a run is at chance.

    Raises:
        AnalysisError: fewer than two pairs, no such level, or a margin that is not positive.
    """
    if not margin > 0:
        raise AnalysisError(f"margin = {margin}: equivalence needs a margin above 0")
    panel = make_panel(runs, metric, factor, declared)
    return equivalence_of(panel, panel.index(a), panel.index(b), margin)


def equivalence_of(panel: Panel, a: int, b: int, margin: float) -> Equivalence:
    """``equivalent`` for two rows of a panel.

    Raises:
        AnalysisError: fewer than two complete pairs.
    """
    differences = _differences(panel.values, a, b)
    labels = (panel.levels[a].label, panel.levels[b].label)
    n = len(differences)
    if n < 2:
        raise AnalysisError(f"{panel.factor}: {labels[0]} and {labels[1]} have {n} pair(s); equivalence needs two")
    warnings = panel.warnings
    p_lower, p_upper, p_against = _tests(differences, margin)
    diverged = int((panel.diverged[a] | panel.diverged[b]).sum())
    if diverged:
        counted = _tests(_differences(panel.counted, a, b), margin)
        p_lower, p_upper, p_against = map(max, (p_lower, p_upper, p_against), counted)
        warnings += (diverged_text(panel, int(panel.diverged[[a, b]].sum())),)
    silent, exact = panel.no_evidence(a, b), bool(panel.exact[[a, b]].all())
    if exact:
        p_lower = p_upper = 0.0 if abs(differences[0]) <= margin else 1.0
        p_against = 1.0 - p_upper
    elif not silent and np.ptp(differences) == 0:
        silent = f"{labels[0]} and {labels[1]} differ by the same number in every seed: without spread no evidence"
    if silent:
        p_lower = p_upper = p_against = 1.0
        warnings += (f"{silent[:1].upper()}{silent[1:]}.",)
    low, high = t_interval(differences[None, :], 1 - 2 * ALPHA)
    p = max(p_lower, p_upper)
    return Equivalence(
        *(panel.factor, panel.metric.name, *labels, margin, n),
        difference=float(differences.mean()),
        interval=Interval(float(low[0]), float(high[0]), 1 - 2 * ALPHA, "t"),
        p_lower=p_lower,
        p_upper=p_upper,
        p=p,
        p_against=p_against,
        equivalent=p <= ALPHA,
        practically=None if silent or exact else signed_rank(_differences(panel.counted, a, b), margin),
        warnings=warnings,
    )


def tost(differences: Floats, margin: float) -> tuple[float, float]:
    """P against a mean difference at or below -margin, and at or above +margin.

    Args:
        differences: [n], n >= 2.
        margin: > 0.

    Returns:
        1 twice where all differences are the same: without spread there is no evidence.
    """
    n = len(differences)
    mean, error = float(differences.mean()), float(differences.std(ddof=1)) / np.sqrt(n)
    if error == 0:
        return 1.0, 1.0
    return (
        float(special.stdtr(n - 1, -(mean + margin) / error)),
        float(special.stdtr(n - 1, (mean - margin) / error)),
    )


def _tests(differences: Floats, margin: float) -> tuple[float, float, float]:
    """``tost``, and p against: the mean difference lies within the margin (the likelier of the two sides)."""
    below, above = tost(differences, margin)
    spread = np.ptp(differences) > 0
    return below, above, min(1 - below, 1 - above) if spread else 1.0


def _differences(values: Floats, a: int, b: int) -> Floats:
    differences: Floats = values[a] - values[b]
    known = np.isfinite(differences)
    return np.asarray(differences[known], dtype=np.float64)
