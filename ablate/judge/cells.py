"""What a cell of a table means: numbers, nothing, and what only looks like a number."""

import re
from typing import Any

Cell = Any
"""Text, number, boolean or None, as the file has it; text of a text file has no blanks around it."""

MISSING = frozenset({"", "na", "n/a", "null", "none"})
"""Texts that say in a metric's column, in any case of letters, that nothing was measured."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE | re.ASCII)
_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}([.,' ]\d{3})*([.,]\d+)?", re.ASCII)


def number_of(cell: Cell) -> float | None:
    """The number that a cell holds, NaN and infinity among them; None: it holds none.

    A boolean is no number.
    """
    if isinstance(cell, bool) or cell is None:
        return None
    if isinstance(cell, int | float):
        return float(cell)
    return float(cell) if isinstance(cell, str) and _NUMBER.fullmatch(cell) else None


def whole_number_of(cell: Cell) -> int | None:
    """The whole number that a cell holds, written as ``3`` or ``3.0``; None: it holds none."""
    if isinstance(cell, int) and not isinstance(cell, bool):
        return cell
    if isinstance(cell, str) and re.fullmatch(r"[+-]?\d+", cell, re.ASCII):
        return int(cell)
    number = number_of(cell)
    return int(number) if number is not None and number.is_integer() else None


def boolean_of(cell: Cell) -> bool | None:
    """The boolean that a cell holds; None: it holds none."""
    if isinstance(cell, bool):
        return cell
    return {"true": True, "false": False}.get(cell.lower()) if isinstance(cell, str) else None


def is_missing(cell: Cell) -> bool:
    """Whether a cell of a metric says that nothing was measured."""
    return cell is None or (isinstance(cell, str) and cell.lower() in MISSING)


def has_decimal_comma(cell: Cell) -> bool:
    """Whether a cell looks like ``0,95``."""
    return isinstance(cell, str) and _COMMA.fullmatch(cell) is not None


def looks_grouped(cell: Cell) -> bool:
    """Whether a cell looks like a number with separated thousands, ``1.234,5`` or ``1,234,567``."""
    text = cell if isinstance(cell, str) else ""
    return _GROUPED.fullmatch(text) is not None and sum(text.count(sign) for sign in ".,' ") > 1
