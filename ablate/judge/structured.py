"""Tables that are no text with separators: JSON, Parquet, and cells that hold whole mappings."""

import ast
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablate.judge.cells import Cell
from ablate.judge.table import RawTable, from_rows
from ablate.task.errors import ConfigError
from ablate.task.identity import flatten

PACKED = ("config", "summary")
"""Columns in which W&B's recipe for exporting runs keeps a mapping in each cell."""
_CONSTANTS = {"nan": math.nan, "inf": math.inf, "NaN": math.nan, "Infinity": math.inf, "null": None}


def read_json(path: Path, data: bytes) -> RawTable:
    """Read a list of objects, or an object a line; what is nested gets dotted names.

    Raises:
        ConfigError: It is no such table; says where and why.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8") from None
    try:
        found, places = _objects(path, text)
    except RecursionError:
        raise ConfigError(f"{path}: is nested too deeply") from None
    for place, row in zip(places, found, strict=True):
        if not isinstance(row, Mapping):
            raise ConfigError(f"{path}, {place}: is no object with a value for each column")
    rows = [{name: _plain(value) for name, value in flatten(row).items()} for row in found]
    return from_rows(path, rows, places, "JSON")


def _objects(path: Path, text: str) -> tuple[list[Any], list[str]]:
    if text.lstrip().startswith("["):
        try:
            found = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"{path}: is no JSON: {error}") from None
        return found, [f"row {position}" for position in range(1, len(found) + 1)]
    found, places = [], []
    for position, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                found.append(json.loads(line))
            except ValueError as error:
                raise ConfigError(f"{path}, line {position}: is no JSON object: {error}") from None
            places.append(f"line {position}")
    return found, places


def read_parquet(path: Path) -> RawTable:
    """Read a Parquet file; needs the package pyarrow.

    Raises:
        ConfigError: The package is not there, or the file is damaged.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise ConfigError(f"{path}: reading Parquet needs the package pyarrow: pip install 'ablate[parquet]'") from None
    try:
        rows = parquet.read_table(path).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise ConfigError(f"{path}: cannot be read as Parquet: {str(error).splitlines()[0]}") from None
    flat = [{name: _plain(value) for name, value in flatten(row).items()} for row in rows]
    return from_rows(path, flat, [f"row {position}" for position in range(1, len(rows) + 1)], "Parquet")


def unpack(table: RawTable) -> RawTable:
    """A table whose columns ``config`` and ``summary`` hold mappings, with a column for each of their entries."""
    columns = dict(table.columns)
    for name in PACKED:
        cells = columns.get(name, ())
        if any(cell is not None for cell in cells):
            rows = [_mapping(cell) for cell in cells]
            if all(row is not None for row in rows):
                del columns[name]
                flat = [flatten({name: row}) for row in rows if row is not None]
                names = dict.fromkeys(key for row in flat for key in row if row[key] != {})
                columns |= {key: [_plain(row.get(key)) for row in flat] for key in names}
    return RawTable(table.path, columns, table.places, table.form, table.doubtful, table.notes)


def _mapping(cell: Cell) -> dict[str, Any] | None:
    """The mapping that a text holds, as JSON or as Python prints it; None: it holds none. Nothing is executed."""
    if cell is None:
        return {}
    if not isinstance(cell, str) or not cell.startswith("{"):
        return None
    try:
        value = _value(ast.parse(cell, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return value if isinstance(value, dict) else None


def _value(node: ast.expr) -> Any:
    """The value of a display of constants, NaN and infinity among them.

    Raises:
        ValueError: It is something else.
    """
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float | bool | None):
        return node.value
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {str(_value(key)): _value(value) for key, value in pairs if key is not None}
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.Name) and node.id in {*_CONSTANTS, "true", "false"}:
        return _CONSTANTS[node.id] if node.id in _CONSTANTS else node.id == "true"
    raise ValueError(ast.dump(node))


def _plain(value: Any) -> Cell:
    """A cell: lists as the text that JSON has for them, everything unknown as its text."""
    if isinstance(value, str):
        return value.strip()
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, default=str)
    return str(value)
