"""What matters most, in the metric's own unit: what each factor can gain over the baseline, and what it can cost.

Factors are ranked by the largest difference from the baseline that a level of theirs makes, in either direction. One
that is undecided ranks below every decided one, however large it looks. A share of the variance would make everything
else look small where one factor has a level like a learning rate of 0; here every factor keeps its own differences.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ablate.report.view import FactorView, StudyView
from ablate.task.numbers import NONE, decimals, interval, signed

if TYPE_CHECKING:
    import pandas as pd


DECIDED = ("better", "worse", "exact")
"""Standings of a difference that is told from none."""


@dataclass(frozen=True)
class Effect:
    """One level and what it changes."""

    level: str
    change: str
    """Difference with its sign."""
    interval: str
    """95 %."""
    standing: str
    """As the level's table has it."""

    @property
    def decided(self) -> bool:
        """Whether it is told from no difference."""
        return self.standing in DECIDED


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
    """All factors of a study: those with decided differences first; each by its largest, gain or cost."""

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
        own = rows[rows["factor"] == factor.path].to_dict("records")
        if own:
            sides = [_most(own, sign, "better"), _most(own, -sign, "worse")]
            effects = [_effect(row) if size > 0 else None for size, row in sides]
            sizes = [(bool(e and e.decided), size) for (size, _), e in zip(sides, effects, strict=True)]
            found.append((max(sizes), Matter(factor.name, *effects)))
    if len(found) < 2:
        return None
    matters = [matter for _, matter in sorted(found, key=lambda one: one[0], reverse=True)]
    return Matters(
        tuple(matters),
        ("best level against the baseline", "worst level against the baseline"),
        f"{_what_is_decided(matters)}Differences in {view.metric.title} with 95 % intervals (of "
        "all levels that are compared together); first the factors with a decided difference, each by its largest, "
        "whether gain or cost, then the others likewise. What a factor costs depends on how far its levels go. "
        "The gain of the best of several levels is partly luck where intervals are wide.",
    )


def _most(rows: list[dict[Any, Any]], sign: float, standing: str) -> tuple[float, dict[Any, Any]]:
    """The largest difference in one direction, decided ones before others, and its row."""

    def rank(row: dict[Any, Any]) -> tuple[bool, float]:
        size = sign * float(row["difference"])
        return row["standing"] == standing or (row["standing"] == "exact" and size > 0), size

    row = max(rows, key=rank)
    return rank(row)[1], row


def _what_is_decided(matters: list[Matter]) -> str:
    gains = any(matter.best and matter.best.decided for matter in matters)
    costs = any(matter.worst and matter.worst.decided for matter in matters)
    if gains:
        return ""
    return "No factor is shown to gain anything. " if costs else "Nothing is decided: no factor is shown to matter. "


def _effect(row: Mapping[Any, Any]) -> Effect:
    digits = int(row["digits"])
    ends = interval(row["difference_low"], row["difference_high"], digits)
    return Effect(str(row["label"]), signed(row["difference"], digits), ends, str(row["standing"]))


def _of_grid(view: StudyView, factor: FactorView, runs: "pd.DataFrame") -> Matters | None:
    from ablate.analyse.spans import spans

    found = spans(runs, view.metric, factor.path)
    if not found:
        return None
    digits = decimals(runs[view.metric.name].dropna(), [span.difference for span in found])
    matters = [
        Matter(
            span.factor.rsplit(".", 1)[-1].replace("_", " "),
            Effect(
                f"{span.best} against {span.worst}",
                signed(span.difference, digits),
                NONE if span.interval is None else interval(span.interval[0], span.interval[1], digits),
                "undecided" if span.interval is None or span.interval[0] <= 0 <= span.interval[1] else "better",
            ),
            None,
        )
        for span in found
    ]
    matters.sort(key=lambda matter: not (matter.best and matter.best.decided))  # the largest first, as they come
    return Matters(
        tuple(matters),
        ("best value against the worst", ""),
        f"{_what_is_decided(matters)}Differences in {view.metric.title}, averaged over all values of the other factors "
        "and paired by seed, decided ones first; 95 % intervals hold for all pairs of a factor's values together.",
    )
