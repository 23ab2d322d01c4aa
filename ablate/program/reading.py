"""How metrics are read from what a program writes: declared in a table, followed while it runs."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import Field, model_validator

from ablate.program.curves import Curves
from ablate.task.fields import Fields

Kind = Literal["jsonl", "csv", "tensorboard", "pattern"]

STEPS = ("step", "epoch", "iteration", "iter")
"""Where no step is named, the first of these that is there."""

COUNTED = "count"
"""``step`` of what is written once a step without saying which: counted from 1."""


class ReadTable(Fields):
    """One thing that a program writes; the keys of ``read``."""

    kind: Kind
    file: str | None = None
    """Name or pattern (``**/metrics.csv``) in the run's folder; None: what it prints (standard output and
    errors), or any TensorBoard files."""
    names: dict[str, str] = Field(default_factory=dict)
    """What each metric is called there (key, column, tag, named group); left out: the same."""
    step: str | None = None
    """What the step is called there; ``count``: counted from 1; None: ``step``, ``epoch``, ``iteration`` or ``iter``
    where there is one, else the last value is the final one."""
    pattern: str | None = None
    """A regular expression that is looked for in each line, with a named group for each metric. A group may find a
    number, or a share such as ``9847/10000``."""

    @model_validator(mode="after")
    def _fits(self) -> "ReadTable":
        if self.kind == "csv" and self.file is None:
            raise ValueError("file: is missing; a CSV table is read from a file")
        if (self.kind == "pattern") != (self.pattern is not None):
            raise ValueError("pattern: belongs to kind = 'pattern', and to no other")
        if self.pattern is not None:
            try:
                expression = re.compile(self.pattern)
            except re.error as error:
                raise ValueError(f"pattern = {self.pattern!r}: is no regular expression: {error}") from None
            if not expression.groupindex:
                raise ValueError(f"pattern = {self.pattern!r}: names no group; write (?P<metric>[-+.\\deE]+)")
        if self.file is not None and (Path(self.file).is_absolute() or ".." in Path(self.file).parts):
            raise ValueError(f"file = {self.file!r}: must be in the run's folder, which {{folder}} stands for")
        return self

    def keys(self, metrics: Sequence[str]) -> dict[str, str]:
        """The metric of each name that is used there."""
        if self.kind == "pattern":
            groups = re.compile(self.pattern or "").groupindex
            return {self.names.get(name, name): name for name in metrics if self.names.get(name, name) in groups}
        return {self.names.get(name, name): name for name in metrics}

    @property
    def definition(self) -> dict[str, Any]:
        """The keys that were given, as plain data."""
        return self.model_dump(exclude_defaults=True) | {"kind": self.kind}

    @property
    def place(self) -> str:
        """Where it is read, for people."""
        if self.kind == "tensorboard":
            return f"TensorBoard files in {self.file or 'the run folder'}"
        return self.file or "its output"


class Source(Protocol):
    """Something that is followed while a program writes it."""

    def poll(self) -> None:
        """Add what is there by now; what is only half there is left for later."""

    def finish(self) -> list[str]:
        """Add what is there now that the program has ended.

        Returns:
            What cannot be read: a line that is cut off, a text where a number belongs.
        """


def open_source(table: ReadTable, folder: Path, metrics: Sequence[str], curves: Curves) -> Source:
    """Follow what a table declares.

    Args:
        table: What, and where.
        folder: The run's.
        metrics: Names of all metrics of the task.
        curves: Where values go.
    """
    from ablate.program.lines import Lines
    from ablate.program.tables import Tables
    from ablate.program.tensorboard import EventFiles

    if table.kind == "tensorboard":
        return EventFiles(table, folder, metrics, curves)
    if table.kind == "csv":
        return Tables(table, folder, metrics, curves)
    return Lines(table, folder, metrics, curves)


def files_in(folder: Path, pattern: str) -> list[Path]:
    """Files of a run that fit a pattern, in order."""
    return sorted(file for file in folder.glob(pattern) if file.is_file())


def step_of(row: Mapping[str, object], step: str | None) -> tuple[bool, int | None]:
    """Whether the step of a row is usable, and which it is; None: it has none."""
    name = step if step is not None else next((name for name in STEPS if name in row), None)
    if name is None or name not in row or row[name] in (None, ""):
        return step is None, None
    try:
        number = float(str(row[name]))
        return number >= 0 and number == int(number), int(number)
    except (ValueError, OverflowError):
        return False, None
