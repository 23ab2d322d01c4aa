"""The levels of a factor's column, by value: 0.1 and 1e-1 are one level."""

import math
from collections.abc import Sequence
from typing import Any, Literal

from ablate.judge.cells import Cell, boolean_of, number_of, whole_number_of
from ablate.task.errors import ConfigError

Level = bool | int | float | str
Kind = Literal["boolean", "whole number", "number", "text"]
DIGITS = 12
"""Significant digits of a level: what lies behind them is rounding, as in 0.30000000000000004."""


def read_levels(name: str, cells: Sequence[Cell], places: Sequence[str], *, as_text: bool) -> tuple[list[Level], Kind]:
    """The level of every row.

    Args:
        name: The column, for messages.
        cells: Its cells.
        places: Where the rows stand, for messages.
        as_text: Whether levels are texts whatever they look like.

    Raises:
        ConfigError: A cell is empty or no finite number, or the column holds numbers and texts.
    """
    empty = [place for cell, place in zip(cells, places, strict=True) if cell is None or cell == ""]
    if empty:
        raise ConfigError(f"factor {name!r}: is empty in {_several(empty)}; choose rows with --where")
    kind: Kind = "text" if as_text else _kind(name, cells, places)
    return [read_level(cell, kind) for cell in cells], kind


def read_level(cell: Cell, kind: Kind) -> Level:
    """A cell as a level of a kind.

    Raises:
        ValueError: It is none.
    """
    if kind == "text":
        return str(cell)
    value: bool | float | int | None
    if kind == "boolean":
        value = boolean_of(cell)
    else:
        value = whole_number_of(cell) if kind == "whole number" else number_of(cell)
    if value is None or not math.isfinite(value):
        raise ValueError(f"{cell!r} is no {kind}")
    return float(f"{value:.{DIGITS}g}") if kind == "number" else value


def label_of(level: Any) -> str:
    """A level as it is printed."""
    return str(level).lower() if isinstance(level, bool) else str(level)


def _kind(name: str, cells: Sequence[Cell], places: Sequence[str]) -> Kind:
    kinds: dict[str, tuple[str, Cell]] = {}
    for cell, place in zip(cells, places, strict=True):
        number = number_of(cell)
        if boolean_of(cell) is not None:
            kind = "boolean"
        elif number is not None and not math.isfinite(number):
            raise ConfigError(f"factor {name!r}, {place}: {cell!r} is no level (or give --factor '{name}:text')")
        else:
            kind = "number" if number is not None else "text"
        kinds.setdefault(kind, (place, cell))
    if len(kinds) > 1:
        there = " and ".join(f"{cell!r} ({kind}, {place})" for kind, (place, cell) in kinds.items())
        raise ConfigError(
            f"factor {name!r}: has levels of several types: {there}; --factor '{name}:text' takes all for text"
        )
    if "number" in kinds:
        return "whole number" if all(whole_number_of(cell) is not None for cell in cells) else "number"
    return "boolean" if "boolean" in kinds else "text"


def _several(places: Sequence[str], most: int = 3) -> str:
    more = f" and {len(places) - most} more" if len(places) > most else ""
    return f"{', '.join(places[:most])}{more}"
