"""A metric: a named number that a task measures along a run's steps."""

from dataclasses import dataclass
from typing import Literal

Goal = Literal["max", "min"]
Split = Literal["train", "val", "test"]


RESERVED = frozenset(
    (
        *("study", "factor", "level", "label", "order", "is_baseline", "seed", "digest", "status", "task", "engine"),
        *("epoch", "epochs", "step", "steps", "last_step", "seconds", "error", "notes", "guesses", "record"),
    )
)
"""Columns of tables of runs, which no metric may be called."""

RESERVED_BEGINNINGS = ("config.", "provenance.")
"""Beginnings of names of further such columns."""


def problem_of_name(name: str) -> str | None:
    """Why a metric cannot have this name; None: it can.

    Args:
        name: As somebody declares or reports it. It becomes a column of CSV files beside those of a run.
    """
    if name in RESERVED or name.startswith(RESERVED_BEGINNINGS):
        others = ", ".join(sorted(RESERVED))
        return f"a metric cannot be called {name!r}: tables of runs have columns {others}, config.* and provenance.*"
    if not name or name != name.strip() or not name.isprintable():
        return f"a metric cannot be called {name!r}: must have printable characters, without blanks at its ends"
    if name[0] in "=+-@\uff1d\uff0b\uff0d\uff20":
        return f"a metric cannot be called {name!r}: a spreadsheet would take it for a formula"
    return None


@dataclass(frozen=True)
class Metric:
    """What has to be known of a metric to compare, draw and judge it; its name says nothing."""

    name: str
    """Column of frames and tables, and the word for it in study files."""
    goal: Goal
    """``max``: higher is better; ``min``: lower is better."""
    label: str = ""
    """Printed name; empty: the name with blanks for underscores."""
    unit: str = ""
    """Unit of its values, such as ``fraction``, ``nats`` or ``s``; empty: none is known."""
    low: float | None = None
    """Least value that it can take; None: unbounded."""
    high: float | None = None
    """Greatest value that it can take; None: unbounded."""
    split: Split | None = None
    """Part of the data on which it is measured; None: not known, or none."""
    axis: str = ""
    """Kind of number: metrics of one kind share an axis; empty: the unit, or else the name."""
    cost: bool = False
    """Whether it says what a run costs (parameters, time of a step) rather than what it reaches: a figure draws the
    primary metric against each cost, and others leave costs out."""
    exact: bool = False
    """Whether it follows from the setting and not from the seed, such as a number of parameters: levels then differ by
    exactly what they differ by, and nothing is tested."""

    @property
    def title(self) -> str:
        """The printed name."""
        return self.label or self.name.replace("_", " ")

    @property
    def kind(self) -> str:
        """Return what metrics have in common that share an axis."""
        return self.axis or self.unit or self.name

    @property
    def axis_label(self) -> str:
        """The text on an axis that shows metrics of this kind."""
        kind = self.axis or self.title
        return f"{kind} ({self.unit})" if self.unit and self.unit != kind else kind

    @property
    def unit_after(self) -> str:
        """What stands behind its numbers in a sentence: a blank and the unit; of a fraction nothing."""
        return "" if self.unit in ("", "fraction") else f" {self.unit}"

    def is_better(self, a: float, b: float) -> bool:
        """Say whether ``a`` is strictly better than ``b``."""
        return a > b if self.goal == "max" else a < b

    @property
    def sign(self) -> float:
        """1.0 where higher is better, else -1.0: a value times this is better the higher it is."""
        return 1.0 if self.goal == "max" else -1.0
