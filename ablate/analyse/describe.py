"""Each level by itself: counts of outcomes, location, spread and interval of every metric.

The interval is that of :mod:`ablate.analyse.mean_interval`. Where runs stand apart or a tail is long, the mean of the
middle half with its bootstrap interval and the share of runs that stand apart stand beside it, as the mean is that of
two groups and its interval covers far less than it says.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ablate.analyse.bootstrap import (
    CONFIDENCE,
    Floats,
    interquartile_mean,
    iqm_interval,
)
from ablate.analyse.guessing import at_chance, is_share, samples_of
from ablate.analyse.inputs import Metrics, by_name
from ablate.analyse.mean_interval import interval_of
from ablate.analyse.panel import STATUSES, checked, engine_warnings
from ablate.analyse.results import Description, Interval, LevelSummary
from ablate.analyse.uneven import apart, has_long_tail, wilson
from ablate.task.metric import Metric

RESAMPLES = 2000
LEAST_FOR_IQM = 4
"""Fewest runs of which any are cut off; of fewer, the interquartile mean is the mean."""


def describe(
    runs: pd.DataFrame,
    *,
    metrics: Metrics,
    seed: int = 0,
    declared: Metrics = (),
) -> Description:
    """Summarise every level of a study on every metric.

    Statistics are over complete runs in which the metric was measured; diverged, failed and missing runs are counted
    beside them, and so are complete ones without a finite value of the metric. Which are at chance is told by
    :func:`ablate.analyse.guessing.at_chance`.

    Args:
        runs: frame of runs of one study.
        metrics: those to summarise, each with a column of its name.
        seed: of the bootstrap.
        declared: further metrics, which may tell whether a run is at chance.

    Raises:
        AnalysisError: not a frame of runs of one study, or a metric is no column.
    """
    wanted, further = by_name(metrics), by_name(declared)
    runs = checked(runs, tuple(wanted))
    rows = runs.assign(_factor=pd.factorize(runs["factor"])[0]).sort_values(["_factor", "order", "label", "seed"])
    group = np.asarray(rows.groupby(["_factor", "order", "label"], sort=False).ngroup(), dtype=np.intp)
    starts = np.flatnonzero(np.r_[True, np.diff(group) != 0])
    first = rows.iloc[starts]
    status = rows["status"].to_numpy(dtype=object)
    counts = {name: np.bincount(group[status == name], minlength=len(starts)) for name in STATUSES}
    shared: dict[str, list[Any]] = {
        "study": first["study"].tolist(),
        "factor": first["factor"].tolist(),
        "level": list(first["level"]),
        "label": [str(label) for label in first["label"]],
        "order": first["order"].astype(int).tolist(),
        "is_baseline": first["is_baseline"].astype(bool).tolist(),
        **{name: values.tolist() for name, values in counts.items()},
    }
    summaries: list[list[LevelSummary]] = []
    for name, metric in wanted.items():
        of_rows = rows[name].to_numpy(dtype=np.float64)
        values = np.where(status == "complete", of_rows, np.nan)
        guessing = np.where(status == "complete", at_chance(rows, metric, further.values()), np.nan)
        columns = shared | _statistics(metric, values, guessing == 1, group, len(starts), seed)
        known = np.bincount(group[~np.isnan(guessing)], minlength=len(starts)).tolist()
        at = np.bincount(group[guessing == 1], minlength=len(starts)).tolist()
        columns["at_chance"] = [count if there else None for count, there in zip(at, known, strict=True)]
        columns["apart_share"] = [
            Interval(*wilson(c, t), CONFIDENCE, "wilson") if uneven and t else None
            for c, t, uneven in zip(columns["apart"], columns["n"], columns["is_uneven"], strict=True)
        ]
        columns["sampling_sd"] = _sampling(metric, columns["mean"], samples_of(rows, metric), group)
        measured = bool(np.isfinite(values).any())
        columns["warnings"] = [
            _warnings(n, measured, metric.exact, *of_status)
            for n, *of_status in zip(columns["n"], *(columns[s] for s in STATUSES), strict=True)
        ]
        names = list(columns)
        summaries.append(
            [
                LevelSummary(metric=name, **dict(zip(names, entry, strict=True)))
                for entry in zip(*columns.values(), strict=True)
            ]
        )
    levels = tuple(entry for level in zip(*summaries, strict=True) for entry in level)
    return Description(levels, engine_warnings(runs))


def _statistics(
    metric: Metric, values: Floats, guessing: NDArray[np.bool_], group: NDArray[np.intp], groups: int, seed: int
) -> dict[str, list[Any]]:
    """Statistics per group as columns of ``LevelSummary``; groups of equal n are computed together."""
    known = np.isfinite(values)
    values, guessing, group = values[known], guessing[known], group[known]
    n = np.bincount(group, minlength=groups)
    ends = np.cumsum(n)
    columns: dict[str, NDArray[Any]] = {
        name: np.full(groups, None, dtype=object)
        for name in ("mean", "median", "iqm", "sd", "minimum", "maximum", "interval", "iqm_interval")
    }
    columns |= {"apart": np.zeros(groups, dtype=np.int64), "is_uneven": np.zeros(groups, dtype=bool)}
    for size in np.unique(n[n > 0]):
        rows = np.flatnonzero(n == size)
        places = (ends[rows] - size)[:, None] + np.arange(size)
        sample = values[places]
        columns["mean"][rows] = sample.mean(axis=1)
        columns["median"][rows] = np.median(sample, axis=1)
        columns["minimum"][rows] = sample.min(axis=1)
        columns["maximum"][rows] = sample.max(axis=1)
        columns["apart"][rows] = stray = (apart(sample, metric.sign) | guessing[places]).sum(axis=1)
        columns["is_uneven"][rows] = uneven = ((stray > 0) & (stray < size)) | has_long_tail(sample)
        if size >= 2:
            columns["sd"][rows] = sample.std(axis=1, ddof=1)
            columns["interval"][rows] = _intervals(*interval_of(metric, sample), "t")
            if metric.exact:  # where it is, there is nothing to estimate
                columns["sd"][rows[np.ptp(sample, axis=1) == 0]] = None
                columns["interval"][rows[np.ptp(sample, axis=1) == 0]] = None
        if size >= LEAST_FOR_IQM:
            columns["iqm"][rows] = interquartile_mean(sample)
            if uneven.any():
                ends_of = iqm_interval(sample[uneven], RESAMPLES, np.random.default_rng(seed))
                columns["iqm_interval"][rows[uneven]] = _intervals(*ends_of, "percentile")
    return {"n": n.tolist(), **{name: column.tolist() for name, column in columns.items()}}


def _sampling(
    metric: Metric, means: list[float | None], samples: Floats, group: NDArray[np.intp]
) -> list[float | None]:
    """The binomial standard deviation of each group's mean; None where it is no share of known, equal samples."""
    found: list[float | None] = [None] * len(means)
    for place, mean in enumerate(means) if is_share(metric) else ():
        own = samples[group == place]
        if mean is not None and 0 <= mean <= 1 and (own == own[0]).all() and own[0] >= 1:
            found[place] = float(np.sqrt(mean * (1 - mean) / own[0]))
    return found


def _intervals(low: Floats, high: Floats, method: str) -> NDArray[Any]:
    made = np.empty(len(low), dtype=object)
    made[:] = [
        Interval(a, b, CONFIDENCE, method) if a == a else None for a, b in zip(low.tolist(), high.tolist(), strict=True)
    ]
    return made


def _warnings(
    n: int, measured: bool, exact: bool, complete: int, diverged: int, failed: int, missing: int
) -> tuple[str, ...]:
    texts = []
    if diverged + failed + missing:
        counts = {"diverged": diverged, "failed": failed, "missing": missing}
        listed = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        texts.append(f"{listed} of {complete + diverged + failed + missing} runs: not in the mean.")
    if measured and n < complete:
        texts.append(f"{complete - n} of {complete} complete run(s) have no finite value: not in the mean.")
    if n == 1 and not exact:
        texts.append("One run: no spread and no interval.")
    return tuple(texts)
