"""A claim over the levels of another factor, such as several data sets: on all of them, and on how many at least.

Each part is judged by itself, by the runs of a grid that have this level of the other factor. On all of them the claim
is supported where every part supports it, without a correction (intersection-union, Berger 1982, *Technometrics* 24),
and refuted where any part refutes it at the level divided by their number (Bonferroni). That it holds on at least u of
K parts is tested by K - u + 1 times the u-th smallest p (partial conjunction: Benjamini and Heller 2008, *Biometrics*
64; for data sets Dror et al. 2017, *Trans. ACL* 5), the largest p up to u; u = K is the test on all. Nothing is said of
parts that are not there: a handful of data sets is no sample of all.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from ablate.analyse.claim_texts import certainty
from ablate.analyse.courses import Outcome
from ablate.analyse.errors import AnalysisError
from ablate.analyse.panel import factors_of
from ablate.analyse.results import Verdict
from ablate.task.claim import JOINED, Claim


def parts_of(runs: pd.DataFrame, factor: str, over: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The runs of a grid by the levels of some of its factors, as runs of the one other factor alone.

    Args:
        runs: frame of runs of one study.
        factor: one of the grid's.
        over: all others of the grid.

    Raises:
        AnalysisError: the study has no grid of just these factors.
    """
    wanted = [factor, *over]
    grid = next((name for name in factors_of(runs) if sorted(name.split(JOINED)) == sorted(wanted)), None)
    if grid is None:
        there, names = ", ".join(factors_of(runs)), " and ".join(wanted)
        raise AnalysisError(f"over = {list(over)}: needs a grid of just {names}; the study's factors are {there}")
    at = grid.split(JOINED).index(factor)
    others = [grid.split(JOINED).index(name) for name in over]
    rows = runs[runs["factor"] == grid]
    places = [", ".join(_label(level[other]) for other in others) for level in rows["level"]]
    own = pd.Series([level[at] for level in rows["level"]], index=rows.index, dtype=object)
    alone = rows.assign(factor=factor, level=own, label=own.map(_label))
    return {str(place): part for place, part in alone.groupby(pd.Series(places, index=rows.index), sort=False)}


def together(claim: Claim, parts: Mapping[str, Verdict], level: float) -> Verdict:
    """The verdict on all parts together.

    Args:
        claim: with ``over``.
        parts: the verdict on each part, at least one.
        level: of the test for the claim, and of that against it.
    """
    each = [verdict.p for verdict in parts.values()]
    against = [verdict.p_against for verdict in parts.values()]
    p = max((p for p in each if p is not None), default=None) if None not in each else None
    p_against = min((min(1.0, len(parts) * p) for p in against if p is not None), default=None)
    speaks_for, speaks_against = (value is not None and value <= level for value in (p, p_against))
    outcome: Outcome = "undecided"
    if speaks_for != speaks_against:
        outcome = "supported" if speaks_for else "refuted"
    holds_on = least_parts([1.0 if value is None else value for value in each], level)
    found = {o: [name for name, v in parts.items() if v.outcome == o] for o in ("supported", "refuted", "undecided")}
    listed = ", ".join(f"{o} at {len(names)} ({', '.join(names)})" for o, names in found.items() if names)
    text = f"Each of {len(parts)} {_plural(claim)} by itself: {listed}. "
    text += (
        f"All together show that it holds at {holds_on} of them at least."
        if holds_on
        else "All together show it at none for sure."
    )
    text += certainty(p, p_against, outcome, level)
    hardest = max(parts, key=lambda name: 1.0 if parts[name].p is None else float(parts[name].p or 0.0))
    needed = parts[hardest].needed
    return Verdict(
        claim,
        outcome,
        text,
        f"{hardest}: {needed}" if outcome == "undecided" and needed else "",
        min(verdict.n for verdict in parts.values()),
        p,
        p_against,
        tuple(f"{name}: {warning}" for name, verdict in parts.items() for warning in verdict.warnings),
        parts=tuple(parts.items()),
        holds_on=holds_on,
    )


def least_parts(p: list[float], level: float) -> int:
    """On how many parts a claim holds at least, by partial conjunction of any p; wrong in at most ``level`` of studies.

    Args:
        p: of the hypotheses that the claim is false, one a part.
        level: of the test.
    """
    ordered, count = sorted(p), 0
    for place, value in enumerate(ordered):
        if (len(p) - place) * value > level:
            break
        count += 1
    return count


def _plural(claim: Claim) -> str:
    name = claim.over[0].rsplit(".", 1)[-1].replace("_", " ")
    return f"levels of {name}" if len(claim.over) == 1 else "combinations"


def _label(level: object) -> str:
    return str(level).lower() if isinstance(level, bool) else str(level)
