"""Text with separators: its encoding, its separator and its decimal sign are found, or it is refused by name."""

import codecs
import csv
from collections import Counter
from pathlib import Path

from ablate.judge.cells import Cell, has_decimal_comma, is_missing, looks_grouped, number_of
from ablate.judge.table import RawTable
from ablate.task.errors import ConfigError

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
LONGEST_CELL = 2**26
"""Characters; MLflow keeps whole models' descriptions in tags."""


def read_text(path: Path, data: bytes) -> RawTable:
    """Read a CSV file.

    Args:
        path: The file's path, for messages.
        data: All of it.

    Raises:
        ConfigError: It is no such table; says where and why.
    """
    text = _decoded(path, data)
    separator = _separator(path, text)
    header, rows, places = _cells(path, text, separator)
    columns: dict[str, list[Cell]] = {name: [row[i] or None for row in rows] for i, name in enumerate(header)}
    notes, doubtful = [], {}
    for name, cells in columns.items():
        problem = _doubt(cells, places, separator)
        if problem is not None:
            doubtful[name] = problem
        elif any(map(has_decimal_comma, cells)) and _is_numeric(cells):
            columns[name] = [cell.replace(",", ".") if isinstance(cell, str) else cell for cell in cells]
            notes.append(f"column {name!r} is read with decimal commas")
    form = f"CSV separated by {SEPARATORS[separator]}"
    return RawTable(path, columns, places, form, doubtful, tuple(notes))


def _decoded(path: Path, data: bytes) -> str:
    name = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = data.decode(name)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{path}, line {line}: is not UTF-8 (byte 0x{data[error.start]:02x}); convert it, such as with "
            "iconv -f latin1 -t utf-8"
        ) from None
    if "\0" in text:
        raise ConfigError(f"{path}: is no text")
    if not text.strip():
        raise ConfigError(f"{path}: is empty")
    return text


def _separator(path: Path, text: str) -> str:
    """The sign that divides the header and the first rows into the same number of cells, of several the most cells.

    Of signs that all divide evenly the one that makes most cells is meant: ``lr;acc`` over ``0,1;0,9`` is divided by
    semicolons, as the header holds no comma.
    """
    lines = [line for line in text.splitlines()[:200] if line.strip()][:50]
    scores: list[tuple[float, int, str]] = []
    for sign in SEPARATORS:
        try:
            widths = [len(row) for row in csv.reader(lines, delimiter=sign)]
        except csv.Error:
            continue
        if widths and widths[0] > 1:
            scores.append((Counter(widths)[widths[0]] / len(widths), widths[0], sign))
    if not scores:
        raise ConfigError(f"{path}: has one column only; columns are separated by {' or '.join(SEPARATORS.values())}")
    return max(scores)[2]


def _cells(path: Path, text: str, separator: str) -> tuple[list[str], list[list[str]], list[str]]:
    """Header, rows and the place of each row; blank lines are left out."""
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(text.splitlines(keepends=True), delimiter=separator, strict=True, skipinitialspace=True)
    header: list[str] = []
    rows: list[list[str]] = []
    places: list[str] = []
    start = 1
    try:
        for row in reader:
            place, start = f"line {start}", reader.line_num + 1
            if not any(cell.strip() for cell in row):
                continue
            cells = [cell.strip() for cell in row]
            if not header:
                header = _named(path, cells)
            elif len(cells) != len(header):
                more = " (decimal commas, perhaps?)" if separator == "," and len(cells) > len(header) else ""
                raise ConfigError(f"{path}, {place}: {len(cells)} cells, the header has {len(header)}{more}")
            else:
                rows.append(cells)
                places.append(place)
    except csv.Error as error:
        raise ConfigError(f"{path}, line {reader.line_num}: {error}") from None
    return header, rows, places


def _named(path: Path, cells: list[str]) -> list[str]:
    """Names of columns; one without a name, such as an index that pandas wrote, is called by its position."""
    names = [cell or f"column {position}" for position, cell in enumerate(cells, start=1)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ConfigError(f"{path}: column {', '.join(map(repr, twice))} is there more than once")
    if all(number_of(name) is not None for name in names):
        raise ConfigError(f"{path}: the first line holds numbers where the names of the columns should be")
    return names


def _is_numeric(cells: list[Cell]) -> bool:
    """Whether there is nothing but numbers, with a decimal point or comma, and empty cells."""
    return all(is_missing(cell) or has_decimal_comma(cell) or number_of(cell) is not None for cell in cells)


def _doubt(cells: list[Cell], places: list[str], separator: str) -> str | None:
    """What is the matter with a column of numbers that can be read in two ways."""
    commas = [row for row, cell in enumerate(cells) if has_decimal_comma(cell)]
    grouped = [row for row, cell in enumerate(cells) if looks_grouped(cell) and number_of(cell) is None]
    if not commas and not grouped:
        return None
    if not all(is_missing(c) or has_decimal_comma(c) or looks_grouped(c) or number_of(c) is not None for c in cells):
        return None  # text that has such numbers in it
    if grouped:
        row = grouped[0]
        return f"{places[row]}: {cells[row]!r} has separated thousands; write the numbers without"
    points = [row for row, cell in enumerate(cells) if isinstance(cell, str) and "." in cell]
    row = commas[0]
    if points:
        return (
            f"{places[row]} has {cells[row]!r} and {places[points[0]]} {cells[points[0]]!r}: one decimal sign, please"
        )
    if separator == ",":
        return f"{places[row]}: {cells[row]!r} has a comma where others separate columns: a decimal or thousands?"
    return None
