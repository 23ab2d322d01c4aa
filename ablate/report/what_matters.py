"""What matters most, in the metric's own unit: what each factor can gain over the baseline, and what it can cost.

A share of the variance would depend on which levels were tried: a learning rate of 0 among them makes everything else
look small. What the best level gains does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ablate.report.numbers import NONE, decimals, interval, signed
from ablate.report.view import FactorView, StudyView

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Effect:
    """One level and what it changes."""

    level: str
    change: str
    """Difference with its sign."""
    interval: str
    """95 %."""


@dataclass(frozen=True)
class Matter:
    """One factor."""

    name: str
    best: Effect | None
    """The best level against the baseline, or in a grid against the worst; None: every level is worse."""
    worst: Effect | None
    """The worst level against the baseline; None: there is none, as in a grid."""


@dataclass(frozen=True)
class Matters:
    """All factors of a study, the one with the largest gain first."""

    factors: tuple[Matter, ...]
    heads: tuple[str, str]
    note: str


def what_matters(view: StudyView, levels: "pd.DataFrame", runs: "pd.DataFrame") -> Matters | None:
    """What each factor of a study gains and costs in the primary metric; None: it has one factor, or no differences.

    Args:
        view: The study.
        levels: The levels from :func:`ablate.report.summary.summarise`.
        runs: The frame of runs.
    """
    if len(view.factors) == 1:
        return _of_grid(view, view.factors[0], runs)
    rows = levels[(levels["metric"] == view.metric.name) & ~levels["is_baseline"] & levels["difference"].notna()]
    sign, found = view.metric.sign, []
    for factor in view.factors:
        own = sorted(
            rows[rows["factor"] == factor.path].to_dict("records"), key=lambda row: sign * float(row["difference"])
        )
        if own:
            gain, cost = sign * float(own[-1]["difference"]), sign * float(own[0]["difference"])
            best, worst = (
                _effect(row) if wanted else None for row, wanted in ((own[-1], gain > 0), (own[0], cost < 0))
            )
            found.append((max(gain, 0.0), -min(cost, 0.0), Matter(factor.name, best, worst)))
    if len(found) < 2:
        return None
    found.sort(key=lambda one: (-one[0], -one[1]))
    return Matters(
        tuple(matter for *_, matter in found),
        ("best level against the baseline", "worst level against the baseline"),
        f"Differences in {view.metric.title} with 95 % intervals (of all levels that are compared together), the "
        "largest gain first. The gain of the best of several levels is partly luck where intervals are wide.",
    )


def _effect(row: Mapping[Any, Any]) -> Effect:
    digits = int(row["digits"])
    ends = interval(row["difference_low"], row["difference_high"], digits)
    return Effect(str(row["label"]), signed(row["difference"], digits), ends)


def _of_grid(view: StudyView, factor: FactorView, runs: "pd.DataFrame") -> Matters | None:
    from ablate.analyse.spans import spans

    found = spans(runs, view.metric, factor.path)
    if not found:
        return None
    digits = decimals(runs[view.metric.name].dropna(), [span.difference for span in found])
    return Matters(
        tuple(
            Matter(
                span.factor.rsplit(".", 1)[-1].replace("_", " "),
                Effect(
                    f"{span.best} against {span.worst}",
                    signed(span.difference, digits),
                    NONE if span.interval is None else interval(span.interval[0], span.interval[1], digits),
                ),
                None,
            )
            for span in found
        ),
        ("best value against the worst", ""),
        f"Differences in {view.metric.title}, averaged over all values of the other factors and paired by seed; 95 % "
        "intervals hold for all pairs of a factor's values together.",
    )
