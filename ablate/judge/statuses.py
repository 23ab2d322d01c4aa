"""How a run ended, in the words of those who keep tables of runs."""

from collections.abc import Sequence
from typing import Literal

from ablate.judge.cells import Cell
from ablate.judge.table import RawTable
from ablate.task.errors import ConfigError

Ending = Literal["ended", "diverged", "failed", "unfinished"]
COLUMNS = ("State", "state", "status", "Status")
"""Columns in which W&B, MLflow and this program keep a run's status."""
WORDS: dict[str, Ending] = {
    **dict.fromkeys(("finished", "complete", "completed", "succeeded", "success", "done", "ok"), "ended"),
    **dict.fromkeys(("failed", "crashed", "killed", "preempted", "error", "errored", "oom", "timeout"), "failed"),
    **dict.fromkeys(("running", "pending", "scheduled", "queued", "missing", "stopped"), "unfinished"),
    "diverged": "diverged",
}


def read_endings(table: RawTable, column: str | None) -> tuple[str, list[Ending]] | None:
    """How every row's run ended.

    Args:
        table: The rows that count.
        column: That says so; None: one of :data:`COLUMNS` whose words are all known.

    Returns:
        The column and its endings; None: the table does not say.

    Raises:
        ConfigError: The column is not there, or has a word that is not known.
    """
    if column is None:
        for name in COLUMNS:
            cells: Sequence[Cell] = table.columns.get(name, (None,))
            if all(_word(cell) in WORDS for cell in cells):
                return name, [WORDS[_word(cell)] for cell in cells]
        return None
    name = table.find(column)
    for cell, place in zip(table.columns[name], table.places, strict=True):
        if _word(cell) not in WORDS:
            raise ConfigError(f"{table.path}, {place}: {name} = {cell!r}: must be one of {', '.join(WORDS)}")
    return name, [WORDS[_word(cell)] for cell in table.columns[name]]


def _word(cell: Cell) -> str:
    return str(cell).lower()
