"""What ``ablate judge`` is asked: which columns of a table are factors, seeds and metrics."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ablate.task.metric import Metric

JudgedDesign = Literal["one-at-a-time", "grid"]


@dataclass(frozen=True)
class JudgeRequest:
    """The roles of a table's columns."""

    table: Path
    factors: tuple[str, ...]
    """Columns; one that ends in ``:text`` has texts for levels, whatever they look like."""
    seed: str
    """Column."""
    metrics: tuple[Metric, ...]
    """Named as their columns."""
    baseline: tuple[str, ...] = ()
    """A level of the only factor, or ``FACTOR=LEVEL`` for each."""
    design: JudgedDesign | None = None
    """None: found from the table."""
    step: str | None = None
    """Column, where a run has a row for each step; None: found."""
    long: tuple[str, str] | None = None
    """Columns with a metric's name and its value, where each has a row of its own; None: found."""
    status: str | None = None
    """Column that says how a run ended; None: ``State`` or ``status``, where it holds such words."""
    where: tuple[tuple[str, str], ...] = ()
    """Column and value of the rows that count; all of them must hold."""
