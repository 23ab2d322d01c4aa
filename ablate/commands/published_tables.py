"""Published tables that study files name: read and matched to levels without pandas, as every plan checks them."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablate.commands.declared import metrics_of
from ablate.plan.design import MAX_SETTINGS, Levels
from ablate.plan.plan import Plan
from ablate.plan.sources import sweep_file
from ablate.plan.study import Published, Study
from ablate.task.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

MOST_COLUMNS = 20
"""Most problems of a faulty table that are told."""

NOT_PRINTED = ("", "na", "n/a", "nan", "null", "none")
"""What stands, in any case, where nothing was printed."""


@dataclass(frozen=True)
class PublishedTable:
    """A published table, its rows named by levels of a study."""

    stated: Published
    metrics: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float, ...]], ...]
    """Label of a level, and a number a metric; NaN where none was printed."""
    left_out: str
    """Which rows match no level; empty: none."""

    @property
    def means(self) -> "pd.DataFrame":
        """``label`` (of the study's level) and metrics."""
        import pandas as pd

        columns = {name: [values[at] for _, values in self.rows] for at, name in enumerate(self.metrics)}
        return pd.DataFrame({"label": [label for label, _ in self.rows], **columns})


def published_table(study: Study, stated: Published, plan: Plan) -> PublishedTable:
    """A published table with the labels of the study's levels, its rows matched to them by value.

    Raises:
        ConfigError: The table is missing or malformed, is of no factor, or two of its rows are one level.
    """
    levels = plan.levels(study, stated.factor)
    if not levels.settings:
        factors = ", ".join(study.factors) or "(none of its own)"
        raise ConfigError(f"{stated.table}: factor = {stated.factor!r}: is no factor of this study; they are {factors}")
    metrics, read = read_table(study, stated.table)
    own = {text: _label(levels, text) for text, _ in read}
    texts: dict[str, list[str]] = {}
    for text, _ in read:
        if (label := own[text]) is not None:
            texts.setdefault(label, []).append(text)
    twice = [f"{' and '.join(names)} are one level, {label}" for label, names in texts.items() if len(names) > 1]
    if twice:
        raise ConfigError([f"{stated.table}: {problem}" for problem in twice])
    left = [text for text, _ in read if own[text] is None]
    said = f"In {stated.table} (published), {', '.join(left)} {'is' if len(left) == 1 else 'are'} no level of "
    return PublishedTable(
        stated,
        metrics,
        tuple((label, values) for text, values in read if (label := own[text]) is not None),
        f"{said}{study.label(stated.factor)}" if left else "",
    )


def read_table(study: Study, name: str) -> tuple[tuple[str, ...], list[tuple[str, tuple[float, ...]]]]:
    """The metrics of a published table, and its rows: the label that stands there, and a number a metric.

    Args:
        study: Its task's metrics are what the columns may be called.
        name: CSV file below a folder of study files; its first column holds the labels of levels.

    Raises:
        ConfigError: The file is missing or is no such table.
    """
    file = sweep_file(name)
    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            lines = csv.reader(text, strict=True)
            _, *columns = next(lines, [""])
            _check_columns(columns, [metric.name for metric in metrics_of([study.task])])
            rows = list[tuple[str, tuple[float, ...]]]()
            for line in lines:
                if not line:
                    continue
                if len(rows) >= MAX_SETTINGS:
                    raise ValueError(f"has more than {MAX_SETTINGS:,} rows")
                rows.append(_row(line, columns, lines.line_num))
    except (ValueError, csv.Error) as error:
        raise ConfigError(f"{file}: is no published table: {error}") from None
    return tuple(columns), rows


def _check_columns(columns: Sequence[str], allowed: Sequence[str]) -> None:
    unknown = [column for column in columns if column not in allowed]
    if unknown or not columns or len(set(columns)) < len(columns):
        wrong = ", ".join((unknown or columns)[:MOST_COLUMNS]) or "(none)"
        raise ValueError(f"columns {wrong} are no metrics, each once; allowed are {', '.join(allowed)}")


def _row(line: Sequence[str], columns: Sequence[str], number: int) -> tuple[str, tuple[float, ...]]:
    label, *cells = line
    if len(cells) > len(columns):
        raise ValueError(f"line {number} has {len(line)} cells, not {1 + len(columns)}")
    cells += [""] * (len(columns) - len(cells))
    values = []
    for name, cell in zip(columns, cells, strict=True):
        value = float("nan") if cell.strip().lower() in NOT_PRINTED else _number(cell)
        if value is None:
            raise ValueError(f"line {number}: {name} = {cell[:40]!r}: must be a number")
        values.append(value)
    return label, tuple(values)


def _label(levels: Levels, text: str) -> str | None:
    """The label of the level that a row is about; None: there is none."""
    setting = levels.meant(text) or levels.meant(_number(text))
    return None if setting is None else setting.label


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
