"""The whole analysis of a study in one call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from ablate.analyse.along_looks import compare_along
from ablate.analyse.best import MOST_LEVELS, best_of
from ablate.analyse.claims import hold_together, judge
from ablate.analyse.claims_along import judge_along
from ablate.analyse.compare import compare_panels
from ablate.analyse.crossed import with_samples
from ablate.analyse.describe import describe
from ablate.analyse.errors import AnalysisError
from ablate.analyse.family import Correction
from ablate.analyse.identical import identical_levels
from ablate.analyse.importance import importance_of
from ablate.analyse.inputs import Metrics, Published, by_name
from ablate.analyse.panel import Level, checked, factors_of, make_panels
from ablate.analyse.published import check_published
from ablate.analyse.results import (
    Best,
    Comparison,
    Description,
    Identical,
    Importance,
    LevelSummary,
    PublishedCheck,
    Trend,
    Verdict,
)
from ablate.analyse.sequential import Looks
from ablate.analyse.table import frame_of, html_of
from ablate.analyse.trend import is_ordered, trend_of
from ablate.task.claim import Claim
from ablate.task.correctness import Correctness


@dataclass(frozen=True)
class Omission:
    """A part of the analysis that the data cannot carry."""

    what: Literal["comparisons", "ranking", "trend", "importance"]
    reason: str
    factor: str = ""
    """Empty: the whole study."""
    metric: str = ""
    """Empty: all of them."""

    def __str__(self) -> str:
        about = f" on {self.metric}" if self.metric else ""
        return f"No {self.what}{about}: {self.factor}{': ' if self.factor else ''}{self.reason}."


@dataclass(frozen=True)
class StudyAnalysis:
    """Everything that a report says about one study."""

    study: str
    metrics: tuple[str, ...]
    factors: tuple[str, ...]
    description: Description
    comparisons: tuple[Comparison, ...]
    best: tuple[Best, ...]
    """One per factor and metric with at least two levels to rank."""
    trends: tuple[Trend, ...]
    """One per factor and metric with at least three ordered (numeric) levels."""
    importance: tuple[Importance, ...]
    """One per metric; empty where the design does not allow it (a warning says why, for several factors)."""
    published: tuple[PublishedCheck, ...]
    verdicts: tuple[Verdict, ...]
    """One per claim, in the order of the claims."""
    omissions: tuple[Omission, ...] = ()
    identical: tuple[Identical, ...] = ()
    """Levels that have the same values on every seed, by factor and metric."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What holds for the whole study: mixed engines, and everything that was left out."""
        return tuple(dict.fromkeys([*self.description.warnings, *map(str, self.omissions)]))

    def summary(self, metric: str, level: object, factor: str | None = None) -> LevelSummary:
        """The summary of one level.

        Args:
            metric: Name of the metric.
            level: The level's value (``1.3``) or its label (``"1.3"``).
            factor: Path of the factor; it may be left out where only one factor has such a level.

        Raises:
            KeyError: There is no such level or metric, or several factors have such a level.
        """
        entries = [e for e in self.description.levels if e.metric == metric and factor in (None, e.factor)]
        found = [e for e in entries if Level(e.level, e.label, e.order, e.is_baseline).matches(level)]
        if len(found) == 1:
            return found[0]
        if found:
            raise KeyError(f"level {level!r} is one of {', '.join(e.factor for e in found)}: name the factor")
        if metric not in self.metrics:
            raise KeyError(f"study {self.study!r} has no metric {metric!r}; there are {', '.join(self.metrics)}")
        there = ", ".join(dict.fromkeys(e.label for e in entries)) or "none"
        about = "" if factor is None else f" of {factor!r} ({', '.join(self.factors)})"
        raise KeyError(f"study {self.study!r} has no level {level!r}{about}; levels are {there}")

    def to_frame(self) -> pd.DataFrame:
        """One row per factor, level and metric: the summary joined with the comparison against the baseline."""
        frame = self.description.to_frame()
        if not self.comparisons:
            return frame
        keys = ["factor", "order", "label", "metric"]
        wanted = [*keys, "n", "difference", "simultaneous_low", "simultaneous_high", "p", "p_corrected", "p_t"]
        wanted += ["effect", "standing"]
        paired = frame_of(self.comparisons)[wanted]
        won = [entry.improvement for entry in self.comparisons]
        paired["p_better"] = [None if one is None else one.probability for one in won]
        paired["p_better_low"] = [None if one is None else one.interval.low for one in won]
        paired["p_better_high"] = [None if one is None else one.interval.high for one in won]
        paired["e"] = [None if one is None else one.e for one in won]
        if any(entry.with_samples is not None for entry in self.comparisons):
            sampled = [entry.with_samples for entry in self.comparisons]
            paired["with_samples_low"] = [None if one is None else one.low for one in sampled]
            paired["with_samples_high"] = [None if one is None else one.high for one in sampled]
        renamed = {"n": "pairs", "simultaneous_low": "difference_low", "simultaneous_high": "difference_high"}
        return frame.merge(paired.rename(columns=renamed), on=keys, how="left")

    def __str__(self) -> str:
        head = f"{self.study}: {len(self.factors)} factor(s), {len(self.description.levels)} summaries"
        return "\n".join([head, *(f"  {verdict}" for verdict in self.verdicts), *(f"  ! {w}" for w in self.warnings)])

    def _repr_html_(self) -> str:
        return html_of(self.to_frame())


