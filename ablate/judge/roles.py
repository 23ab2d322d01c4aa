"""Which columns of a table hold what: those that are named, and those that are found by usual names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ablate.judge.cells import number_of
from ablate.judge.request import JudgeRequest
from ablate.judge.table import RawTable
from ablate.task.errors import ConfigError
from ablate.task.metric import Metric

NAMES = ("metric", "key", "name", "variable", "tag", "_field")
"""Names, in any case of letters, of the column that names a metric, in a table with a row for each."""
VALUES = ("value", "_value")
"""The same of the column with its value."""


@dataclass(frozen=True)
class Columns:
    """Columns by what they hold."""

    factors: tuple[str, ...]
    seed: str
    metrics: Mapping[str, str]
    """Metric to its column; empty where each metric has a row of its own."""
    long: tuple[str, str] | None
    step: str | None


def chosen(table: RawTable, where: Sequence[tuple[str, str]]) -> RawTable:
    """The rows of a table in which all of these columns have these values.

    Raises:
        ConfigError: There is no such column, or no such row.
    """
    keep = list(range(len(table.places)))
    for column, value in where:
        cells = table.columns[table.find(column)]
        wanted = number_of(value)
        keep = [r for r in keep if str(cells[r]) == value or (wanted is not None and number_of(cells[r]) == wanted)]
        if not keep:
            raise ConfigError(f"--where {column}={value}: leaves no rows of {table.path}")
    return table.rows(keep) if where else table


def find_columns(table: RawTable, request: JudgeRequest, notes: list[str]) -> Columns:
    """The columns that are meant.

    Raises:
        ConfigError: Lists all that are not there.
    """
    problems: list[str] = []

    def find(name: str) -> str:
        try:
            return table.find(name)
        except ConfigError as error:
            problems.extend(error.problems)
            return name

    long = request.long
    if long is None and not all(_has(table, metric.name) for metric in request.metrics):
        long = _tidy(table, request.metrics)
        if long is not None:
            notes.append(f"each metric has a row of its own: column {long[0]!r} names it, {long[1]!r} holds its value")
    factors = tuple(find(name if _has(table, name) else name.removesuffix(":text")) for name in request.factors)
    seed = find(request.seed)
    metrics = {} if long else {metric.name: find(metric.name) for metric in request.metrics}
    if long:
        long = (find(long[0]), find(long[1]))
    step = find(request.step) if request.step is not None else None
    roles = [*factors, seed, *metrics.values(), *(long or ()), *([step] if step else [])]
    problems += [f"column {name!r}: has two roles" for name in dict.fromkeys(roles) if roles.count(name) > 1]
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    if long:
        there = {str(cell) for cell in table.columns[long[0]]}
        lacking = [metric.name for metric in request.metrics if metric.name not in there]
        if lacking:
            listed = ", ".join(sorted(there)[:20])
            raise ConfigError(f"{table.path}: column {long[0]!r} has no metric {lacking[0]!r}; it has {listed}")
    for asked, meant in [*zip(request.factors, factors, strict=True), (request.seed, seed), *metrics.items()]:
        if meant not in (asked, asked.removesuffix(":text")):
            notes.append(f"{asked!r} is column {meant!r}")
    return Columns(factors, seed, metrics, long, step)


def _has(table: RawTable, name: str) -> bool:
    try:
        table.find(name)
    except ConfigError:
        return name in table.columns
    return True


def is_text(table: RawTable, asked: str) -> bool:
    """Whether a factor is asked for as ``COLUMN:text``."""
    return asked.endswith(":text") and not _has(table, asked)


def factor_name(table: RawTable, asked: str) -> str:
    """A factor without what is said of its type."""
    return asked.removesuffix(":text") if is_text(table, asked) else asked


def _tidy(table: RawTable, metrics: Sequence[Metric]) -> tuple[str, str] | None:
    """The columns of a table with a row for each metric, where they have usual names."""
    names = {column.lower(): column for column in table.columns}
    wanted = {metric.name for metric in metrics}
    for name in NAMES:
        for value in VALUES:
            if name in names and value in names and wanted <= set(map(str, table.columns[names[name]])):
                return names[name], names[value]
    return None
