"""Records as pandas frames, for the analysis."""

import json
from collections.abc import Iterable
from typing import Any

import pandas as pd

from ablate.store.columns import CONFIG, PROVENANCE, flat, metric_names
from ablate.store.csv_files import read_folder, write_folder
from ablate.task.record import Record

__all__ = ["read_folder", "to_frames", "write_folder"]


def to_frames(records: Iterable[Record]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A row a run, and a row a run and step, which the columns call epoch whatever the task.

    Args:
        records: Records of any number of studies and tasks.

    Returns:
        ``runs``: digest, status, ``config.<dotted path>`` (native values, None where a run has no such field), engine,
        epochs (how many steps were measured), the metrics' last values and seconds (float), error, notes (JSON) and
        ``provenance.<dotted path>``. ``curves``: digest, epoch, the metrics and seconds. A metric that was not measured
        is NaN.
    """
    found = list(records)
    metrics = metric_names(found)
    numbers: dict[str, Any] = dict.fromkeys([*metrics, "seconds"], "float64")
    rows = [_run_row(record, metrics) for record in found]
    runs = pd.DataFrame(rows, columns=_columns(rows, metrics), dtype=object)
    runs = runs.where(runs.notna(), None).astype(numbers | {"epochs": "int64"})
    points = [(record.digest, point) for record in found for point in record.result.curves]
    columns: dict[str, Any] = {
        "digest": [digest for digest, _ in points],
        "epoch": pd.Series([point.step for _, point in points], dtype="int64"),
        **{name: pd.Series([p.values.get(name) for _, p in points], dtype="float64") for name in metrics},
        "seconds": pd.Series([point.seconds for _, point in points], dtype="float64"),
    }
    return runs, pd.DataFrame(columns)


def _run_row(record: Record, metrics: list[str]) -> dict[str, Any]:
    result = record.result
    identity = {name: value for name, value in record.config.items() if name != "engine"}
    return {
        "digest": record.digest,
        "status": result.status,
        **{CONFIG + path: value for path, value in flat(identity)},
        "engine": record.config.get("engine"),
        "epochs": len(result.curves),
        **{name: result.last(name) for name in metrics},
        "seconds": result.seconds,
        "error": result.error,
        "notes": json.dumps(dict(result.notes)) if result.notes else None,
        **{PROVENANCE + path: value for path, value in flat(record.provenance)},
    }


def _columns(rows: list[dict[str, Any]], metrics: list[str]) -> list[str]:
    found = dict.fromkeys(name for row in rows for name in row)
    config = [name for name in found if name.startswith(CONFIG)]
    provenance = [name for name in found if name.startswith(PROVENANCE)]
    return ["digest", "status", *config, "engine", "epochs", *metrics, "seconds", "error", "notes", *provenance]