def analyse(
    runs: pd.DataFrame,
    *,
    metrics: Metrics,
    declared: Metrics = (),
    claims: Sequence[Claim] = (),
    published: Sequence[Published] = (),
    families: Mapping[str, str] | None = None,
    correction: Correction = "max-t",
    looks: Looks | None = None,
    stated_after: Mapping[str, int] | None = None,
    kept: Mapping[str, Correctness] | None = None,
    seed: int = 0,
) -> StudyAnalysis:
    """Analyse one study: levels, comparisons, best levels, trends, importance, published numbers and claims.

    The table of comparisons and the set of levels that may be the best do not contradict each other: where the best
    mean is the baseline's, or none is shown to beat the baseline, a level that its comparison leaves undecided stays
    in the set. The set's own tests are one-sided and of one factor, and would now and then leave it out.

    What the data cannot carry is left out, and ``omissions`` says why. Errors of the study file (a claim about a level
    that the study does not have) are raised.

    Args:
        runs: frame of runs of one study.
        metrics: those to analyse, each with a column of its name.
        declared: further metrics that claims and published numbers may be about, and that may tell whether a run is at
            chance: all of the task's.
        claims: sentences to judge.
        published: printed numbers to check.
        families: factor to the family whose comparisons are corrected together; None: all factors are one. A union of
            studies has one for each: bringing reports together answers no further question.
        correction: of the comparisons with the baseline, see :func:`ablate.analyse.compare.compare`.
        looks: of a study that adds seeds look by look, by the last of ``metrics``; only runs that count may be in the
            frame (:func:`ablate.analyse.along_looks.counted_runs`).
        stated_after: of such a study, by the id of each claim that was stated after looks were made, how many were.
        kept: which samples runs get right, by digest (a column of the frame then), where that was kept.
        seed: of all random numbers.

    Raises:
        AnalysisError: not a frame of runs of one study; a claim or published number about something not in it.
    """
    wanted = by_name(metrics)
    known = by_name([*wanted.values(), *by_name(declared).values()])
    others = known.values()
    runs = checked(runs, tuple(wanted))
    runs = runs[[name for name in runs.columns if not str(name).startswith("config.")]]  # many, and none is read here
    factors = factors_of(runs)
    baselines = runs[runs["is_baseline"].astype(bool)].groupby("factor")["order"].nunique()
    comparable = [factor for factor in factors if baselines.get(factor) == 1]
    omissions = [
        Omission("comparisons", "there is no single baseline level", factor)
        for factor in factors
        if factor not in comparable
    ]
    comparisons: list[Comparison] = []
    bests: list[Best] = []
    trends: list[Trend] = []
    shares: list[Importance] = []
    by_metric = make_panels(runs, list(wanted.values()), others)
    for name, panels in by_metric.items():
        metric = wanted[name]
        for together in _grouped(comparable, families or {}):
            family = [panel for panel in panels if panel.factor in together]
            if looks is not None and name == list(wanted)[-1]:
                based = runs[runs["factor"].isin(together)]
                comparisons += compare_along(based, metric=metric, looks=looks, seed=seed, declared=others)
            else:
                comparisons += compare_panels(family, seed=seed, correction=correction)
        for panel in panels:
            factor, levels = panel.factor, panel.levels
            if len(levels) >= 2:
                try:
                    bests.append(best_of(panel, seed=seed))
                except AnalysisError as error:
                    omissions.append(Omission("ranking", str(error).removeprefix(f"{factor}: "), factor, metric.name))
            if 3 <= len(levels) <= MOST_LEVELS and is_ordered(levels):
                try:
                    trends.append(trend_of(panel))
                except AnalysisError as error:
                    omissions.append(Omission("trend", str(error).removeprefix(f"{factor}: "), factor, metric.name))
        if len(factors) > 1 or any(isinstance(level, tuple | list) for level in runs["level"].iloc[:1]):
            try:
                shares.append(importance_of(panels))
            except AnalysisError as error:
                omissions.append(Omission("importance", str(error), metric=metric.name))
    description = describe(runs, metrics=wanted, seed=seed, declared=known)
    if looks is not None:
        text = (
            f"Seeds were added by {list(wanted.values())[-1].title} alone, look by look: comparisons in other metrics "
            "do not allow for the looks and may err more often than in 5 % of studies. Each claim is tested by "
            f"itself, at {100 * looks.alpha:g} % over all its looks."
        )
        description = replace(description, warnings=(*description.warnings, text))
    return StudyAnalysis(
        study=str(runs["study"].iloc[0]),
        metrics=tuple(wanted),
        factors=factors,
        description=description,
        comparisons=with_samples(comparisons, runs, kept or {}),
        best=tuple(_agreeing(best, comparisons) for best in bests),
        trends=tuple(trends),
        importance=tuple(shares),
        published=check_published(runs, published, known),
        verdicts=hold_together([judge(runs, claim, known, seed=seed) for claim in claims])
        if looks is None
        else judge_along(runs, claims, known, looks, by=list(wanted)[-1], stated_after=stated_after or {}, seed=seed),
        omissions=tuple(omissions),
        identical=identical_levels(by_metric),
    )


def _agreeing(best: Best, comparisons: Sequence[Comparison]) -> Best:
    """The best levels with those that the comparison with the baseline does not tell from the best."""
    own = {c.label: c for c in comparisons if (c.factor, c.metric) == (best.factor, best.metric)}
    undecided = {label for label, entry in own.items() if entry.standing in ("undecided", "identical")}
    if best.best not in own:
        kept = undecided  # the best mean is the baseline's, or there is none
    elif best.best in undecided and all(entry.standing != "better" for entry in own.values()):
        kept = {own[best.best].baseline_label}
    else:
        return best
    levels = tuple(replace(level, in_set=level.in_set or level.label in kept) for level in best.levels)
    return replace(best, levels=levels, indistinguishable=tuple(level.label for level in levels if level.in_set))


def _grouped(factors: Sequence[str], families: Mapping[str, str]) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for factor in factors:
        groups.setdefault(families.get(factor, ""), []).append(factor)
    return list(groups.values())
