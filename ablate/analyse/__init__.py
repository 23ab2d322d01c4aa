"""From frames of runs to numbers with intervals and verdicts: pure functions, frozen results.

The input is the frame of runs: one row per study, factor, level and seed, with ``status`` and the metrics of the last epoch.
Nothing here reads or writes files, keeps state or imports the rest of the package. Every function that draws random numbers
takes a ``seed`` and is deterministic.

    analysis = analyse(runs, metrics=["test_acc"], claims=claims, published=published)

is the one call that a report needs; the others are its parts:

==================  ========================================================================================================
``describe``        describe(runs, *, metrics, seed=0, resamples=2000, chance=Chance()) -> Description
``compare``         compare(runs, *, metric, factor=None, baseline=None, seed=0, chance=Chance()) -> tuple[Comparison, ...]
``best``            best(runs, *, metric, factor=None, seed=0) -> Best
``trend``           trend(runs, *, metric, factor=None, levels=None) -> Trend
``equivalent``      equivalent(runs, *, metric, a, b, margin, factor=None) -> Equivalence
``importance``      importance(runs, *, metric, factors=None) -> Importance
``check_published`` check_published(runs, published) -> tuple[PublishedCheck, ...]
``curves``          curves(runs, epochs, *, metric, factor=None) -> tuple[Curve, ...]
``judge``           judge(runs, claim, *, seed=0, chance=Chance()) -> Verdict
``analyse``         analyse(runs, *, metrics, claims=(), published=(), seed=0, resamples=2000, chance=Chance()) -> StudyAnalysis
==================  ========================================================================================================

``factor`` may be left out where the frame has one factor only. All raise ``AnalysisError`` where the data cannot carry the
question at all; what it can carry only in part comes with ``warnings``.
"""

from ablate.analyse.errors import AnalysisError
from ablate.analyse.inputs import Claim, Published, higher_is_better, parse_claim, parse_published
from ablate.analyse.results import (
    Best,
    Comparison,
    Curve,
    Description,
    Equivalence,
    Importance,
    ImportanceTerm,
    Interval,
    LevelChance,
    LevelSummary,
    PublishedCheck,
    ShareTest,
    StudyAnalysis,
    Trend,
    Verdict,
)

__all__ = [
    "AnalysisError",
    "Best",
    "Claim",
    "Comparison",
    "Curve",
    "Description",
    "Equivalence",
    "Importance",
    "ImportanceTerm",
    "Interval",
    "LevelChance",
    "LevelSummary",
    "Published",
    "PublishedCheck",
    "ShareTest",
    "StudyAnalysis",
    "Trend",
    "Verdict",
    "higher_is_better",
    "parse_claim",
    "parse_published",
]
