"""The answer of a study: for each factor one sentence that a person can repeat.

It says which level is the best, which levels cannot be told from it, by how much they beat the baseline, how many seeds
are behind it, and whether the best lies at the edge of what was tried.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ablate.report.numbers import interval, number, separator, signed
from ablate.report.view import FactorView, StudyView

if TYPE_CHECKING:
    import pandas as pd

    from ablate.analyse import Best, StudyAnalysis

MOST_NAMED = 6
"""Levels that a sentence lists; of more it gives the number."""
MOST_COMBINED = 3
"""The same for levels that are combinations, whose names are long."""

Row = Mapping[Any, Any]
"""One level in the primary metric, as :func:`ablate.report.summary.summarise` has it."""


def study_answer(view: StudyView, levels: "pd.DataFrame", analysis: "StudyAnalysis") -> list[str]:
    """One sentence for each factor with at least two levels, in the study's order, about the primary metric.

    Args:
        view: The study.
        levels: The levels from :func:`ablate.report.summary.summarise`.
        analysis: The analysis of the same runs.

    Returns:
        Sentences that start with the factor's name; empty: no factor has two levels.
    """
    return [text for factor in view.factors if (text := factor_answer(view, factor, levels, analysis))]


def factor_answer(view: StudyView, factor: FactorView, levels: "pd.DataFrame", analysis: "StudyAnalysis") -> str:
    """The sentence about one factor; empty: it has fewer than two levels. Arguments: see :func:`study_answer`."""
    own = levels[(levels["factor"] == factor.path) & (levels["metric"] == view.metric.name)]
    rows = {str(row["label"]): row for row in own.sort_values("order", kind="stable").to_dict("records")}
    if len(rows) < 2:
        return ""
    best = next((b for b in analysis.best if b.factor == factor.path and b.metric == view.metric.name), None)
    silent = _silence(rows, best)
    said = silent or _Sentence(view, factor, rows, best).text() if best is not None else silent
    return f"{factor.title}: {said}."


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


class _Sentence:
    """The parts of the sentence about one factor that has a best level."""

    def __init__(self, view: StudyView, factor: FactorView, rows: Mapping[str, Row], best: "Best") -> None:
        self._factor, self._rows, self._best = factor, rows, best
        self._metric = view.metric
        self._top = rows[best.best]
        baselines = [label for label, row in rows.items() if row["is_baseline"]]
        self._baseline = baselines[0] if len(baselines) == 1 and len(rows) > 1 else ""
        self._alike = [label for label in rows if label in best.indistinguishable]
        ranked = [int(row["n"]) for label, row in rows.items() if label not in best.left_out]
        shared = f" on the {best.n} seeds that all levels share" if set(ranked) != {best.n} else ""
        self._best_mean = f"the best mean{shared}"

    def text(self) -> str:
        """What is best, and where it lies."""
        where = self._edge()
        return "; ".join(part for part in (self._found(), where, self._left_out()) if part)

    def _found(self) -> str:
        best, baseline, metric = self._best.best, self._baseline, self._metric.title
        others = [label for label in self._alike if label != baseline]
        if len(self._alike) == len(self._rows) + len(self._best.left_out) > 2:
            told = f"none of the {len(self._alike)} levels can be told from the others in {metric}"
        elif len(self._alike) > 1:
            told = f"{self._names(self._alike)} cannot be told apart in {metric}"
        else:
            told = f"{best} is the best in {metric}"
        if not baseline or (_absent(self._top["difference"]) and best != baseline):
            return f"{told}; {self._mean(best)}"
        if best == baseline:
            return self._baseline_is_best(told)
        if self._standing(best) != "better":
            return f"{told}; {self._lead(best)}, is not shown to beat the baseline, {baseline}{self._needed()}"
        if baseline not in self._alike and all(self._standing(label) == "better" for label in others):
            if len(others) == 1:
                return f"{best} beats {baseline} by {self._size(best)} {self._details(best)} in {metric}"
            sizes = sorted(abs(float(self._rows[label]["difference"])) for label in others)
            return (
                f"{self._names(self._alike)} cannot be told apart and beat {baseline} by "
                f"{self._span(sizes)} in {metric}; {self._best_mean} is that of {best} {self._signed(best)}"
            )
        return f"{told}; {self._lead(best)}, beats the baseline, {baseline}"

    def _baseline_is_best(self, told: str) -> str:
        best = self._best.best
        ranked = [label for label in self._rows if label != best and not _absent(self._rows[label]["difference"])]
        if len(self._alike) > 1 or not ranked:
            return f"{told}; {self._best_mean} is that of the baseline, {self._mean(best, named=best)}"
        sign = self._metric.sign
        nearest = max(ranked, key=lambda label: sign * float(self._rows[label]["difference"]))
        worse = all(self._standing(label) == "worse" for label in ranked)
        rest = "every other level is worse, the nearest to it" if worse else "the other level nearest to it"
        rest = f"{rest} is the level {nearest} {self._signed(nearest)}"
        return f"the baseline, {best}, is the best in {self._metric.title}; {rest}"

    def _lead(self, label: str) -> str:
        return f"{self._best_mean}, that of {label} {self._signed(label)}"

    def _mean(self, label: str, named: str = "") -> str:
        row = self._rows[label]
        ends = interval(row["interval_low"], row["interval_high"], row["digits"])
        said = f"{number(row['mean'], row['digits'])}, 95 % interval {ends}, {self._seeds(int(row['n']))}"
        return f"{named} ({said})" if named else f"{self._best_mean} is that of {label} ({said})"

    def _signed(self, label: str) -> str:
        row = self._rows[label]
        return f"({signed(row['difference'], row['digits'])}, {self._certainty(row)})"

    def _details(self, label: str) -> str:
        return f"({self._certainty(self._rows[label])})"

    def _certainty(self, row: Row) -> str:
        ends = interval(row["difference_low"], row["difference_high"], row["digits"])
        return f"95 % interval {ends}, {self._seeds(int(row['pairs']))}"

    def _size(self, label: str) -> str:
        row = self._rows[label]
        return number(abs(float(row["difference"])), row["digits"])

    def _span(self, sizes: Sequence[float]) -> str:
        low, high = (number(size, self._top["digits"]) for size in (sizes[0], sizes[-1]))
        return low if low == high else f"{low} to {high}"

    def _standing(self, label: str) -> str:
        standing = self._rows[label]["standing"]
        return standing if isinstance(standing, str) else ""

    def _needed(self) -> str:
        return f" (about {self._top['needed']} seeds would settle it)" if self._top["needed"] else ""

    @staticmethod
    def _seeds(count: int) -> str:
        return f"{count} seed{'' if count == 1 else 's'}"

    def _left_out(self) -> str:
        left = self._best.left_out
        if not left:
            return ""
        verb = "is" if len(left) == 1 else "are"
        return f"{self._names(list(left))} {verb} not ranked for lack of runs"

    def _names(self, labels: Sequence[str]) -> str:
        """Levels as words: a run of neighbours on an axis by its ends."""
        places = [list(self._rows).index(label) for label in labels]
        if self._factor.ordered and len(labels) > 2 and places == list(range(places[0], places[-1] + 1)):
            return f"{labels[0]} to {labels[-1]}"
        if len(labels) > (MOST_NAMED if separator(labels) == ", " else MOST_COMBINED):
            others = len(labels) - 1
            return f"{self._best.best} and {others} other levels"
        return separator(labels).join(labels[:-1]) + " and " + labels[-1] if len(labels) > 1 else labels[0]

    def _edge(self) -> str:
        """Where the best, or a level that may be, lies at the end of what was tried."""
        values = {label: _numbers(row["level"]) for label, row in self._rows.items()}
        parts = self._best.best.split(", ")
        own = values[self._best.best]
        ends = []
        for place, value in enumerate(own):
            tried = [found[place] for found in values.values() if len(found) == len(own)]
            if value is None or any(other is None for other in tried) or len(set(tried)) < 2:
                continue
            known = [other for other in tried if other is not None]
            if value in (min(known), max(known)):
                name = parts[place] if len(own) > 1 and len(parts) == len(own) else self._best.best
                beyond = "larger" if value == max(known) else "smaller"
                ends.append(f"{name} is the edge of the range: try {beyond} values")
        if ends or not self._factor.ordered:
            return "; ".join(ends)
        by_size = sorted(self._rows, key=lambda label: float(values[label][0] or 0.0))
        near = [label for label in (by_size[0], by_size[-1]) if label in self._alike]
        return f"the edge of the range, {near[0]}, is among them" if len(near) == 1 else ""


def _numbers(level: Any) -> list[float | None]:
    """The parts of a level (one, or those of a combination), None where one is no number."""
    parts = list(level) if isinstance(level, tuple | list) else [level]
    return [float(p) if isinstance(p, int | float) and not isinstance(p, bool) else None for p in parts]


def _absent(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
