"""Records as two CSV files, from which exactly the same records are read back."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from ablate.store.columns import CONFIG, PROVENANCE, cell, flat, is_older_than_tasks, metric_names, nested, value_of
from ablate.store.tasks import Tasks
from ablate.task.errors import ConfigError
from ablate.task.identity import digest_of
from ablate.task.metric import problem_of_name
from ablate.task.plain_json import loads
from ablate.task.record import Guess, Measurement, Record, Result, Status

RUNS, CURVES = "runs.csv", "curves.csv"
_STATUSES = get_args(Status)
_STEP_COLUMNS = {"epoch": "epochs", "step": "steps"}
"""The step's column in ``curves.csv``, their number's in ``runs.csv``: the first pair where no record names a task."""


def write_folder(folder: Path, records: Iterable[Record]) -> None:
    """Write ``runs.csv`` and ``curves.csv``, from which :func:`read_folder` gives back the records bit by bit.

    ``runs.csv``: digest, status, ``config.<dotted path>``, engine, epochs or steps (how many were measured), the last
    value of each metric, seconds, error, notes (JSON), guesses (JSON, where there are any) and
    ``provenance.<dotted path>``. ``curves.csv``: digest, epoch or step, the metrics, seconds. A cell is empty where a
    run has no such field or a metric was not measured; a metric that diverged is ``nan`` or ``inf``; floats have as
    many digits as it takes. Text that a spreadsheet would take for a formula is in quotes, as a JSON string.

    Args:
        folder: Made if it does not exist.
        records: The records in the order of the rows.

    Raises:
        ConfigError: A metric has a name that no column can have.
    """
    found = list(records)
    metrics = metric_names(found)
    problems = [problem for name in metrics if (problem := problem_of_name(name)) is not None]
    if problems:
        raise ConfigError([f"{folder}: {problem}" for problem in problems])
    step = "epoch" if is_older_than_tasks(found) else "step"
    rows = [_run_row(record, metrics, _STEP_COLUMNS[step]) for record in found]
    points = [_curve_row(record, point, step) for record in found for point in record.result.curves]
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / RUNS, _columns(rows, metrics, _STEP_COLUMNS[step]), rows)
    _write(folder / CURVES, ["digest", step, *metrics, "seconds"], points)


def read_folder(folder: Path) -> list[Record]:
    """Read back what :func:`write_folder` wrote; further columns are ignored, as is a run's second row.

    Args:
        folder: Holds ``runs.csv`` and ``curves.csv``.

    Returns:
        The records in the order of the rows.

    Raises:
        ConfigError: A file is missing or damaged: its name, line and column; also if a configuration does not match
            its digest, or a run's steps or last values its curve, or a complete run has not all of its steps.
    """
    curves: dict[str, list[Measurement]] = {}
    for place, row, metrics, step in _curve_rows(folder / CURVES):
        point = _point(place, row, metrics, step)
        points = curves.setdefault(row["digest"], [])
        last = points[-1].step if points else 0
        if step == "epoch" and point.step != last + 1:
            raise ConfigError(f"{place}, column epoch = {row['epoch']!r}: {last + 1} is next for this run")
        if points and point.step <= last:
            raise ConfigError(f"{place}, column {step} = {row[step]!r}: must be above {last}, the one before")
        points.append(point)
    records, tasks = dict[str, Record](), Tasks()
    for place, row in _rows(folder / RUNS, ("digest", "status")):
        if row["digest"] not in records:
            records[row["digest"]] = _record(place, row, tuple(curves.get(row["digest"], ())), tasks)
    unknown = curves.keys() - records.keys()
    if unknown:
        raise ConfigError(f"{folder / CURVES}: {min(unknown)} has no row in {RUNS}")
    return list(records.values())


def _run_row(record: Record, metrics: Sequence[str], steps: str) -> dict[str, str]:
    result = record.result
    identity = {name: value for name, value in record.config.items() if name != "engine"}
    last = {name: result.last(name) for name in metrics}
    fields: dict[str, Any] = {
        "digest": record.digest,
        "status": result.status,
        **{CONFIG + path: value for path, value in flat(identity)},
        **({"engine": record.config["engine"]} if "engine" in record.config else {}),
        steps: len(result.curves),
        "error": result.error,
        **{PROVENANCE + path: value for path, value in flat(record.provenance)},
    }
    cells = {name: cell(name, value) for name, value in fields.items()}
    guesses = {name: [guess.value, guess.samples] for name, guess in result.guesses.items()}
    return {
        **cells,
        **{name: repr(float(value)) for name, value in last.items() if value is not None},
        "seconds": repr(float(sum(point.seconds for point in result.curves))) if result.curves else "0",
        "notes": json.dumps(dict(result.notes)) if result.notes else "",
        **({"guesses": json.dumps(guesses)} if guesses else {}),
    }


def _curve_row(record: Record, point: Measurement, step: str) -> dict[str, str]:
    values = {name: repr(float(value)) for name, value in point.values.items()}
    return {"digest": record.digest, step: str(point.step), **values, "seconds": repr(float(point.seconds))}


def _columns(rows: Sequence[Mapping[str, str]], metrics: Sequence[str], steps: str) -> list[str]:
    """All columns, those of a group (``config.``, ``provenance.``) together."""
    found = dict.fromkeys(name for row in rows for name in row)
    groups = {group: [name for name in found if name.startswith(group)] for group in (CONFIG, PROVENANCE)}
    guesses = ["guesses"] if "guesses" in found else []
    before = ["digest", "status", *groups[CONFIG], "engine", steps]
    return [*before, *metrics, "seconds", "error", "notes", *guesses, *groups[PROVENANCE]]


def _write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow([row.get(name, "") for name in columns])


def _rows(path: Path, needed: Iterable[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows of a file, each with its place: file and line."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            missing = [name for name in needed if name not in header]
            if missing:
                raise ConfigError(f"{path}, line 1: no column {', '.join(missing)}")
            twice = [name for name in header if header.count(name) > 1]
            if twice:
                raise ConfigError(f"{path}, line 1: column {twice[0]} is there twice")
            end = reader.line_num
            for cells in reader:
                place = f"{path}, line {end + 1}"
                end = reader.line_num
                if len(cells) != len(header):
                    raise ConfigError(f"{place}: {len(cells)} cells, the header has {len(header)}")
                yield place, dict(zip(header, cells, strict=True))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except csv.Error as error:
        raise ConfigError(f"{path}, line {reader.line_num}: {error}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: {error}") from None


def _curve_rows(path: Path) -> Iterator[tuple[str, dict[str, str], Sequence[str], str]]:
    """Each row with the metrics (all columns between the step's and ``seconds``) and the name of the step's column."""
    metrics: list[str] | None = None
    step = ""
    for place, row in _rows(path, ("digest", "seconds")):
        if metrics is None:
            header = list(row)
            step = next((name for name in _STEP_COLUMNS if name in header), "")
            if not step:
                raise ConfigError(f"{path}, line 1: no column {' or '.join(_STEP_COLUMNS)}")
            metrics = header[header.index(step) + 1 : header.index("seconds")]
        yield place, row, metrics, step


def _point(place: str, row: Mapping[str, str], metrics: Sequence[str], step: str) -> Measurement:
    def number(name: str) -> float:
        try:
            return float(row[name])
        except ValueError:
            raise ConfigError(f"{place}, column {name} = {row[name]!r}: should be a number") from None

    try:
        at = int(row[step])
    except ValueError:
        raise ConfigError(f"{place}, column {step} = {row[step]!r}: should be a number") from None
    return Measurement(at, {name: number(name) for name in metrics if row[name]}, number("seconds"))


def _record(place: str, row: Mapping[str, str], curves: tuple[Measurement, ...], tasks: Tasks) -> Record:
    if row["status"] not in _STATUSES:
        raise ConfigError(f"{place}, column status = {row['status']!r}: should be one of {', '.join(_STATUSES)}")
    steps = next((name for name in _STEP_COLUMNS.values() if name in row), None)
    if steps is None:
        raise ConfigError(f"{place}: there is no column {' or '.join(_STEP_COLUMNS.values())}")
    if row[steps] != str(len(curves)):
        raise ConfigError(f"{place}, column {steps} = {row[steps]!r}: {CURVES} has {len(curves)} of this run")
    config, provenance = _group(place, row, CONFIG), _group(place, row, PROVENANCE)
    if row.get("engine"):
        config = {"engine": value_of(row["engine"]), **config}
    if digest_of(config) != row["digest"]:
        raise ConfigError(f"{place}, column digest = {row['digest']!r}: does not belong to this configuration")
    notes = value_of(row["notes"]) if row.get("notes") else {}
    error = value_of(row["error"]) if row.get("error") else None
    if not isinstance(notes, dict):
        raise ConfigError(f"{place}, column notes = {row['notes']!r}: should be a JSON object")
    status: Any = row["status"]
    result = Result(status, curves, error, notes, _guesses(place, row.get("guesses", "")))
    _check_curve(place, row, result, tasks.length_of(config))
    return Record(row["digest"], config, result, provenance)


def _group(place: str, row: Mapping[str, str], group: str) -> dict[str, Any]:
    cells = {name.removeprefix(group): text for name, text in row.items() if text and name.startswith(group)}
    try:
        return nested((path, value_of(text)) for path, text in cells.items())
    except ValueError as error:
        raise ConfigError(f"{place}, columns {group}*: {error}") from None


def _guesses(place: str, text: str) -> dict[str, Guess]:
    try:
        return {name: Guess(*values) for name, values in loads(text or "{}").items()}
    except (ValueError, TypeError, AttributeError):
        raise ConfigError(f"{place}, column guesses = {text!r}: should be a JSON object of pairs") from None


def _check_curve(place: str, row: Mapping[str, str], result: Result, length: int | None) -> None:
    """A curve that lost a part is not taken for whole.

    Args:
        place: Where the row stands.
        row: The run's row.
        result: As read.
        length: Last step of a complete run; None: not known.
    """
    last = result.curves[-1].step if result.curves else 0
    if result.status == "complete" and length is not None and last != length:
        raise ConfigError(f"{place}: is complete, but has {last} of its {length} steps")
    for name in result.metrics:
        value = result.last(name)
        if name in row and row[name] != repr(value):
            raise ConfigError(f"{place}, column {name} = {row[name]!r}: {CURVES} has {value!r} as the last of this run")
    header = list(row)
    steps = next(name for name in header if name in _STEP_COLUMNS.values())
    end = header.index("seconds") if "seconds" in row else 0
    for name in header[header.index(steps) + 1 : end]:
        if row[name] and result.last(name) is None:
            raise ConfigError(f"{place}, column {name} = {row[name]!r}: {CURVES} has none of this run")
