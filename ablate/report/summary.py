"""A study's numbers in one frame, a row a factor, level and metric: what every table and figure reads.

The analysis computes; this module only gathers what it found.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablate.report.metric_axes import within, within_difference
from ablate.report.view import FactorView, StudyView
from ablate.task.numbers import decimals, interval, number

if TYPE_CHECKING:
    from ablate.analyse import Published, StudyAnalysis

OPTIONAL = (
    *("pairs", "difference", "difference_low", "difference_high", "p", "p_corrected", "p_t", "effect", "standing"),
    *("p_better", "p_better_low", "p_better_high", "e"),
)
"""Columns that are absent from the analysis where nothing could be compared."""
WITH_SAMPLES = ("with_samples_low", "with_samples_high")
"""Columns that are there only where it was kept which samples runs get right."""
NUMBERS = (
    *("mean", "median", "iqm", "sd", "interval_low", "interval_high", "at_chance"),
    *("iqm_interval_low", "iqm_interval_high", "apart_share_low", "apart_share_high"),
    *(name for name in OPTIONAL if name != "standing"),
    *("published", "prediction_low", "prediction_high"),
)
"""Columns of floats, NaN where the analysis has None."""


def analyse_study(view: StudyView, runs: pd.DataFrame) -> "StudyAnalysis":
    """The whole analysis of a study, with its claims and published numbers.

    Args:
        view: The study.
        runs: The frame of runs.

    Raises:
        AnalysisError: A claim about a level that the study does not have.
    """
    from ablate.analyse import analyse

    return analyse(
        runs.assign(study=view.name),
        metrics=view.metrics,
        declared=view.declared,
        claims=view.claims,
        published=list(published_numbers(view, runs)),
        families={factor.path: factor.family for factor in view.factors},
        correction=view.correction,
        looks=view.looks,
        stated_after=view.stated_after,
        kept=view.kept,
    )


def summarise(view: StudyView, runs: pd.DataFrame, analysis: "StudyAnalysis | None" = None) -> pd.DataFrame:
    """Every level of every factor in every metric of the study.

    Args:
        view: The study.
        runs: The frame of runs, a row a (factor, level, seed).
        analysis: The analysis of these runs; None: made here.

    Returns:
        A row a factor, level and metric, in the study's order: the columns of ``StudyAnalysis.to_frame``, and
        ``seconds`` (mean of a complete run), ``published``, ``prediction_low``, ``prediction_high``,
        ``inside`` (None where it cannot be said), ``digits`` (decimals to print), ``needed`` (seeds) and ``uneven`` (in
        words; empty: nothing to say). NaN where the data cannot carry a number. Intervals are cut to what the metric
        can be.
    """
    analysis = analysis or analyse_study(view, runs)
    frame = analysis.to_frame()
    needed = {(c.factor, c.order, c.metric): str(c.needed) for c in analysis.comparisons if c.needed is not None}
    complete = runs[runs["status"] == "complete"]
    seconds = complete.groupby(["factor", "label"], as_index=False)["seconds"].mean()
    frame = frame.merge(seconds, on=["factor", "label"], how="left").merge(_published(view), how="left")
    checks = pd.DataFrame(
        [
            {
                "factor": check.factor,
                "label": check.label,
                "metric": check.metric,
                "prediction_low": check.interval.low if check.interval else None,
                "prediction_high": check.interval.high if check.interval else None,
                "inside": check.inside,
            }
            for check in analysis.published
        ],
        columns=["factor", "label", "metric", "prediction_low", "prediction_high", "inside"],
    )
    frame = frame.merge(checks, on=["factor", "label", "metric"], how="left")
    for name in OPTIONAL:
        if name not in frame:
            frame[name] = None
    for name in (*NUMBERS, *(name for name in WITH_SAMPLES if name in frame)):
        frame[name] = pd.to_numeric(frame[name])
    _keep_within(frame, view)
    places = zip(frame["factor"], frame["order"], frame["metric"], strict=True)
    frame["needed"] = [needed.get(place, "") for place in places]
    digits = {name: decimals(rows["mean"], rows["sd"]) for name, rows in frame.groupby("metric")}
    frame["digits"] = frame["metric"].map(digits).astype(int)
    frame["uneven"] = [_uneven(row) for row in frame.to_dict("records")]
    position = {factor.path: i for i, factor in enumerate(view.factors)}
    frame = frame[frame["factor"].isin(position)]
    return frame.sort_values(
        ["factor", "order"], key=lambda c: c.map(position) if c.name == "factor" else c, kind="stable"
    )


def published_numbers(view: StudyView, runs: pd.DataFrame) -> "Iterator[Published]":
    """The published means of levels that the study has, each with the rounding of its table."""
    from ablate.analyse import Published

    for factor in view.factors:
        if factor.published is None or not factor.repeats:
            continue
        labels = set(runs.loc[runs["factor"] == factor.path, "label"])
        for metric in view.names:
            values = factor.published[metric].dropna() if metric in factor.published else pd.Series(dtype=float)
            rounding = 0.5 * 10.0 ** -max((_decimals(value) for value in values), default=0)
            for label, value in zip(factor.published.loc[values.index, "label"].astype(str), values, strict=True):
                if label in labels:
                    yield Published(factor.path, label, metric, float(value), factor.repeats, rounding)


def _uneven(row: Mapping[Any, Any]) -> str:
    """The mean of the middle half, and how many runs stand apart, where a level's mean says too little."""
    if not row["is_uneven"]:
        return ""
    middle = interval(row["iqm_interval_low"], row["iqm_interval_high"], row["digits"])
    text = f"middle half {number(row['iqm'], row['digits'])} {middle}"
    if not row["apart"]:
        return f"{text}; long tail"
    share = f"{100 * row['apart_share_low']:.0f} to {100 * row['apart_share_high']:.0f} %"
    return f"{text}; {row['apart']} of {row['n']} apart ({share})"


def _keep_within(frame: pd.DataFrame, view: StudyView) -> None:
    """Cut every interval to what its metric can be."""
    for metric in view.metrics:
        own = frame["metric"] == metric.name
        for name in ("interval_low", "interval_high", "prediction_low", "prediction_high"):
            frame.loc[own, name] = within(metric, frame.loc[own, name])
        for name in ("difference_low", "difference_high", *(name for name in WITH_SAMPLES if name in frame)):
            frame.loc[own, name] = within_difference(metric, frame.loc[own, name])


def _published(view: StudyView) -> pd.DataFrame:
    """Published means, tall: factor, label, metric, published."""
    parts = [
        factor.published.assign(label=factor.published["label"].astype(str), factor=factor.path).melt(
            ["factor", "label"], [m for m in view.names if m in factor.published], "metric", "published"
        )
        for factor in view.factors
        if factor.published is not None
    ]
    empty = pd.DataFrame({"factor": [], "label": [], "metric": [], "published": []}).astype(
        {"factor": object, "label": object, "metric": object, "published": float}
    )
    return pd.concat(parts, ignore_index=True) if parts else empty


def _decimals(value: float) -> int:
    """Digits behind the point of a number as it was printed."""
    return len(f"{value:.10g}".partition(".")[2])


def published_of(factor: FactorView, label: str) -> dict[str, float]:
    """The published means of one level; empty where there are none."""
    if factor.published is None:
        return {}
    rows = factor.published[factor.published["label"].astype(str) == label]
    return {str(name): float(rows[name].iloc[0]) for name in rows if name != "label" and len(rows)}
