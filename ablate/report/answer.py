"""The answer of a study: for each factor a few short sentences that a person can repeat.

They say which levels beat the baseline and by how much, or that none is shown to; which is the best, or between which
that is open; which are worse; how many seeds are behind it; whether the best lies at the edge of what was tried; and
where another metric comes to another verdict.

A size in a sentence is the lead of the level that is named as ahead, or how far one is behind: it is never negative,
and its interval has the same direction. In tables a difference is level minus baseline.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ablate.report.findings import is_one_value, lacks, named_by_lack
from ablate.report.view import FactorView, StudyView
from ablate.task.numbers import interval, number, separator

if TYPE_CHECKING:
    import pandas as pd

    from ablate.analyse import Best, StudyAnalysis
    from ablate.analyse.results import Identical
    from ablate.task.metric import Metric

MOST_NAMED = 6
"""Levels that a sentence lists; of more it gives the number."""
MOST_COMBINED = 3
"""The same for levels that are combinations, whose names are long."""

MOST_OTHERS = 2
"""Further metrics whose other verdicts are told; of more only the names."""

COLUMNS = (
    *("label", "level", "order", "is_baseline", "complete", "n", "mean", "at_chance", "interval_low", "interval_high"),
    *("difference", "difference_low", "difference_high", "standing", "pairs", "needed", "digits"),
)
"""What is read of a level."""

Row = Mapping[Any, Any]
"""One level in one metric, as :func:`ablate.report.summary.summarise` has it."""

Rows = Mapping[tuple[str, str], Mapping[str, Row]]
"""Levels by factor and metric, then by label, in their order."""


def study_answer(view: StudyView, levels: "pd.DataFrame", analysis: "StudyAnalysis") -> list[str]:
    """One text for each factor with at least two levels, in the study's order, about the primary metric.

    Args:
        view: The study.
        levels: The levels from :func:`ablate.report.summary.summarise`.
        analysis: The analysis of the same runs.

    Returns:
        Texts that start with the factor's name; empty: no factor has two levels.
    """
    rows = defaultdict[tuple[str, str], dict[str, Row]](dict)
    for row in levels[["factor", "metric", *COLUMNS]].sort_values("order", kind="stable").to_dict("records"):
        rows[row["factor"], row["metric"]][str(row["label"])] = row
    return [text for factor in view.factors if (text := _factor_answer(view, factor, rows, analysis))]


def _factor_answer(view: StudyView, factor: FactorView, rows: Rows, analysis: "StudyAnalysis") -> str:
    """The text about one factor; empty: it has fewer than two levels."""
    found = {
        metric.name: _outcome(view, factor, metric, rows.get((factor.path, metric.name), {}), analysis)
        for metric in view.metrics
    }
    main = found[view.metric.name]
    if not isinstance(main, _Outcome):
        return f"{factor.title}: {main}" if main else ""
    tested = [other for other in found.values() if isinstance(other, _Outcome) and not other.metric.exact]
    others = [other for other in tested if other.contradicts(main)]
    parts = [f"{factor.title}: {main.text()}"]
    parts += [f"By {other.metric.title} the verdict differs: {other.against(main)}." for other in others[:MOST_OTHERS]]
    if len(others) > MOST_OTHERS:
        more = ", ".join(other.metric.title for other in others[MOST_OTHERS:])
        parts.append(f"By {more} it differs, too: see the tables.")
    return " ".join(parts)


def _outcome(
    view: StudyView, factor: FactorView, metric: "Metric", rows: Mapping[str, Row], analysis: "StudyAnalysis"
) -> "_Outcome | str":
    """What was found of one factor in one metric, or why nothing; empty: the factor has fewer than two levels."""
    if len(rows) < 2:
        return ""
    best = next((b for b in analysis.best if b.factor == factor.path and b.metric == metric.name), None)
    groups = [entry for entry in analysis.identical if (entry.factor, entry.metric) == (factor.path, metric.name)]
    if view.design == "leave-one-out":  # a level is named by what it lacks
        names = {label: lacks(label, row["level"]) for label, row in rows.items()}
        rows = {names[label]: row for label, row in rows.items()}
        best = best and named_by_lack(best, factor)
        groups = [replace(group, labels=tuple(names[label] for label in group.labels)) for group in groups]
    silent = _silence(rows, best)
    if not silent and not metric.exact and is_one_value(factor, metric.name, analysis):
        silent = f"nothing can be said, as all runs have the same {metric.title}, whatever the level and seed"
    if silent:
        return _sentences([silent, *(_identical(group, rows, metric, _and) for group in groups)])
    if best is None:
        return ""
    return _Outcome(factor, metric, rows, best, groups)


def _silence(rows: Mapping[str, Row], best: "Best | None") -> str:
    """Why nothing can be said at all; empty: something can."""
    complete = sum(int(row["complete"]) for row in rows.values())
    chance = sum(int(row["at_chance"]) for row in rows.values() if not _absent(row["at_chance"]))
    if complete and chance == complete:
        return "nothing can be said, as no run has learned anything (all are at chance)"
    if best is not None:
        return ""
    if max(int(row["complete"]) for row in rows.values()) == 1:
        return "nothing can be said with one run of a level, as a difference may be luck: add seeds"
    return "nothing can be said yet, as too few runs are complete"


def _baseline(rows: Mapping[str, Row]) -> tuple[str, str]:
    """The label of the baseline, empty where there is no single one, and what it is called in a sentence."""
    labels = [label for label, row in rows.items() if row["is_baseline"]]
    label = labels[0] if len(labels) == 1 else ""
    return label, "the baseline" if label == "baseline" else f"the baseline ({label})"


def _identical(
    group: "Identical", rows: Mapping[str, Row], metric: "Metric", names: Callable[[Sequence[str]], str]
) -> str:
    """That levels have the same values on every seed, and the question whether they are read.

    The question is left out where another metric shows that they are, and of a single seed, where equal values may be
    luck.
    """
    baseline, named = _baseline(rows)
    others = [label for label in group.labels if label != baseline]
    is_whole, has_baseline = len(group.labels) == len(rows) > 2, len(others) < len(group.labels)
    seeds = "the one seed" if group.seeds == 1 else f"every seed ({_seeds(group.seeds)})"
    who = "all levels" if is_whole else names(others)
    if not group.in_all or group.seeds == 1:
        also = f" and {named}" if has_baseline and not is_whole else ""
        return f"{who}{also} have the same {metric.title} on {seeds}"
    to = f" to {named}" if has_baseline and not is_whole else ""
    asked = "are they" if len(others) > 1 and not is_whole else "is it"
    return f"{who} {'is' if len(others) == 1 else 'are'} identical{to} on {seeds}: {asked} read?"


def _sentences(parts: Sequence[str]) -> str:
    """Parts with a full stop each, but after a question; empty ones are left out."""
    return " ".join(part if part.endswith("?") else f"{part}." for part in parts if part)


def _and(labels: Sequence[str]) -> str:
    return separator(labels).join(labels[:-1]) + " and " + labels[-1] if len(labels) > 1 else labels[0]


class _Outcome:
    """What was found of one factor in one metric, where a level has the best mean."""

    def __init__(
        self,
        factor: FactorView,
        metric: "Metric",
        rows: Mapping[str, Row],
        best: "Best",
        groups: "Sequence[Identical]" = (),
    ) -> None:
        self.metric, self._factor, self._rows, self._best = metric, factor, rows, best
        self._baseline, self._named = _baseline(rows)
        self._alike = [label for label in rows if label in best.indistinguishable]
        compared = [label for label in rows if label != self._baseline and not _absent(rows[label]["difference"])]
        self._better = [label for label in compared if self._standing(label) == "better"]
        self._worse = [label for label in compared if self._standing(label) == "worse"]
        self._equal = [label for label in compared if rows[label]["standing"] == "exact" and not self._lead(label)]
        self._groups, self._same = groups, [label for label in compared if self._standing(label) == "identical"]
        told = (*self._better, *self._worse, *self._equal, *self._same)
        self._open = [label for label in compared if label not in told]
        ranked = [int(row["n"]) for label, row in rows.items() if label not in best.left_out]
        shared = f" on the {best.n} seeds that all levels share" if set(ranked) != {best.n} else ""
        self._best_mean = f"The best mean{shared} is that of {best.best}"

    def text(self) -> str:
        """What beats the baseline, what is the best, and where it lies, in sentences."""
        left = list(self._best.left_out)
        names = self._names
        same = [_identical(group, self._rows, self.metric, names) for group in self._groups]
        if any(len(group.labels) == len(self._rows) for group in self._groups):
            return _sentences(same)
        lacking = f"Not ranked for lack of runs: {names(left)}" if left else ""
        return _sentences([*self._found(), *same, lacking, *self._edge()])

    def contradicts(self, other: "_Outcome") -> bool:
        """Whether what this metric decides of some level, another metric does not, or decides otherwise."""
        if any(other._standing(label) != self._standing(label) for label in (*self._better, *self._worse)):
            return True
        return self._best.best not in other._alike and other._best.best not in self._alike

    def against(self, other: "_Outcome") -> str:
        """What it decides where it contradicts another metric."""
        parts: list[str] = []
        for labels, verb in ((self._better, "better"), (self._worse, "worse")):
            if unlike := [label for label in labels if other._standing(label) != self._standing(label)]:
                of = "" if parts else " than the baseline"
                is_verb = f"{'is' if len(unlike) == 1 else 'are'} {verb}"
                parts.append(f"{self._names(unlike)} {is_verb}{of} {self._by(unlike)}")
        return "; ".join(parts) or f"the best is {self._best.best}, not {other._best.best}"

    def _found(self) -> list[str]:
        if not self._baseline or (self._best.best != self._baseline and _absent(self._row["difference"])):
            return self._without_baseline()
        worse = f"Worse: {self._names(self._worse)}, {self._by(self._worse)}" if self._worse else ""
        if self._better:
            return [*self._some_better(), worse, f"Undecided: {self._names(self._open)}" if self._open else ""]
        if self._equal and not self._open:
            equal = f"{self._names(self._equal)} and {self._named} are equal in {self.metric.title}"
            return [equal, worse]
        if self._same and not self._open:
            return [f"no level is shown to beat {self._named} in {self.metric.title}", worse]
        return [*self._none_better(), worse] if self._open else self._all_worse()

    def _without_baseline(self) -> list[str]:
        best, row = self._best.best, self._row
        ends = interval(row["interval_low"], row["interval_high"], row["digits"])
        mean = (
            f"{number(row['mean'], row['digits'])}{self.metric.unit_after} (95 % interval {ends}, {_seeds(row['n'])})"
        )
        if len(self._alike) == 1:
            return [f"{best} is the best in {self.metric.title}, with a mean of {mean}"]
        return [f"which of {self._rivals()} is the best in {self.metric.title} is open", f"{self._best_mean}, {mean}"]

    def _some_better(self) -> list[str]:
        best, better, rivals = self._best.best, self._better, len(self._alike) > 1
        if better == [best] and not rivals and len(self._rows) > 2:
            told = f"{best} is the best in {self.metric.title}: it beats {self._named} "
            return [told + self._by(better)]
        verb = "beats" if len(better) == 1 else "beat"
        told = f"{self._names(better)} {verb} {self._named} in {self.metric.title}, {self._by(better)}"
        if len(self._rows) == 2:
            return [told]
        which = self._best_mean if rivals else f"The best is {best}"
        lead = "" if better == [best] else f"{which}, which {self._against_baseline(best)}"
        return [told, lead, f"Which of {self._rivals()} is the best is open" if rivals else ""]

    def _none_better(self) -> list[str]:
        best, metric = self._best.best, self.metric.title
        near = best if best in self._open else max(self._open, key=self._lead)
        if len(self._rows) == 2:
            told = f"whether {near} or {self._named} is better in {metric} is open"
            return [f"{told}: {near} {self._against_baseline(near)}"]
        told = f"no level is shown to beat {self._named} in {metric}"
        if near == best:
            return [told, f"{self._best_mean}, which {self._against_baseline(best)}"]
        return [told, f"{self._best_mean}; next to it, {near} {self._against_baseline(near)}"]

    def _all_worse(self) -> list[str]:
        if not self._worse:
            return [f"no other level has runs to compare with {self._named}"]
        near = max(self._worse, key=self._lead)
        behind, metric = self._by([near]), self.metric.title
        if len(self._rows) == 2:
            return [f"{self._named} beats {near} in {metric}, {behind}"]
        told = f"{self._named} is the best in {metric}: every other level is worse"
        return [f"{told}, the nearest, {near}, {behind}"]

    @property
    def _row(self) -> Row:
        return self._rows[self._best.best]

    def _standing(self, label: str) -> str:
        standing = self._rows[label]["standing"] if label in self._rows else ""
        if standing == "exact":
            return "better" if self._lead(label) > 0 else "worse" if self._lead(label) < 0 else ""
        return standing if isinstance(standing, str) else ""

    def _lead(self, label: str) -> float:
        """How far a level is better than the baseline; negative: worse."""
        return self.metric.sign * float(self._rows[label]["difference"])

    def _against_baseline(self, label: str) -> str:
        row = self._rows[label]
        needed = f"; about {row['needed']} seeds would settle it" if row["needed"] and label in self._open else ""
        if not number(abs(self._lead(label)), row["digits"]).strip("0."):
            is_open = ", undecided" if label in self._open else ""
            return f"has the same mean as the baseline{is_open} ({self._certainty(label)}{needed})"
        verb = "leads" if self._lead(label) > 0 else "trails"
        return f"{verb} the baseline {self._by([label], needed)}"

    def _by(self, labels: Sequence[str], more: str = "") -> str:
        """How far levels lead the baseline, or how far they trail it: never negative, nor against its interval."""
        digits, unit = self._rows[labels[0]]["digits"], self.metric.unit_after
        sizes = [number(size, digits) for size in sorted(abs(self._lead(label)) for label in labels)]
        if len(labels) == 1:
            return f"by {sizes[0]}{unit} ({self._certainty(labels[0])}{more})"
        return f"by {sizes[0]}{unit}" if sizes[0] == sizes[-1] else f"by {sizes[0]} to {sizes[-1]}{unit}"

    def _certainty(self, label: str) -> str:
        """The interval of a lead, or of how far a level trails, and the seeds behind it."""
        row = self._rows[label]
        if row["standing"] == "exact":
            return "exact"
        sign = self.metric.sign if self._lead(label) >= 0 else -self.metric.sign
        low, high = row["difference_low"], row["difference_high"]
        ends = interval(low, high, row["digits"]) if sign > 0 else interval(_minus(high), _minus(low), row["digits"])
        return f"95 % interval {ends}, {_seeds(row['pairs'])}"

    def _rivals(self) -> str:
        """The levels among which the best is."""
        every = len(self._alike) == len(self._rows) + len(self._best.left_out) > 2
        if every or not self._are_listed(self._alike):
            return f"{'the ' if every else ''}{len(self._alike)} levels"
        return self._names(self._alike)

    def _names(self, labels: Sequence[str]) -> str:
        """Levels as words: a run of neighbours on an axis by its ends."""
        if self._are_neighbours(labels):
            return f"{labels[0]} to {labels[-1]}"
        if not self._are_listed(labels):
            return f"{len(labels)} of the {len(self._rows)} levels"
        return _and(labels)

    def _are_neighbours(self, labels: Sequence[str]) -> bool:
        places = [list(self._rows).index(label) for label in labels if label in self._rows]
        return self._factor.ordered and len(labels) > 2 and places == list(range(places[0], places[0] + len(labels)))

    def _are_listed(self, labels: Sequence[str]) -> bool:
        """Whether a sentence names all of these levels, rather than how many they are."""
        most = MOST_NAMED if separator(labels) == ", " else MOST_COMBINED
        return len(labels) <= most or self._are_neighbours(labels)

    def _edge(self) -> list[str]:
        """Where the best, or a level that may be, lies at the end of what was tried."""
        if len(self._rows) == 2:
            return []  # any of two is at the edge
        values = {label: _numbers(row["level"]) for label, row in self._rows.items()}
        parts, own = self._best.best.split(", "), values[self._best.best]
        ends = []
        for place, value in enumerate(own):
            tried = [found[place] for found in values.values() if len(found) == len(own)]
            if value is None or any(other is None for other in tried) or len(set(tried)) < 3:
                continue
            known = [other for other in tried if other is not None]
            if value in (min(known), max(known)):
                named = len(own) > 1 and len(parts) == len(own)
                which = f"Of the best mean, {parts[place]}" if named else f"The best mean, {self._best.best},"
                beyond = "larger" if value == max(known) else "smaller"
                ends.append(f"{which} is at the edge of the range: try {beyond} values")
        if ends or not self._factor.ordered:
            return ends
        by_size = sorted(self._rows, key=lambda label: float(values[label][0] or 0.0))
        near = [label for label in (by_size[0], by_size[-1]) if label in self._alike]
        return [f"{near[0]}, at the edge of the range, may be the best, too"] if len(near) == 1 else []


def _seeds(count: Any) -> str:
    return f"{int(count)} seed{'' if int(count) == 1 else 's'}"


def _minus(value: Any) -> Any:
    return value if _absent(value) else -float(value)


def _numbers(level: Any) -> list[float | None]:
    """The parts of a level (one, or those of a combination), None where one is no number."""
    parts = list(level) if isinstance(level, tuple | list) else [level]
    return [float(p) if isinstance(p, int | float) and not isinstance(p, bool) else None for p in parts]


def _absent(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
