"""Are two levels practically the same?"""

import numpy as np
import pandas as pd
from scipy import stats

from ablate.analyse.bootstrap import Floats, t_interval
from ablate.analyse.errors import AnalysisError
from ablate.analyse.panel import Chance, Panel, make_panel
from ablate.analyse.power import ALPHA
from ablate.analyse.results import Equivalence, Interval

GUESS = Chance()


def equivalent(
    runs: pd.DataFrame,
    *,
    metric: str,
    a: object,
    b: object,
    margin: float,
    factor: str | None = None,
    chance: Chance = GUESS,
) -> Equivalence:
    """Test whether two levels differ by less than a margin: two one-sided paired t tests at 5 %.

    Schuirmann 1987 (*J. Pharmacokinetics and Biopharmaceutics* 15); ``statsmodels.stats.weightstats.ttost_paired``.
    Failing to find a difference is no equivalence; this is. Where runs diverged, the levels are equivalent only if they
    are so among the complete pairs and with diverged runs counted at chance.

    Args:
        runs: frame of runs of one study.
        metric: a metric column.
        a: a level, by native value or label.
        b: another.
        margin: in the metric's unit, > 0.
        factor: may be None where the frame has one only.
        chance: what a diverged run counts as.

    Raises:
        AnalysisError: fewer than two pairs, no such level, or a margin that is not positive.
    """
    if not margin > 0:
        raise AnalysisError(f"margin = {margin}: equivalence needs a margin above 0")
    panel = make_panel(runs, metric, factor)
    return equivalence_of(panel, panel.index(a), panel.index(b), margin, chance)


def equivalence_of(panel: Panel, a: int, b: int, margin: float, chance: Chance) -> Equivalence:
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
    p_lower, p_upper = tost(differences, margin)
    diverged = int((panel.diverged[a] | panel.diverged[b]).sum())
    if diverged:
        counted = tost(_differences(panel.counting_diverged(chance), a, b), margin)
        p_lower, p_upper = max(p_lower, counted[0]), max(p_upper, counted[1])
        warnings += (f"{diverged} seed(s) diverged at one or both levels; p also counts them as runs at chance.",)
    low, high = t_interval(differences[None, :], 1 - 2 * ALPHA)
    p = max(p_lower, p_upper)
    return Equivalence(
        *(panel.factor, panel.metric, *labels, margin, n),
        difference=float(differences.mean()),
        interval=Interval(float(low[0]), float(high[0]), 1 - 2 * ALPHA, "t"),
        p_lower=p_lower,
        p_upper=p_upper,
        p=p,
        equivalent=p <= ALPHA,
        warnings=warnings,
    )


def tost(differences: Floats, margin: float) -> tuple[float, float]:
    """P against a mean difference at or below -margin, and at or above +margin.

    Args:
        differences: [n], n >= 2.
        margin: > 0.
    """
    n = len(differences)
    mean, error = float(differences.mean()), float(differences.std(ddof=1)) / np.sqrt(n)
    if error == 0:
        return float(mean <= -margin), float(mean >= margin)
    return (
        float(stats.t.sf((mean + margin) / error, n - 1)),
        float(stats.t.cdf((mean - margin) / error, n - 1)),
    )


def _differences(values: Floats, a: int, b: int) -> Floats:
    differences: Floats = values[a] - values[b]
    known = np.isfinite(differences)
    return np.asarray(differences[known], dtype=np.float64)
