"""Records as tables: pandas frames for the analysis, and CSV files that give back exactly the same records."""

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from ablate.images.metrics import METRICS
from ablate.task.errors import ConfigError
from ablate.task.record import Measurement, Record, Result, Status

RUNS, CURVES = "runs.csv", "curves.csv"
_CURVE_COLUMNS = ("digest", "epoch", *METRICS, "seconds")
_STATUSES = get_args(Status)


def to_frames(records: Iterable[Record]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A row a run, and a row a run and epoch.

    Args:
        records: Of any number of studies.

    Returns:
        ``runs``: digest, status, ``config.<dotted path>`` (native values, None where a run has no such field), engine,
        epochs (trained), the metrics of the last epoch and seconds (float), error, notes (JSON) and
        ``provenance.<dotted path>``. ``curves``: digest, epoch, the metrics and seconds. A metric that was not measured
        is NaN.
    """
    rows, points = [], []
    for record in records:
        rows.append(_run_row(record))
        points += [_curve_row(record, epoch) for epoch in record.result.curves]
    runs = pd.DataFrame(rows, columns=_columns(rows), dtype=object)
    curves = pd.DataFrame(points, columns=_CURVE_COLUMNS)
    numbers: dict[str, Any] = {name: "float64" for name in (*METRICS, "seconds")}
    runs = runs.where(runs.notna(), None).astype(numbers | {"epochs": "int64"})
    return runs, curves.astype(numbers | {"epoch": "int64"})


def write_folder(folder: Path, records: Iterable[Record]) -> None:
    """Write ``runs.csv`` and ``curves.csv``, from which :func:`read_folder` gives back the records bit by bit.

    The columns are those of :func:`to_frames`. A cell is empty where a run has no such field or a metric was not
    measured; a metric that diverged is ``nan`` or ``inf``; floats have as many digits as it takes.

    Args:
        folder: Made if it does not exist.
        records: In the order of the rows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows, points = [], []
    for record in records:
        rows.append(_run_row(record))
        points += [_curve_row(record, epoch) for epoch in record.result.curves]
    _write(folder / RUNS, _columns(rows), rows)
    _write(folder / CURVES, list(_CURVE_COLUMNS), points)


def read_folder(folder: Path) -> list[Record]:
    """Read back what :func:`write_folder` wrote; further columns are ignored, as is a run's second row.

    Args:
        folder: Holds ``runs.csv`` and ``curves.csv``.

    Returns:
        The records in the order of the rows.

    Raises:
        ConfigError: A file is missing or damaged: its name, line and column; also if a configuration does not match
            its digest, or a run's number of epochs its curve.
    """
    curves: dict[str, list[Measurement]] = {}
    for place, row in _rows(folder / CURVES, _CURVE_COLUMNS):
        epoch = _epoch(place, row)
        points = curves.setdefault(row["digest"], [])
        if epoch.step != len(points) + 1:
            raise ConfigError(f"{place}, column epoch = {row['epoch']!r}: {len(points) + 1} is next for this run")
        points.append(epoch)
    records: dict[str, Record] = {}
    for place, row in _rows(folder / RUNS, ("digest", "status", "epochs")):
        if row["digest"] not in records:
            records[row["digest"]] = _record(place, row, tuple(curves.get(row["digest"], ())))
    unknown = curves.keys() - records.keys()
    if unknown:
        raise ConfigError(f"{folder / CURVES}: {min(unknown)} has no row in {RUNS}")
    return list(records.values())


def _run_row(record: Record) -> dict[str, Any]:
    result = record.result
    identity = {name: value for name, value in record.config.items() if name != "engine"}
    return {
        "digest": record.digest,
        "status": result.status,
        **{f"config.{path}": value for path, value in _flat(identity)},
        "engine": record.config.get("engine"),
        "epochs": len(result.curves),
        **{name: result.last(name) for name in METRICS},
        "seconds": sum(epoch.seconds for epoch in result.curves),
        "error": result.error,
        "notes": json.dumps(dict(result.notes)) if result.notes else None,
        **{f"provenance.{path}": value for path, value in _flat(record.provenance)},
    }


def _curve_row(record: Record, measured: Measurement) -> dict[str, Any]:
    values = {name: measured.values.get(name) for name in METRICS}
    return {"digest": record.digest, "epoch": measured.step, **values, "seconds": measured.seconds}


def _columns(rows: list[dict[str, Any]]) -> list[str]:
    """All columns, those of a group (``config.``, ``provenance.``) together."""
    found = dict.fromkeys(name for row in rows for name in row)
    fixed = ["digest", "status", "engine", "epochs", *METRICS, "seconds", "error", "notes"]
    config = [name for name in found if name.startswith("config.")]
    provenance = [name for name in found if name.startswith("provenance.")]
    return [*fixed[:2], *config, *fixed[2:], *provenance]


def _flat(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in nested.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _nested(flat: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for path, value in flat:
        *parents, name = path.split(".")
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = value
    return nested


def _write(path: Path, columns: list[str], rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow([_cell(name, row[name]) if name in row else "" for name in columns])


def _cell(column: str, value: Any) -> str:
    """Plain text, but JSON where a reader would take it for something else; None in a group of columns is ``null``."""
    if value is None:
        return "null" if column.startswith(("config.", "provenance.")) else ""
    if isinstance(value, float) and column in (*METRICS, "seconds"):
        return repr(value)
    if not isinstance(value, str):
        return json.dumps(value)
    if column == "notes":
        return value
    return json.dumps(value) if value == "" or "\r" in value or _is_json(value) else value


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _rows(path: Path, needed: Iterable[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows of a file, each with its place: file and line."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            missing = [name for name in needed if name not in header]
            if missing:
                raise ConfigError(f"{path}, line 1: no column {', '.join(missing)}")
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


def _epoch(place: str, row: Mapping[str, str]) -> Measurement:
    values: dict[str, Any] = {}
    for name in _CURVE_COLUMNS[1:]:
        try:
            if name == "epoch":
                values[name] = int(row[name])
            else:
                values[name] = float(row[name]) if row[name] or name in ("train_loss", "train_acc", "seconds") else None
        except ValueError:
            raise ConfigError(f"{place}, column {name} = {row[name]!r}: should be a number") from None
    step, seconds = values.pop("epoch"), values.pop("seconds")
    return Measurement(step, {name: value for name, value in values.items() if value is not None}, seconds)


def _record(place: str, row: Mapping[str, str], curves: tuple[Measurement, ...]) -> Record:
    if row["status"] not in _STATUSES:
        raise ConfigError(f"{place}, column status = {row['status']!r}: should be one of {', '.join(_STATUSES)}")
    if row["epochs"] != str(len(curves)):
        raise ConfigError(f"{place}, column epochs = {row['epochs']!r}: {CURVES} has {len(curves)} of this run")
    config, provenance = (
        _nested(
            (name.removeprefix(group), _value(cell)) for name, cell in row.items() if cell and name.startswith(group)
        )
        for group in ("config.", "provenance.")
    )
    if row.get("engine"):
        config = {"engine": _value(row["engine"]), **config}
    identity = json.dumps(config, sort_keys=True, separators=(",", ":"))
    if hashlib.sha256(identity.encode()).hexdigest() != row["digest"]:
        raise ConfigError(f"{place}, column digest = {row['digest']!r}: does not belong to this configuration")
    notes = _value(row["notes"]) if row.get("notes") else {}
    error = _value(row["error"]) if row.get("error") else None
    if not isinstance(notes, dict):
        raise ConfigError(f"{place}, column notes = {row['notes']!r}: should be a JSON object")
    return Record(row["digest"], config, Result(row["status"], curves, error, notes), provenance)  # type: ignore[arg-type]
