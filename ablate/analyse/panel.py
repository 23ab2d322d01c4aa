"""One metric of one factor as a matrix of levels by seeds: what every comparison works on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ablate.analyse.bootstrap import Floats
from ablate.analyse.errors import AnalysisError
from ablate.analyse.guessing import at_chance, guesses
from ablate.analyse.sign_flip import patterns
from ablate.analyse.uneven import apart, has_long_tail
from ablate.task.metric import Metric

STATUSES = ("complete", "diverged", "failed", "missing")
COLUMNS = ("study", "factor", "level", "label", "order", "is_baseline", "seed", "status")


@dataclass(frozen=True)
class Level:
    """A level of a factor."""

    value: Any
    label: str
    order: int
    is_baseline: bool

    def matches(self, wanted: Any) -> bool:
        """Whether a study file means this level: by native value (8 is 8.0, but True is not 1) or by label."""
        if isinstance(wanted, bool) != isinstance(self.value, bool):
            return bool(wanted == self.label)
        plain = tuple(wanted) if isinstance(wanted, list) else wanted
        return bool(plain == self.value or wanted == self.label)


@dataclass(frozen=True)
class Panel:
    """One metric of one factor."""

    study: str
    factor: str
    metric: Metric
    levels: tuple[Level, ...]
    """The levels in the study's order."""
    seeds: tuple[int, ...]
    """Ascending; every seed that occurs at any level."""
    values: Floats
    """[levels, seeds]; NaN where the run is not complete or has no finite value of the metric."""
    complete: NDArray[np.bool_]
    diverged: NDArray[np.bool_]
    guessing: NDArray[np.bool_]
    """[levels, seeds]; ``guessing``: complete, and known to do no better than guessing."""
    worst: float = np.nan
    """What a diverged run counts as (:func:`worst_of`); NaN: nothing."""
    warnings: tuple[str, ...] = ()

    @property
    def counted(self) -> Floats:
        """``values`` with each diverged run counted as ``worst`` (:func:`worst_of`); [levels, seeds].

        A run that diverged is no missing datum but an outcome, and ranks below every finished one. ``worst`` is one
        value for the whole factor, which does not change when two levels are exchanged within a seed: so the sign-flip
        tests stay exact. What follows from the setting alone (``exact``) does not become worse by diverging.
        """
        return self.values if self.metric.exact else np.where(self.diverged, self.worst, self.values)

    @cached_property
    def idle(self) -> NDArray[np.bool_]:
        """Levels that learned nothing: every run that ended is at chance or diverged; [levels]."""
        ended = (self.complete | self.diverged).any(axis=1)
        return np.asarray(ended & (self.guessing | ~self.complete).all(axis=1))

    @cached_property
    def uneven(self) -> NDArray[np.bool_]:
        """Levels of which some runs stand apart from the others, or a tail is long; [levels]."""
        found = np.zeros(len(self.levels), dtype=bool)
        for known, rows in patterns(np.isfinite(self.values)):
            values = self.values[rows][:, known]
            stray = (apart(values, self.metric.sign) | self.guessing[rows][:, known]).sum(axis=1)
            found[rows] = ((stray > 0) & (stray < values.shape[1])) | has_long_tail(values)
        return found

    @cached_property
    def constant(self) -> NDArray[np.bool_]:
        """Levels whose seeds all gave exactly the same value, two or more of them; [levels]."""
        known = np.isfinite(self.values)
        low = np.where(known, self.values, np.inf).min(axis=1, initial=np.inf)
        high = np.where(known, self.values, -np.inf).max(axis=1, initial=-np.inf)
        return np.asarray((known.sum(axis=1) >= 2) & (low == high) & ~self.diverged.any(axis=1))

    @cached_property
    def exact(self) -> NDArray[np.bool_]:
        """Levels whose value is exact: the metric follows from the setting, and all values are the same; [levels]."""
        known = np.isfinite(self.values)
        least, most = (np.where(known, self.values, end) for end in (np.inf, -np.inf))
        same = least.min(axis=1, initial=np.inf) == most.max(axis=1, initial=-np.inf)
        return np.asarray(same & self.metric.exact)

    def no_evidence(self, a: int, b: int) -> str:
        """Why these rows can show nothing about each other whatever their values, in words; empty: they can."""
        one, other = self.levels[a].label, self.levels[b].label
        if self.exact[a] and self.exact[b]:
            return ""
        if self.idle[a] and self.idle[b]:
            return f"no run of {one} or {other} did better than guessing: runs that learned nothing are no evidence"
        if self.constant[a] and self.constant[b]:
            return f"every seed of {one} and every seed of {other} gave the same value: without spread no evidence"
        return ""

    def alike(self, row: int, others: Sequence[int]) -> NDArray[np.int64]:
        """How many seeds have exactly the same value at a row and at each of others, where all that ended at both do.

        It is 0 elsewhere, and where the values are no evidence: all runs are at chance, or no seed gave another value.
        """
        rows, values = list(others), self.values[list(others)]
        ended = self.complete | self.diverged
        both = ended[row] & ended[rows]
        same = (self.values[row] == values) | (np.isnan(self.values[row]) & np.isnan(values))
        same = (~both | (same & (self.diverged[row] == self.diverged[rows]))).all(axis=1)
        silent = (self.idle[row] & self.idle[rows]) | (self.constant[row] & self.constant[rows])
        told = ~silent | (self.exact[row] & self.exact[rows])
        return np.where(same & told, (both & np.isfinite(self.values[row])).sum(axis=1), 0)

    @property
    def told(self) -> NDArray[np.bool_]:
        """Pairs of levels that can show something about each other; [levels, levels]."""
        silent = np.outer(self.idle, self.idle) | np.outer(self.constant, self.constant)
        return np.asarray(~silent | np.outer(self.exact, self.exact))

    def index(self, level: Any) -> int:
        """Row of a level given by native value or label.

        Raises:
            AnalysisError: no such level; lists those there are.
        """
        for row, entry in enumerate(self.levels):
            if entry.matches(level):
                return row
        there = ", ".join(entry.label for entry in self.levels)
        raise AnalysisError(f"{self.factor}: there is no level {level!r} in study {self.study}; levels are {there}")

    def baseline(self) -> int:
        """Row of the baseline.

        Raises:
            AnalysisError: none of the levels is the baseline, or several are.
        """
        rows = [row for row, entry in enumerate(self.levels) if entry.is_baseline]
        if len(rows) != 1:
            found = ", ".join(self.levels[row].label for row in rows) or "none"
            raise AnalysisError(f"{self.factor}: needs exactly one baseline level in study {self.study}; found {found}")
        return rows[0]

    def subset(self, rows: Sequence[int]) -> "Panel":
        """The panel of these levels only, in the given order."""
        keep = list(rows)
        levels = tuple(self.levels[row] for row in keep)
        arrays = (self.values[keep], self.complete[keep], self.diverged[keep], self.guessing[keep])
        return Panel(self.study, self.factor, self.metric, levels, self.seeds, *arrays, self.worst, self.warnings)


