"""Makes runs of the rows of a table: each with its levels, its seed, how it ended and what was measured along it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ablate.judge.cells import Cell, is_missing, number_of, whole_number_of
from ablate.judge.durations import read_durations
from ablate.judge.levels import Kind, Level, label_of, read_levels
from ablate.judge.request import JudgeRequest
from ablate.judge.roles import Columns, chosen, factor_name, find_columns, is_text
from ablate.judge.seeds import read_seeds
from ablate.judge.statuses import Ending, read_endings
from ablate.judge.table import RawTable
from ablate.task.errors import ConfigError
from ablate.task.metric import Metric
from ablate.task.record import Measurement, Result

STEPS = ("step", "epoch", "_step", "iteration", "iter", "global_step")
"""Names, in any case of letters, of a column of steps that is not named on the command line."""
MOST_NAMED = 3
"""Cells of a kind that an error names."""


@dataclass(frozen=True)
class JudgedRun:
    """A run as a table tells it."""

    levels: tuple[Level, ...]
    """One a factor."""
    seed: int
    result: Result | None
    """None: it has not ended yet."""
    place: str


@dataclass(frozen=True)
class JudgedRuns:
    """All runs of a table."""

    factors: tuple[str, ...]
    kinds: tuple[Kind, ...]
    """What kind of values the levels of each factor are."""
    runs: tuple[JudgedRun, ...]
    """One a setting and seed, in the order of the table."""
    notes: tuple[str, ...] = ()
    """Decisions that a reader has to know of."""


def read_runs(table: RawTable, request: JudgeRequest) -> JudgedRuns:
    """Find the runs of a table.

    Args:
        table: As read.
        request: The roles of its columns.

    Raises:
        ConfigError: Lists every problem.
    """
    table = chosen(table, request.where)
    notes = list(table.notes)
    columns = find_columns(table, request, notes)
    problems: list[str] = []
    levels: list[list[Level]] = []
    kinds: list[Kind] = []
    for asked, name in zip(request.factors, columns.factors, strict=True):
        try:
            read, kind = read_levels(name, table.columns[name], table.places, as_text=is_text(table, asked))
            levels.append(read)
            kinds.append(kind)
        except ConfigError as error:
            problems += error.problems
    seeds: list[int] = []
    try:
        seeds, said = read_seeds(columns.seed, table.columns[columns.seed], table.places)
        notes += [said] if said else []
    except ConfigError as error:
        problems += error.problems
    values, found = _values(table, request.metrics, columns)
    problems += found
    endings, durations = read_endings(table, request.status), read_durations(table)
    if problems:
        raise ConfigError([f"{table.path}: {problem}" for problem in problems])
    groups: dict[tuple[tuple[Level, ...], int], list[int]] = {}
    for row, key in enumerate(zip(zip(*levels, strict=True), seeds, strict=True)):
        groups.setdefault(key, []).append(row)
    steps = _steps(table, columns, groups, endings, notes)
    made = _Maker(table, columns, request.metrics, values, steps, endings, durations)
    runs = tuple(made.run(key, rows) for key, rows in groups.items())
    made.raise_problems()
    return JudgedRuns(
        tuple(factor_name(table, asked) for asked in request.factors),
        tuple(kinds),
        runs,
        notes=tuple(notes + made.notes()),
    )


def _values(table: RawTable, metrics: Sequence[Metric], columns: Columns) -> tuple[list[dict[str, float]], list[str]]:
    """What each row measured, and the cells that are no numbers or lie outside their metric's range."""
    values: list[dict[str, float]] = [{} for _ in table.places]
    problems: list[str] = []
    for metric in metrics:
        column = columns.metrics[metric.name] if columns.long is None else columns.long[1]
        rows = list(range(len(table.places)))
        if columns.long is not None:
            names = table.columns[columns.long[0]]
            rows = [row for row in rows if str(names[row]) == metric.name]
        found = []
        for row in rows:
            cell = table.columns[column][row]
            number = number_of(cell)
            if number is None:
                found += [] if is_missing(cell) else [f"{table.places[row]}: {cell!r} is no number"]
                continue
            values[row][metric.name] = number
            if math.isfinite(number) and not _lies_in(metric, number):
                found.append(f"{table.places[row]}: {cell!r} lies outside {_range(metric)}")
        problems += [f"metric {metric.name!r}, {text}" for text in found[:MOST_NAMED]]
        if len(found) > MOST_NAMED:
            problems.append(f"metric {metric.name!r}: and {len(found) - MOST_NAMED} more")
    return values, problems


def _lies_in(metric: Metric, value: float) -> bool:
    return not ((metric.low is not None and value < metric.low) or (metric.high is not None and value > metric.high))


def _range(metric: Metric) -> str:
    low, high = ("" if end is None else f"{end:g}" for end in (metric.low, metric.high))
    return f"{low}..{high}"


def _steps(
    table: RawTable,
    columns: Columns,
    groups: Mapping[tuple[tuple[Level, ...], int], Sequence[int]],
    endings: tuple[str, list[Ending]] | None,
    notes: list[str],
) -> list[int] | None:
    """The step of every row; None: a run has one row, or one a metric.

    Raises:
        ConfigError: The column holds something else than whole numbers.
    """
    name = columns.step
    if name is None:
        each = 1 if columns.long is None else len({str(cell) for cell in table.columns[columns.long[0]]})
        if all(len(rows) <= each for rows in groups.values()):
            return None
        used = {*columns.factors, columns.seed, *columns.metrics.values(), *(columns.long or ())}
        lower = {column.lower(): column for column in table.columns if column not in used}
        name = next((lower[step] for step in STEPS if step in lower), None)
        if name is None:
            return None
        if all(whole_number_of(cell) is None for cell in table.columns[name]):
            return None
        notes.append(f"a run has a row for each step, in column {name!r}")
    steps = [whole_number_of(cell) for cell in table.columns[name]]
    for step, place, cell in zip(steps, table.places, table.columns[name], strict=True):
        if step is None:
            raise ConfigError(f"{table.path}, {place}: {name} = {cell!r}: steps are whole numbers")
    return [step for step in steps if step is not None]


