"""A study's warnings as few lines: those of one kind are one, with the factors and levels that it is about."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ablate.report.view import StudyView
from ablate.task.numbers import separator

if TYPE_CHECKING:
    from ablate.analyse import StudyAnalysis

NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]\d+)?")
MOST_LABELS = 12
"""Levels of a factor that a warning lists."""


def warnings(view: StudyView, analysis: "StudyAnalysis") -> list[str]:
    """Every warning that a reader has to see, one line a kind.

    Args:
        view: The study.
        analysis: The analysis of its runs.

    Returns:
        Sentences; numbers in which warnings of a kind differ are ranges.
    """
    from ablate.analyse.uneven import UNEVEN_BASELINE

    kinds = _Kinds(view)
    for text in view.faults:
        kinds.add(text)
    for text in analysis.description.warnings:
        kinds.add(text)
    for omission in analysis.omissions:
        kinds.add(f"No {omission.what}: {omission.reason}.", omission.factor, metric=omission.metric)
    for comparison in analysis.comparisons:
        for text in comparison.warnings:
            about = comparison.baseline_label if text == UNEVEN_BASELINE else comparison.label
            kinds.add(text, comparison.factor, [about], comparison.metric)
    for best in analysis.best:
        for text in best.warnings:
            if not text.startswith("Not ranked"):
                kinds.add(text, best.factor, metric=best.metric)
        if best.left_out:
            kinds.add("Not ranked for lack of runs.", best.factor, best.left_out, best.metric)
    unranked = {omission.factor for omission in analysis.omissions if omission.what == "ranking"}
    for importance in analysis.importance:
        for text in importance.warnings:
            if text.partition(": ")[0] not in unranked:  # said above
                kinds.add(text, metric=importance.metric)
    return kinds.lines()


@dataclass
class _Kind:
    """Warnings that differ in numbers only."""

    texts: list[str] = field(default_factory=list)
    places: dict[str, dict[str, None]] = field(default_factory=dict)
    """Levels by factor, without any where it is about the whole factor."""
    metrics: dict[str, None] = field(default_factory=dict)


class _Kinds:
    """Warnings in order of appearance, those of a kind together."""

    def __init__(self, view: StudyView) -> None:
        self._view = view
        self._names = {factor.path: factor.name for factor in view.factors}
        self._kinds: dict[str, _Kind] = {}

    def add(self, text: str, factor: str = "", labels: Iterable[str] = (), metric: str = "") -> None:
        path, found, rest = text.partition(": ")
        if found and path in self._names:
            factor, text = path, rest
        kind = self._kinds.setdefault(NUMBER.sub("#", text), _Kind())
        kind.texts.append(text)
        if factor:
            kind.places.setdefault(factor, {}).update(dict.fromkeys(labels))
        if metric:
            kind.metrics[metric] = None

    def lines(self) -> list[str]:
        return list(dict.fromkeys(self._line(kind) for kind in self._kinds.values()))

    def _line(self, kind: _Kind) -> str:
        about = []
        if 0 < len(kind.metrics) < len(self._view.metrics):
            about.append("in " + ", ".join(map(self._view.title, kind.metrics)))
        about += [self._place(factor, list(labels)) for factor, labels in kind.places.items()]
        text = _with_ranges(kind.texts)
        return f"{text.removesuffix('.')} ({'; '.join(about)})." if about else text

    def _place(self, factor: str, labels: Sequence[str]) -> str:
        name = self._names.get(factor, factor)
        shown, more = separator(labels).join(labels[:MOST_LABELS]), len(labels) - MOST_LABELS
        return " ".join([name, shown, *([f"and {more} more"] if more > 0 else [])]).strip()


def _with_ranges(texts: Sequence[str]) -> str:
    """One text for several that differ in numbers only, which become ``least to most``."""
    columns = [
        sorted(set(column), key=float) for column in zip(*map(NUMBER.findall, dict.fromkeys(texts)), strict=True)
    ]
    ranges = iter(values[0] if len(values) == 1 else f"{values[0]} to {values[-1]}" for values in columns)
    return NUMBER.sub(lambda _: next(ranges), texts[0])
