"""How long a table's runs took, where it says so in a column that is known."""

from datetime import datetime

from ablate.judge.cells import Cell, number_of
from ablate.judge.table import RawTable

SECONDS = ("Runtime", "_runtime", "summary._runtime", "seconds")
"""Columns of W&B and of ourselves that hold seconds."""


def read_durations(table: RawTable) -> list[float] | None:
    """Seconds of every row's run, 0 where they are not known; None: the table does not say."""
    for name in SECONDS:
        if name in table.columns:
            numbers = [number_of(cell) for cell in table.columns[name]]
            return [number if number is not None and 0 <= number < 1e9 else 0.0 for number in numbers]
    if {"start_time", "end_time"} <= table.columns.keys():
        return [_between(*pair) for pair in zip(table.columns["start_time"], table.columns["end_time"], strict=True)]
    return None


def _between(start: Cell, end: Cell) -> float:
    """Seconds between two of MLflow's times: texts, or milliseconds since 1970."""
    try:
        if number_of(start) is not None and number_of(end) is not None:
            return max(0.0, (float(end) - float(start)) / 1000)
        return max(0.0, (datetime.fromisoformat(str(end)) - datetime.fromisoformat(str(start))).total_seconds())
    except (ValueError, TypeError):
        return 0.0