def make_panel(runs: pd.DataFrame, metric: Metric, factor: str | None = None, declared: Iterable[Metric] = ()) -> Panel:
    """Lay the runs of one factor out as a matrix.

    Args:
        runs: frame of runs of one study.
        metric: a metric with a column of its name.
        factor: a factor of the frame; may be None where it has one only.
        declared: further metrics, which may tell whether a run is at chance.

    Raises:
        AnalysisError: the frame is not a frame of runs of one study, lacks the metric or the factor, or has two runs of
        one
            level and seed.
    """
    runs = checked(runs, (metric.name,))
    return _Layout.of(runs, chosen_factor(runs, factor)).panel(metric, declared)


def make_panels(runs: pd.DataFrame, metrics: Sequence[Metric], declared: Iterable[Metric]) -> dict[str, list[Panel]]:
    """What :func:`make_panel` gives for every factor and metric, each factor laid out once.

    Args:
        runs: frame of runs of one study.
        metrics: each with a column of its name.
        declared: further metrics, which may tell whether a run is at chance.

    Returns:
        By metric, in the order of the factors' appearance.

    Raises:
        AnalysisError: as there.
    """
    runs = checked(runs, tuple(metric.name for metric in metrics))
    layouts, declared = [_Layout.of(runs, factor) for factor in factors_of(runs)], tuple(declared)
    return {metric.name: [layout.panel(metric, declared) for layout in layouts] for metric in metrics}


@dataclass(frozen=True)
class _Layout:
    """Where the runs of one factor stand in its panels, whatever the metric."""

    rows: pd.DataFrame
    """The factor's runs."""
    factor: str
    levels: tuple[Level, ...]
    seeds: tuple[int, ...]
    place: tuple[NDArray[np.intp], NDArray[np.intp]]
    """Level and seed of each run."""
    status: NDArray[np.object_]
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, runs: pd.DataFrame, factor: str) -> "_Layout":
        """Lay out a factor of a frame that has been checked."""
        rows = runs[runs["factor"] == factor]
        first = rows.drop_duplicates(["order", "label"]).sort_values("order", kind="stable")
        levels = tuple(
            Level(value, str(label), int(order), bool(is_baseline))
            for value, label, order, is_baseline in zip(
                first["level"], first["label"], first["order"], first["is_baseline"], strict=True
            )
        )
        place = {(level.order, level.label): row for row, level in enumerate(levels)}
        of_rows = zip(rows["order"], rows["label"], strict=True)
        row = np.array([place[int(order), str(label)] for order, label in of_rows], dtype=np.intp)
        seeds, column = np.unique(rows["seed"].to_numpy(dtype=np.int64), return_inverse=True)
        status = rows["status"].to_numpy(dtype=object)
        return cls(rows, factor, levels, tuple(map(int, seeds)), (row, column), status, engine_warnings(rows))

    def panel(self, metric: Metric, declared: Iterable[Metric]) -> Panel:
        """The matrix of one metric."""
        rows, place, is_complete = self.rows, self.place, self.status == "complete"
        shape = (len(self.levels), len(self.seeds))
        complete, diverged, guessing = (np.zeros(shape, dtype=bool) for _ in range(3))
        complete[place], diverged[place] = is_complete, self.status == "diverged"
        guessing[place] = is_complete & (at_chance(rows, metric, declared) == 1)
        of_rows = rows[metric.name].to_numpy(dtype=np.float64)
        values = np.full(shape, np.nan)
        values[place] = np.where(is_complete & np.isfinite(of_rows), of_rows, np.nan)
        worst = worst_of(metric, values[np.isfinite(values)], guesses(rows, metric))
        warnings = self.warnings
        lost = int((complete & ~np.isfinite(values)).sum())
        if lost and np.isfinite(values).any():
            warnings += (f"{lost} complete run(s) have no finite value: they are in no number here.",)
        arrays = (values, complete, diverged, guessing)
        study = str(rows["study"].iloc[0])
        panel = Panel(study, self.factor, metric, self.levels, self.seeds, *arrays, worst, warnings)
        if metric.exact and not (panel.exact | ~np.isfinite(values).any(axis=1)).all():
            text = "It is declared to be exact, but not all seeds of a level gave the same value: levels are tested."
            panel = replace(panel, warnings=(*warnings, text))
        return panel


