"""A study's numbers in one frame, a row a factor, level and metric: what every table and figure reads.

This is the one place that calls the analysis for a table; the rest of the report only prints what is in the frame.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ablate.report.view import FactorView, StudyView

if TYPE_CHECKING:
    from collections.abc import Iterator

STATUSES = ("complete", "diverged", "failed", "missing")

COLUMNS = (
    "factor",
    "level",
    "label",
    "order",
    "is_baseline",
    "metric",
    "n",
    *STATUSES,
    "mean",
    "sd",
    "interval_low",
    "interval_high",
    "seconds",
    "published",
    "repeats",
    "prediction_low",
    "prediction_high",
    "inside",
)


def summarise(view: StudyView, runs: pd.DataFrame) -> pd.DataFrame:
    """Describe every level of every factor in every metric of the study.

    Args:
        view: The study.
        runs: The frame of runs, a row a (factor, level, seed).

    Returns:
        A row a factor, level and metric, in the study's order, with :data:`COLUMNS`. ``mean``, ``sd`` and the 95 %
        interval are over complete runs; NaN where the data cannot carry them.
    """
    return pd.DataFrame(list(_rows(view, runs)), columns=list(COLUMNS))


def _rows(view: StudyView, runs: pd.DataFrame) -> "Iterator[dict[str, object]]":
    for factor in view.factors:
        of_factor = runs[runs["factor"] == factor.path]
        for order, level in enumerate(factor.levels):
            rows = of_factor[of_factor["label"] == level.label]
            complete = rows[rows["status"] == "complete"]
            for metric in view.metrics:
                values = complete[metric].to_numpy(dtype=float)
                values = values[np.isfinite(values)]
                mean, sd, low, high = _describe(values)
                yield {
                    "factor": factor.path,
                    "level": level.value,
                    "label": level.label,
                    "order": order,
                    "is_baseline": bool(rows["is_baseline"].any()),
                    "metric": metric,
                    "n": len(values),
                    **{status: int((rows["status"] == status).sum()) for status in STATUSES},
                    "mean": mean,
                    "sd": sd,
                    "interval_low": low,
                    "interval_high": high,
                    "seconds": float(complete["seconds"].mean()) if len(complete) else np.nan,
                    **_published(factor, level.label, metric, mean, sd, len(values)),
                }


def _describe(values: np.ndarray) -> tuple[float, float, float, float]:
    """Mean, standard deviation and the 95 % t interval of a mean."""
    from scipy.stats import t

    n = len(values)
    if n == 0:
        return (np.nan,) * 4
    mean = float(values.mean())
    if n == 1:
        return mean, np.nan, np.nan, np.nan
    sd = float(values.std(ddof=1))
    half = float(t.ppf(0.975, n - 1)) * sd / np.sqrt(n)
    return mean, sd, mean - half, mean + half


def _published(factor: FactorView, label: str, metric: str, mean: float, sd: float, n: int) -> dict[str, object]:
    """The published mean of a level and whether it lies in the prediction interval of a mean of so many repeats."""
    from scipy.stats import t

    table = factor.published
    value = np.nan
    if table is not None and metric in table:
        found = table.loc[table["label"].astype(str) == label, metric]
        value = float(found.iloc[0]) if len(found) else np.nan
    result: dict[str, object] = {
        "published": value,
        "repeats": factor.repeats,
        "prediction_low": np.nan,
        "prediction_high": np.nan,
        "inside": None,
    }
    if np.isfinite(value) and factor.repeats and n > 1:
        half = float(t.ppf(0.975, n - 1)) * sd * np.sqrt(1 / n + 1 / factor.repeats)
        result |= {"prediction_low": mean - half, "prediction_high": mean + half, "inside": abs(value - mean) <= half}
    return result
