"""The page's tables: cells with what they sort by, and the geometry of the small range bars."""

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ablate.report.axis_limits import limits
from ablate.report.tables import better_cell, outside, p_cell
from ablate.report.view import FactorView, StudyView
from ablate.task import numbers
from ablate.task.metric import Metric


@dataclass(frozen=True)
class Bar:
    """A small picture of an interval; all in per cent of its width, None where there is nothing to draw."""

    left: float
    width: float
    point: float
    mark: float | None = None
    """The published number."""


@dataclass(frozen=True)
class Row:
    """One level in one metric."""

    label: str
    is_baseline: bool
    order: int
    count: str
    losses: tuple[str, ...]
    """Runs that are not in the mean, or are but hardly trained or stand apart: how many and why."""
    complete: int
    cells: dict[str, tuple[str, float | None]]
    """Text and value to sort by of each numeric column."""
    range: Bar | None
    standing: str
    needed: str
    """Seeds that would settle an undecided difference."""
    published: str
    inside: bool | None


@dataclass(frozen=True)
class Table:
    """One factor in one metric."""

    metric: str
    name: str
    rows: tuple[Row, ...]
    compared: bool
    """Whether there are differences from the baseline."""
    published: bool
    timed: bool


def tables(view: StudyView, factor: FactorView, levels: pd.DataFrame) -> list[Table]:
    """The tables of a factor, the primary metric's first.

    Args:
        view: The study.
        factor: The factor.
        levels: The levels from :func:`ablate.report.summary.summarise`.
    """
    rows = levels[levels["factor"] == factor.path]
    metrics = sorted(view.metrics, key=lambda metric: metric != view.metric)
    return [_table(metric, rows[rows["metric"] == metric.name]) for metric in metrics]


def _table(metric: Metric, rows: pd.DataFrame) -> Table:
    means = _Scale(rows, ["mean", "interval_low", "interval_high", "published"])
    return Table(
        metric=metric.name,
        name=metric.title,
        rows=tuple(_row(row, means) for row in rows.to_dict("records")),
        compared="difference" in rows and bool(rows["difference"].notna().any()),
        published=bool(rows["published"].notna().any()),
        timed=bool((rows["seconds"] > 0).any()),
    )


def _row(row: Any, means: "_Scale") -> Row:
    known, digits = _number(row["published"]) is not None, int(row["digits"])
    texts = {
        "mean": numbers.number(row["mean"], digits),
        "sd": numbers.number(row["sd"], digits),
        "interval": numbers.interval(row["interval_low"], row["interval_high"], digits),
        "seconds": numbers.duration(row["seconds"]),
    }
    values = {"mean": row["mean"], "sd": row["sd"], "interval": row["interval_low"], "seconds": row["seconds"]}
    if "difference" in row:
        texts |= {
            "difference": numbers.signed(row["difference"], digits),
            "difference_interval": numbers.interval(row["difference_low"], row["difference_high"], digits),
            "p": p_cell(row),
            "better": better_cell(row),
        }
        values |= {
            "difference": row["difference"],
            "difference_interval": row["difference_low"],
            "p": row["p_corrected"],
            "better": row["p_better"],
        }
    return Row(
        label=str(row["label"]),
        is_baseline=bool(row["is_baseline"]),
        order=int(row["order"]),
        count=numbers.count_runs(row).partition(" (")[0],
        losses=(*numbers.losses(row), *([row["uneven"]] if row["uneven"] else [])),
        complete=int(row["complete"]),
        cells={name: (text, _number(values[name])) for name, text in texts.items()},
        range=means.bar(row["mean"], row["interval_low"], row["interval_high"], mark=row["published"]),
        standing=row["standing"] if isinstance(row.get("standing"), str) else "",
        needed=f"≈ {row['needed']} seeds needed" if row["needed"] else "",
        published=numbers.printed(row["published"]),
        inside=None if not known or row["inside"] not in (True, False) else not outside(row),
    )


class _Scale:
    """Maps values onto 0..100 per cent over the range of several columns; a mean far off it has no bar."""

    def __init__(self, rows: pd.DataFrame, columns: list[str]) -> None:
        self._low, self._high = limits(value for name in columns if name in rows for value in rows[name])

    def bar(self, point: Any, low: Any, high: Any, mark: Any = None) -> Bar | None:
        middle, ends = _number(point), (_number(low), _number(high))
        if middle is None or not self._low <= middle <= self._high or self._high <= self._low:
            return None
        left = self._at(middle if ends[0] is None else ends[0])
        right = self._at(middle if ends[1] is None else ends[1])
        shown = _number(mark)
        return Bar(
            left=left,
            width=round(right - left, 2),
            point=self._at(middle),
            mark=None if shown is None else self._at(shown),
        )

    def _at(self, value: float) -> float:
        value = min(max(value, self._low), self._high)
        return round(3 + 94 * (value - self._low) / (self._high - self._low), 2)


def _number(value: Any) -> float | None:
    if value is None or isinstance(value, str):
        return None
    value = float(value)
    return value if math.isfinite(value) else None
