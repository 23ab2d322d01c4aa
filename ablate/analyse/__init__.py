"""From frames of runs to numbers with intervals and verdicts: pure functions, frozen results.

The input is the frame of runs: one row per study, factor, level and seed, with ``status`` and the last value of each
metric, and the metrics themselves (:class:`ablate.task.metric.Metric`), which say what is better and within which
range; names say nothing. What guessing scores stands in the frame, run by run, where it is known
(:func:`guess_columns`). Nothing here reads or writes files, keeps state or imports more of the package than that. Every
function that draws random numbers takes a ``seed`` and is deterministic.

    analysis = analyse(runs, metrics=[accuracy], claims=claims, published=published)

is the one call that a report needs; ``describe``, ``compare``, ``best``, ``trend``, ``importance``, ``check_published``
and ``judge`` are its parts, ``equivalent`` and ``curves`` stand beside it. ``factor`` may be left out where the frame
has one factor only. All raise ``AnalysisError`` where the data cannot carry the question at all; what it can carry only
in part comes with ``warnings``.
"""

from ablate.analyse.best import best
from ablate.analyse.claims import judge
from ablate.analyse.compare import compare
from ablate.analyse.curves import Curve, curves
from ablate.analyse.describe import describe
from ablate.analyse.equivalence import equivalent
from ablate.analyse.errors import AnalysisError
from ablate.analyse.guessing import guess_columns
from ablate.analyse.importance import importance
from ablate.analyse.inputs import Metrics, Published
from ablate.analyse.published import check_published
from ablate.analyse.results import (
    Best,
    Comparison,
    Description,
    Equivalence,
    Importance,
    ImportanceTerm,
    Improvement,
    Interval,
    LevelChance,
    LevelSummary,
    PublishedCheck,
    ShareTest,
    Trend,
    Verdict,
)
from ablate.analyse.study import Omission, StudyAnalysis, analyse
from ablate.analyse.trend import trend

__all__ = [
    "AnalysisError",
    "Best",
    "Comparison",
    "Curve",
    "Description",
    "Equivalence",
    "Importance",
    "ImportanceTerm",
    "Improvement",
    "Interval",
    "LevelChance",
    "LevelSummary",
    "Metrics",
    "Omission",
    "Published",
    "PublishedCheck",
    "ShareTest",
    "StudyAnalysis",
    "Trend",
    "Verdict",
    "analyse",
    "best",
    "check_published",
    "compare",
    "curves",
    "describe",
    "equivalent",
    "guess_columns",
    "importance",
    "judge",
    "trend",
]