def worst_of(metric: Metric, finished: Floats, guess: Floats) -> float:
    """What a diverged run counts as, in the metric's unit.

    Where it is known what guessing scores, the worst of that and of all finished runs. Where it is not, nothing is
    known but that a diverged run ranks below every finished one: it counts as the worst end of the metric's range, and
    where that is open, as the worst finished run less all the distance between the best and the worst (so that one
    diverged run outweighs the gain of any one run). NaN where no run has finished either: then nothing is counted.

    Args:
        metric: with its direction and range.
        finished: finite values of all runs of the factor, [runs].
        guess: what guessing scores, [...], NaN where it is not known.
    """
    known = guess[np.isfinite(guess)]
    if len(known):
        return float((np.r_[finished, known] * metric.sign).min() * metric.sign)
    if not len(finished):
        return np.nan
    end = metric.low if metric.goal == "max" else metric.high
    if end is not None:
        return end
    worst = float((finished * metric.sign).min() * metric.sign)
    return worst - metric.sign * (float(np.ptp(finished)) or abs(worst) or 1.0)


def diverged_text(panel: Panel, count: int) -> str:
    """How this many diverged runs are counted, as a sentence."""
    if not np.isfinite(panel.worst):
        return f"{count} diverged run(s) are not counted: no run of the factor has a finite value."
    return f"{count} diverged run(s) count as {panel.worst:.4g}, no better than guessing and all finished runs."


def checked(runs: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """The frame, without exact repeats of a run at a level, if it is a frame of runs of one study with these metrics.

    Raises:
        AnalysisError: it is not; the message says why.
    """
    absent = [name for name in (*COLUMNS, *metrics) if name not in runs.columns]
    if absent:
        raise AnalysisError(f"the frame of runs lacks the column(s) {', '.join(absent)}")
    if runs.empty:
        raise AnalysisError("the frame of runs is empty: there is nothing to analyse")
    studies = runs["study"].unique()
    if len(studies) > 1:
        raise AnalysisError(f"one study at a time; the frame holds {', '.join(map(str, studies))}")
    unknown = sorted(set(runs["status"].unique()) - set(STATUSES))
    if unknown:
        raise AnalysisError(f"status {', '.join(map(str, unknown))}: must be one of {', '.join(STATUSES)}")
    key = ["factor", "order", "label", "seed"]
    if not runs.duplicated(key).any():
        return runs
    if "digest" in runs.columns:
        runs = runs.drop_duplicates([*key, "digest"])
    repeated = runs[runs.duplicated(key)]
    if len(repeated):
        one = repeated.iloc[0]
        raise AnalysisError(
            f"{one['factor']} = {one['label']}: {len(repeated) + 1} different runs of seed {one['seed']} or of others "
            "repeat a level and seed; there must be one each"
        )
    return runs


def chosen_factor(runs: pd.DataFrame, factor: str | None) -> str:
    """A factor of the frame; None is the only one.

    Raises:
        AnalysisError: There is no such factor, or there are several and None is given.
    """
    there = factors_of(runs)
    if factor is None and len(there) > 1:
        raise AnalysisError(f"study has several factors ({', '.join(there)}): say which")
    factor = there[0] if factor is None else factor
    if factor not in there:
        raise AnalysisError(f"there is no factor {factor!r} in the study; factors are {', '.join(there)}")
    return factor


def factors_of(runs: pd.DataFrame) -> tuple[str, ...]:
    """The factors of a frame in order of appearance."""
    return tuple(map(str, runs["factor"].unique()))


def engine_warnings(runs: pd.DataFrame) -> tuple[str, ...]:
    """A warning where runs of several engine versions stand side by side."""
    if "engine" not in runs.columns:
        return ()
    versions = sorted({int(version) for version in runs["engine"].dropna().unique()})
    if len(versions) < 2:
        return ()
    return (f"Runs of engine versions {', '.join(map(str, versions))} are mixed: differences may be the engine's.",)
