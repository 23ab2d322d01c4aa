"""One metric of one factor as a matrix of levels by seeds: what every comparison works on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from ablate.analyse.bootstrap import Floats
from ablate.analyse.errors import AnalysisError

STATUSES = ("complete", "diverged", "failed", "missing")
COLUMNS = ("study", "factor", "level", "label", "order", "is_baseline", "seed", "status")


@dataclass(frozen=True)
class Chance:
    """What guessing scores, for marking runs at chance and for counting diverged ones.

    Classes are taken to be equally frequent, as in MNIST and Fashion-MNIST.
    """

    classes: int = 10
    train_images: int = 60_000
    val_images: int = 10_000
    test_images: int = 10_000
    """Images behind an accuracy: the fewer, the further it can stray from chance by luck."""

    def value(self, metric: str) -> float | None:
        """The metric of a network that guesses: 1/classes, ln(classes); None for what is no accuracy and no loss."""
        if metric.endswith("_acc"):
            return 1 / self.classes
        return math.log(self.classes) if metric.endswith("_loss") else None

    def bound(self, split: str) -> float:
        """The highest accuracy on ``train``, ``val`` or ``test`` that cannot be told from guessing.

        The 99.9 % quantile of a binomial share: at most one guessing run in a thousand lies above it.
        """
        images = {"train": self.train_images, "val": self.val_images, "test": self.test_images}[split]
        return float(stats.binom.ppf(0.999, images, 1 / self.classes)) / images


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
    metric: str
    levels: tuple[Level, ...]
    """In the study's order."""
    seeds: tuple[int, ...]
    """Ascending; every seed that occurs at any level."""
    values: Floats
    """[levels, seeds]; NaN where the run is not complete or the metric was not measured."""
    complete: NDArray[np.bool_]
    diverged: NDArray[np.bool_]
    """[levels, seeds]."""
    warnings: tuple[str, ...] = ()

    def counting_diverged(self, chance: Chance) -> Floats:
        """``values`` with each diverged run counted as one at chance; [levels, seeds].

        A run that diverged is no missing datum but an outcome, the worst. Chance is a lenient value for it.
        """
        value = chance.value(self.metric)
        return self.values if value is None else np.where(self.diverged, value, self.values)

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
        arrays = (self.values[keep], self.complete[keep], self.diverged[keep])
        return Panel(self.study, self.factor, self.metric, levels, self.seeds, *arrays, self.warnings)


def make_panel(runs: pd.DataFrame, metric: str, factor: str | None = None) -> Panel:
    """Lay the runs of one factor out as a matrix.

    Args:
        runs: frame of runs of one study.
        metric: a metric column.
        factor: a factor of the frame; may be None where it has one only.

    Raises:
        AnalysisError: the frame is not a frame of runs of one study, lacks the metric or the factor, or has two runs of
        one
            level and seed.
    """
    runs = checked(runs, (metric,))
    there = factors_of(runs)
    if factor is None and len(there) > 1:
        raise AnalysisError(f"study has several factors ({', '.join(there)}): say which")
    factor = there[0] if factor is None else factor
    if factor not in there:
        raise AnalysisError(f"there is no factor {factor!r} in the study; factors are {', '.join(there)}")
    rows = runs[runs["factor"] == factor]
    first = rows.drop_duplicates(["order", "label"]).sort_values("order", kind="stable")
    levels = tuple(
        Level(value, str(label), int(order), bool(is_baseline))
        for value, label, order, is_baseline in zip(
            first["level"], first["label"], first["order"], first["is_baseline"], strict=True
        )
    )
    place = {(level.order, level.label): row for row, level in enumerate(levels)}
    row = np.array([place[int(o), str(s)] for o, s in zip(rows["order"], rows["label"], strict=True)], dtype=np.intp)
    seeds, column = np.unique(rows["seed"].to_numpy(dtype=np.int64), return_inverse=True)
    shape = (len(levels), len(seeds))
    status = rows["status"].to_numpy(dtype=object)
    complete, diverged = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    complete[row, column], diverged[row, column] = status == "complete", status == "diverged"
    values = np.full(shape, np.nan)
    values[row, column] = np.where(status == "complete", rows[metric].to_numpy(dtype=np.float64), np.nan)
    study = str(rows["study"].iloc[0])
    return Panel(
        study, factor, metric, levels, tuple(map(int, seeds)), values, complete, diverged, engine_warnings(rows)
    )


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
