"""Sentences that say what the analysis found."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ablate.report.view import FactorView, StudyView
from ablate.task.numbers import number, p_value, separator

if TYPE_CHECKING:
    from ablate.analyse import Best, StudyAnalysis
    from ablate.analyse.results import Trend
    from ablate.task.metric import Metric

OUTCOMES = ("supported", "refuted", "undecided")


def tally(analysis: "StudyAnalysis") -> str:
    """How many claims got which verdict."""
    counts: Counter[str] = Counter(verdict.outcome for verdict in analysis.verdicts)
    total = len(analysis.verdicts)
    parts = [f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if counts[outcome]]
    text = f"{total} {'claim' if total == 1 else 'claims'}: {', '.join(parts)}."
    decided = total - counts["undecided"]
    if total < 2 or not decided:
        return text
    kept = sum(verdict.decided_with_others for verdict in analysis.verdicts)
    if kept == decided:
        held = {1: "that also holds", 2: "both also hold"}.get(kept, f"all {kept} also hold")
    else:
        held = f"{kept or 'none'} of the {decided} decided also hold{'s' if kept < 2 else ''}"
    return f"{text} Each is tested at 5 % by itself; {held} at 5 % for all {total} together (Holm)."


def published_line(analysis: "StudyAnalysis") -> str:
    """How many published numbers agree; empty where none could be checked."""
    distinct = {(c.metric, c.published, c.repeats, c.n, c.mean): c for c in analysis.published}
    checked = [check for check in distinct.values() if check.inside is not None]
    if not checked:
        return ""
    inside = sum(bool(check.inside) for check in checked)
    text = f"{inside} of {len(checked)} published numbers lie inside the 95 % prediction interval of this measurement."
    if len(distinct) < len(analysis.published):
        text += " A number that several factors share, such as the baseline's, is counted once."
    unknown = len(distinct) - len(checked)
    return f"{text} {unknown} could not be checked." if unknown else text


def factor_findings(view: StudyView, factor: FactorView, analysis: "StudyAnalysis") -> list[str]:
    """Best level and trend of a factor in the primary metric."""
    name, metric = view.metric.name, view.metric.title
    result = [
        _best(named_by_lack(best, factor) if view.design == "leave-one-out" else best, view.metric)
        for best in analysis.best
        if best.factor == factor.path and best.metric == name
    ]
    if _are_all_same(factor, name, analysis):
        result = [f"All levels have the same {metric} on every seed."]
    result += _course(factor, analysis)
    peaked = any(
        verdict.outcome == "supported"
        and (verdict.claim.kind, verdict.claim.factor, verdict.claim.metric) == ("peaks_inside", factor.path, name)
        for verdict in analysis.verdicts
    )
    for trend in analysis.trends if not peaked else ():
        if (trend.factor, trend.metric) == (factor.path, name) and _is_told(view, factor, analysis, trend):
            verb = {"rising": "rises", "falling": "falls"}[trend.direction]
            p = min(trend.p_rising, trend.p_falling)
            result.append(
                f"Along its levels {metric} {verb} on the whole (Kendall's τ {number(trend.tau, 2)}, "
                f"Page's test, {p_value(p)})."
            )
    return result


def is_one_value(factor: FactorView, metric: str, analysis: "StudyAnalysis") -> bool:
    """Whether all runs of a factor, of two seeds at least, have the same value of a metric.

    Args:
        factor: The factor.
        metric: Name of the metric.
        analysis: The analysis of the study.
    """
    levels = [entry for entry in analysis.description.levels if (entry.factor, entry.metric) == (factor.path, metric)]
    values = {value for entry in levels if entry.n for value in (entry.minimum, entry.maximum)}
    return len(values) == 1 and max(entry.n for entry in levels) > 1 and not any(entry.diverged for entry in levels)


def _are_all_same(factor: FactorView, metric: str, analysis: "StudyAnalysis") -> bool:
    """Whether no level has another value than another level on any seed."""
    if is_one_value(factor, metric, analysis):
        return True
    levels = [entry for entry in analysis.description.levels if (entry.factor, entry.metric) == (factor.path, metric)]
    groups = [group for group in analysis.identical if (group.factor, group.metric) == (factor.path, metric)]
    return any(len(group.labels) == len(levels) for group in groups)


def _is_told(view: StudyView, factor: FactorView, analysis: "StudyAnalysis", trend: "Trend") -> bool:
    """Whether a trend is decided, and the level with the best mean, if any, at the end to which it points."""
    if trend.direction == "undecided":
        return False
    best = [b.best for b in analysis.best if (b.factor, b.metric) == (factor.path, view.metric.name)]
    end = -1 if (trend.direction == "rising") == (view.metric.sign > 0) else 0
    return not best or best[0] == trend.labels[end]


def named_by_lack(best: "Best", factor: FactorView) -> "Best":
    """The best level of a leave-one-out study with levels named by what they lack: ``all but dropout``."""
    names = {level.label: lacks(level.label, level.value) for level in factor.levels}
    return replace(
        best,
        best=names[best.best],
        indistinguishable=tuple(names[label] for label in best.indistinguishable),
        left_out=tuple(names[label] for label in best.left_out),
        levels=tuple(replace(level, label=names[level.label]) for level in best.levels),
    )


def lacks(label: str, level: object) -> str:
    """What a level of a leave-one-out study is called in a sentence."""
    return {"nothing": "all parts", "all": "none of them"}.get(str(level), f"all but {label}")


def _course(factor: FactorView, analysis: "StudyAnalysis") -> list[str]:
    """When each level was settled in a study that adds seeds look by look."""
    words = {"told": "", "within": "within the margin of the baseline", "undecided": "undecided"}
    parts = [
        f"{entry.label} {words[entry.course.settled] or entry.standing} at {entry.course.seeds} seeds"
        for entry in analysis.comparisons
        if entry.factor == factor.path and entry.course is not None
    ]
    looks = {entry.course.looks for entry in analysis.comparisons if entry.course is not None}
    count = f"{max(looks)} {'look' if max(looks) == 1 else 'looks'}" if looks else ""
    return [f"Seeds were added look by look; after {count}: {', '.join(parts)}."] if parts else []


def _best(best: "Best", metric: "Metric") -> str:
    others = [label for label in best.indistinguishable if label != best.best]
    chances = {level.label: level.probability for level in best.levels}
    chance = chances[best.best]
    sure = ""
    if chance is not None:
        sure = f"; taking the noise to be normal, it is the best with a probability of {_percent(chance)}"
    ranked = f" of {len(best.levels)} levels with {best.n} seeds in common" if best.left_out else ""
    text = f"{best.best} has the best mean {metric.title}{ranked}{sure}."
    if metric.exact:
        text += f" {_listed(others)} cannot be told from it." if others else " All other levels are worse."
    elif others:
        without = "" if chance is None else ", which do without that,"
        text += f" Sign-flip tests{without} do not tell it apart from {_listed(others)}."
    elif len(best.levels) > 1:
        ranked = " that is ranked" if best.left_out else ""
        text += f" Sign-flip tests show of every other level{ranked} that it is not the best, each at 5 % by itself."
    if best.left_out:
        text += f" Not ranked, as they lack runs: {_listed(best.left_out)}."
    return text


def _listed(labels: Sequence[str]) -> str:
    return separator(labels).join(labels)


def _percent(share: float) -> str:
    return "over 99 %" if share > 0.99 else f"{100 * share:.0f} %"