@dataclass
class _Maker:
    """Makes runs of groups of rows, and collects what is wrong with them."""

    table: RawTable
    columns: Columns
    metrics: Sequence[Metric]
    values: Sequence[Mapping[str, float]]
    steps: Sequence[int] | None
    endings: tuple[str, list[Ending]] | None
    durations: Sequence[float] | None
    problems: list[str] = field(default_factory=list)
    replaced: int = 0
    lacking: dict[str, int] = field(default_factory=dict)
    lengths: set[int] = field(default_factory=set)

    def run(self, key: tuple[tuple[Level, ...], int], rows: Sequence[int]) -> JudgedRun:
        rows = self._last_attempt(rows)
        measured: dict[int, dict[str, float]] = {}
        seen: dict[tuple[int, str], int] = {}
        for row in rows:
            step = self.steps[row] if self.steps is not None else 0
            part = str(self.table.columns[self.columns.long[0]][row]) if self.columns.long else ""
            if (step, part) in seen:
                self._repeated(key, (seen[step, part], row), step)
                break
            seen[step, part] = row
            measured.setdefault(step, {}).update(self.values[row])
        return JudgedRun(key[0], key[1], self._result(rows, measured), self.table.places[rows[0]])

    def raise_problems(self) -> None:
        if self.problems:
            more = len(self.problems) - MOST_NAMED
            raise ConfigError(
                self.problems[:MOST_NAMED] + ([f"{self.table.path}: and {more} more"] if more > 0 else [])
            )

    def notes(self) -> list[str]:
        said = [f"{name!r} is empty in {count} finished run(s)" for name, count in self.lacking.items()]
        if self.replaced:
            said.append(f"{self.replaced} failed or unfinished attempt(s) of runs that were tried again are left out")
        if len(self.lengths) > 1:
            said.append(f"finished runs end at different steps, {min(self.lengths)} to {max(self.lengths)}")
        return said

    def _last_attempt(self, rows: Sequence[int]) -> Sequence[int]:
        """The attempt that ended, if there is one, of several that are a row each."""
        if self.endings is None or self.steps is not None or self.columns.long is not None or len(rows) < 2:
            return rows
        ended = [row for row in rows if self.endings[1][row] in ("ended", "diverged")]
        kept = ended or rows[-1:]
        self.replaced += len(rows) - len(kept)
        return kept

    def _result(self, rows: Sequence[int], measured: Mapping[int, dict[str, float]]) -> Result | None:
        ending: Ending = self.endings[1][rows[-1]] if self.endings is not None else "ended"
        if ending == "unfinished":
            return None
        seconds = self.durations[rows[-1]] if self.durations is not None else 0.0
        kept = [step for step in sorted(measured) if measured[step]]
        share = seconds / len(kept) if kept else 0.0
        curves = tuple(Measurement(step, measured[step], share) for step in kept)
        place = self.table.places[rows[-1]]
        if ending == "failed":
            column = self.endings[0] if self.endings is not None else ""
            word = self.table.columns[column][rows[-1]]
            return Result("failed", curves, f"{self.table.path.name}, {place}: {column} = {word}")
        result = Result("complete", curves)
        last = {metric.name: result.last(metric.name) for metric in self.metrics}
        if all(value is None for value in last.values()):
            names = ", ".join(last)
            return Result("failed", curves, f"{self.table.path.name}, {place}: no value of {names}")
        if ending == "diverged" or any(value is not None and not math.isfinite(value) for value in last.values()):
            return Result("diverged", curves)
        for name in (name for name, value in last.items() if value is None):
            self.lacking[name] = self.lacking.get(name, 0) + 1
        if self.steps is not None:
            self.lengths.add(kept[-1])
        return result

    def _repeated(self, key: tuple[tuple[Level, ...], int], rows: tuple[int, int], step: int) -> None:
        levels = ", ".join(f"{n} = {label_of(v)}" for n, v in zip(self.columns.factors, key[0], strict=True))
        at = f" at step {step}" if self.steps is not None else ""
        where = " and ".join(self.table.places[row] for row in rows)
        self.problems.append(
            f"{self.table.path}: {where} repeat {levels} with seed {key[1]}{at}; "
            f"a run has one row{self._differing(rows)}"
        )

    def _differing(self, rows: tuple[int, int]) -> str:
        """What repeated rows differ in, which is perhaps another factor."""
        used = {*self.columns.factors, self.columns.seed, *self.columns.metrics.values(), *(self.columns.long or ())}
        names = [
            name
            for name, cells in self.table.columns.items()
            if name not in used and _differs(cells[rows[0]], cells[rows[1]])
        ]
        if not names:
            return ""
        listed = ", ".join(names[:8])
        return f" (they differ in {listed}: name another --factor or --step, or choose with --where)"


def _differs(a: Cell, b: Cell) -> bool:
    return bool(a != b and not (isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b)))
