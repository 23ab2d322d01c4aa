"""What a study answers, as data for other programs: ``--json`` of ``ablate sweep`` and ``ablate report``.

Numbers that the runs cannot carry are null; levels are numbers, truth values or texts as the study states them, those
of a grid lists. Names stay and keep their meaning for as long as ``schema`` is the same; others may be added.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

from ablate.report.answer import study_answer
from ablate.report.metric_axes import within, within_difference
from ablate.report.view import StudyView
from ablate.report.warnings import warnings

if TYPE_CHECKING:
    import pandas as pd

    from ablate.analyse import StudyAnalysis
    from ablate.analyse.results import Comparison, Interval, LevelSummary
    from ablate.task.metric import Metric

SCHEMA = 1
"""The schema of the data; raised when a name goes or changes its meaning."""

VERDICT = ("outcome", "evidence", "needed", "n", "p", "p_against")


def answers(view: StudyView, analysis: "StudyAnalysis", summary: "pd.DataFrame") -> dict[str, Any]:
    """The answers of one study.

    - ``study``, ``question``, ``command`` (what trains and reports it), ``notices``, ``warnings``
    - ``answer``: what :mod:`ablate.report.answer` says, a text a factor; a size in it is how far the level that is
      named leads or trails, never negative, and its interval has the same direction
    - ``metrics``: by name ``goal`` (``max``: higher is better), ``label``, ``unit``, ``low``, ``high``, ``split``,
      ``exact`` (it follows from the setting, not from the seed)
    - ``factors``: by dotted path ``label``, ``levels`` and ``best``
    - a level: ``level``, ``label``, ``is_baseline``, ``runs`` (``complete``, ``diverged``, ``failed``, ``missing``,
      ``at_chance``) and ``metrics``
    - a level's metric: ``n``, ``mean``, ``sd``, ``median``, ``iqm`` (of the middle half), ``min``, ``max``,
      ``interval`` (95 % of the mean), ``sampling_sd`` (of the mean, on as many other samples), ``difference`` (from the
      baseline; null at the baseline)
    - a difference: ``n`` (pairs), ``value`` (level minus baseline in the metric's own unit, so that for a loss a
      negative one is better; all its intervals have the same direction), ``interval`` (95 %, by itself),
      ``simultaneous`` (95 %, of all levels together), ``with_samples`` (95 %, by itself, for other seeds and other
      samples; null where it was not kept which samples runs get right), ``samples`` (their number), ``p`` (by itself),
      ``p_corrected`` (of all levels together), ``standing`` (``better``, ``worse``, ``undecided``, ``identical``:
      the baseline's value on every seed, ``exact``: nothing to test), ``needed`` (seeds that would settle it),
      ``correlation`` (of runs with the same seed), ``p_better`` (how often a run does better than the baseline's with
      the same seed),
      ``p_better_interval`` (95 %, by itself), ``e`` and ``told_open_ended`` (evidence that holds whenever seeds are
      added, and whether it tells the level from the baseline, all levels together)
    - ``best``: by metric ``label``, ``indistinguishable`` (labels), ``probability``
    - ``published``: ``factor``, ``level``, ``metric``, ``published``, ``mean``, ``interval`` (95 %, prediction),
      ``inside``
    - ``verdicts``: ``id``, ``text``, ``kind``, ``factor``, ``metric``, ``outcome`` (``supported``, ``refuted``,
      ``undecided``), ``evidence``, ``needed``, ``n``, ``p``, ``p_against``; of a claim over other factors ``over``
      (their paths), ``parts`` (``part`` and the same of each of their levels), ``holds_on`` (of how many at least); of
      a study that adds seeds look by look ``course``: of each look ``seeds``, ``levels`` that had so many, ``outcome``,
      ``p`` and ``p_against`` (over all looks up to it), and ``stated_after``: how many looks had been made when it was
      stated or changed

    Args:
        view: The study.
        analysis: The analysis of its runs.
        summary: The summary from :func:`ablate.report.summary.summarise`.

    Returns:
        Data that JSON can hold.
    """
    metrics = {metric.name: metric for metric in view.metrics}
    differences = {(c.factor, c.order, c.metric): c for c in analysis.comparisons}
    levels: dict[str, dict[int, dict[str, Any]]] = {factor.path: {} for factor in view.factors}
    for one in analysis.description.levels:
        if one.factor in levels and one.metric in metrics:
            metric = metrics[one.metric]
            difference = differences.get((one.factor, one.order, one.metric))
            level = levels[one.factor].setdefault(one.order, {**_level(one), "metrics": {}})
            if level["runs"]["at_chance"] is None:
                level["runs"]["at_chance"] = one.at_chance
            level["metrics"][one.metric] = _measured(one, metric) | {"difference": _difference(difference, metric)}
    found = {
        "study": view.name,
        "question": view.question,
        "command": view.command,
        "answer": study_answer(view, summary, analysis),
        "notices": list(view.notices),
        "warnings": warnings(view, analysis),
        "metrics": {name: _metric(metric) for name, metric in metrics.items()},
        "factors": {
            factor.path: {
                "label": factor.name,
                "levels": [levels[factor.path][order] for order in sorted(levels[factor.path])],
                "best": {b.metric: _best(b) for b in analysis.best if b.factor == factor.path},
            }
            for factor in view.factors
        },
        "published": [_published(check) for check in analysis.published],
        "verdicts": [
            {key: getattr(verdict.claim, key) for key in ("id", "text", "kind", "factor", "metric")}
            | {key: getattr(verdict, key) for key in VERDICT}
            | {
                "course": verdict.course,
                "stated_after": verdict.stated_after,
                "over": list(verdict.claim.over),
                "holds_on": verdict.holds_on,
                "parts": [
                    {"part": name} | {key: getattr(part, key) for key in VERDICT} for name, part in verdict.parts
                ],
            }
            for verdict in analysis.verdicts
        ],
    }
    plain: dict[str, Any] = as_data(found)
    return plain


def as_data(value: Any) -> Any:
    """A value as JSON holds it: numbers that are none become null, tuples lists, what JSON does not know a text."""
    if hasattr(value, "item"):  # numpy's numbers
        value = value.item()
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(key): as_data(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [as_data(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def _metric(metric: "Metric") -> dict[str, Any]:
    fields = {name: getattr(metric, name) for name in ("goal", "unit", "low", "high", "split", "exact")}
    return {"label": metric.title, **fields}


def _level(one: "LevelSummary") -> dict[str, Any]:
    counts = {name: getattr(one, name) for name in ("complete", "diverged", "failed", "missing", "at_chance")}
    return {"level": one.level, "label": one.label, "is_baseline": one.is_baseline, "runs": counts}


def _measured(one: "LevelSummary", metric: "Metric") -> dict[str, Any]:
    numbers = {"n": one.n, "mean": one.mean, "sd": one.sd, "median": one.median, "iqm": one.iqm}
    ends = within(metric, _ends(one.interval)) if one.interval else None
    return (
        numbers
        | {"min": one.minimum, "max": one.maximum, "interval": None if ends is None else list(ends)}
        | {"sampling_sd": one.sampling_sd}
    )


def _difference(one: "Comparison | None", metric: "Metric") -> dict[str, Any] | None:
    if one is None:
        return None
    by_itself, together, sampled = (
        None if interval is None else list(within_difference(metric, _ends(interval)))
        for interval in (one.interval, one.simultaneous, one.with_samples)
    )
    return {
        "n": one.n,
        "value": one.difference,
        "interval": by_itself,
        "simultaneous": together,
        "with_samples": sampled,
        "samples": one.samples,
        "p": one.p,
        "p_corrected": one.p_corrected,
        "standing": one.standing,
        "needed": None if one.needed is None else one.needed.seeds,
        "correlation": one.correlation,
        "p_better": None if one.improvement is None else one.improvement.probability,
        "p_better_interval": None if one.improvement is None else _ends(one.improvement.interval),
        "e": None if one.improvement is None else one.improvement.e,
        "told_open_ended": one.told_open_ended,
    }


def _ends(interval: "Interval") -> list[float]:
    return [interval.low, interval.high]


def _best(best: Any) -> dict[str, Any]:
    chances = {level.label: level.probability for level in best.levels}
    return {
        "label": best.best,
        "indistinguishable": list(best.indistinguishable),
        "probability": chances.get(best.best),
    }


def _published(check: Any) -> dict[str, Any]:
    fields = {name: getattr(check, name) for name in ("factor", "level", "metric", "published", "mean")}
    return fields | {"interval": _ends(check.interval) if check.interval else None, "inside": check.inside}
