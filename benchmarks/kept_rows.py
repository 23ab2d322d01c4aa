"""Cells of a simulation, each a row of a CSV file that is written as it comes, so that what was killed goes on."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import pandas as pd

Cell = Mapping[str, Any]


def kept_rows(
    path: Path,
    cells: Sequence[Cell],
    measure: Callable[..., Mapping[str, Any]],
    processes: int = 1,
    prepare: Callable[[], None] | None = None,
) -> pd.DataFrame:
    """The rows of all cells, in their order; those that the file lacks are measured and added to it.

    Args:
        path: A CSV file, there or not; its first columns are the fields of a cell.
        cells: With the same fields each.
        measure: From a cell's fields, by name, to its further columns; a function of a module.
        processes: To measure in, the first cells first.
        prepare: Called once in each process.
    """
    fields = list(cells[0])
    held = _read(path, fields)
    _write(path, held.values())
    lacking = [cell for cell in cells if _key(cell, fields) not in held]
    with ProcessPoolExecutor(processes, initializer=prepare) as pool:
        running = {pool.submit(measure, **cell): cell for cell in lacking}
        for done in as_completed(running):
            _append(path, {**running[done], **done.result()})
    held = _read(path, fields)
    rows = [held.pop(_key(cell, fields)) for cell in cells]
    _write(path, [*rows, *held.values()])
    return pd.read_csv(path, nrows=len(rows))


def _key(cell: Cell, fields: list[str]) -> tuple[str, ...]:
    return tuple(str(cell[field]) for field in fields)


def _read(path: Path, fields: list[str]) -> dict[tuple[str, ...], dict[str, str]]:
    """Whole rows by the fields of their cell; half a row, of a run that was killed, is none."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if None not in row.values()]
    return {_key(row, fields): row for row in rows}


def _write(path: Path, rows: Iterable[Cell]) -> None:
    frame = pd.DataFrame(rows)
    if len(frame):
        frame.to_csv(path, index=False, lineterminator="\n")
    else:
        path.unlink(missing_ok=True)


def _append(path: Path, row: Cell) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(row), lineterminator="\n")
    if not path.exists():
        writer.writeheader()
    writer.writerow({name: _shown(value) for name, value in row.items()})
    with path.open("a", encoding="utf-8") as file:
        file.write(text.getvalue())


def _shown(value: object) -> object:
    if isinstance(value, float):
        return "" if value != value else round(value, 6)
    return value
