"""Learning curves of a level: mean and interval at every epoch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ablate.analyse.errors import AnalysisError
from ablate.analyse.mean_interval import mean_interval
from ablate.analyse.panel import checked, chosen_factor, engine_warnings
from ablate.task.metric import Metric


@dataclass(frozen=True)
class Curve:
    """Mean and interval per epoch over the seeds of a level. All tuples are of equal length; NaN where not carried."""

    factor: str
    level: object
    label: str
    order: int
    metric: str
    epochs: tuple[int, ...]
    n: tuple[int, ...]
    """Runs behind each epoch's mean: it falls where runs diverged or stopped."""
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    """95 % interval of the mean, NaN below two runs."""
    warnings: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """One row per epoch: epoch, n, mean, low, high."""
        return pd.DataFrame({"epoch": self.epochs, "n": self.n, "mean": self.mean, "low": self.low, "high": self.high})


def curves(runs: pd.DataFrame, epochs: pd.DataFrame, *, metric: Metric, factor: str | None = None) -> tuple[Curve, ...]:
    """Average the curves of each level's complete runs.

    Runs that diverged or failed are left out with a warning, as a mean over fewer and fewer runs would bend by that
    alone.

    Args:
        runs: frame of runs of one study, with ``digest``.
        epochs: frame of curves: digest, epoch (from 1) and the metrics, one row per run and epoch.
        metric: a metric with a column of its name in ``epochs``.
        factor: may be None where the frame has one only.

    Returns:
        One curve per level with any epoch measured, in the study's order.

    Raises:
        AnalysisError: a column is absent, or no such factor.
    """
    runs = checked(runs, ("digest",))
    absent = [name for name in ("digest", "epoch", metric.name) if name not in epochs.columns]
    if absent:
        raise AnalysisError(f"the frame of curves lacks the column(s) {', '.join(absent)}")
    factor = chosen_factor(runs, factor)
    rows = runs[runs["factor"] == factor]
    complete = rows.loc[rows["status"] == "complete", ["digest", "order", "label"]]
    joined = complete.merge(epochs[["digest", "epoch", metric.name]], on="digest")
    joined = joined[np.isfinite(joined[metric.name].to_numpy(dtype=np.float64))]
    table = means(joined, ["order", "label", "epoch"], metric.name, metric)
    made = []
    for _, part in rows.groupby(["order", "label"], sort=True):
        first = part.iloc[0]
        points = table[(table["order"] == first["order"]) & (table["label"] == first["label"])]
        if points.empty:
            continue
        lost = part["status"][part["status"] != "complete"].value_counts()
        warnings = tuple(f"{count} {status} run(s) are not in the curve." for status, count in lost.items())
        made.append(
            Curve(
                *(factor, first["level"], str(first["label"]), int(first["order"]), metric.name),
                epochs=tuple(points["epoch"].astype(int).tolist()),
                n=tuple(points["n"].tolist()),
                mean=tuple(points["mean"].tolist()),
                low=tuple(points["low"].tolist()),
                high=tuple(points["high"].tolist()),
                warnings=engine_warnings(part) + warnings,
            )
        )
    return tuple(made)


def means(points: pd.DataFrame, by: Sequence[str], value: str, metric: Metric) -> pd.DataFrame:
    """Mean and 95 % interval of each group of points.

    Args:
        points: one row per run and epoch.
        by: columns that make a group.
        value: column to average, finite.
        metric: what it holds.

    Returns:
        ``by``, n, mean, low and high (NaN below two points), ordered by ``by``.
    """
    statistics = ("n", "mean", "sd", "least", "greatest")
    groups = points.groupby(list(by), as_index=False)[value]
    table = groups.agg(n="count", mean="mean", sd="std", least="min", greatest="max")
    low, high = mean_interval(metric, *(table[name] for name in statistics))
    found: pd.DataFrame = table.drop(columns=["sd", "least", "greatest"]).assign(low=low, high=high)
    return found
