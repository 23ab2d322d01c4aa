"""What is printed in a terminal: wide enough that nothing is cut, and text of others only as text."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ablate.task.numbers import separator
from ablate.task.printable import one_line, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

ENDLESS = 100_000
"""Columns of an output that is no terminal: a file or a pipe has no edge at which to cut."""

CELL = 100
"""Characters of a list in a cell, beyond which it is shortened."""
KEPT = 3
"""The first items of a list that is shortened, which are kept."""


def output() -> "Console":
    """Standard output for tables and sentences.

    Markup, emoji codes and highlighting are off, so that square brackets in a name are square brackets.
    """
    from rich.console import Console

    width = None if sys.stdout.isatty() else ENDLESS
    return Console(width=width, markup=False, emoji=False, highlight=False, soft_wrap=False)


def plain(text: object, style: str = "") -> "Text":
    """Somebody's words as text: no markup is read in them, and no character of them reaches the terminal as a command.

    Args:
        text: Any; lines stay lines.
        style: A style of Rich.
    """
    from rich.text import Text

    return Text(printable(str(text)), style=style)


def listed(items: Sequence[str]) -> str:
    """Items in a cell of a table: all of them where they fit, else the first ones, the last one and their number.

    Args:
        items: Names of levels or factors; some may hold commas themselves.
    """
    sign = separator(items)
    whole = sign.join(items)
    if len(whole) <= CELL or len(items) <= KEPT + 1:
        return whole
    return sign.join([*items[:KEPT], "…", f"{items[-1]} ({len(items)} in all)"])


def table(title: str = "", **options: Any) -> "Table":
    """An empty table with a title at its left.

    Args:
        title: Plain text.
        options: The options of Rich's table.
    """
    from rich.table import Table

    heading = plain(one_line(title), "bold") if title else None
    return Table(title=heading, title_justify="left", **options)


def add_column(to: "Table", heading: str, *, left: bool = False) -> None:
    """A column whose cells are folded where they are too long, never cut.

    Args:
        to: The table.
        heading: Plain text.
        left: Whether it holds words rather than numbers.
    """
    to.add_column(plain(heading), justify="left" if left else "right", overflow="fold")


def add_row(to: "Table", *cells: object, style: str | None = None) -> None:
    """A row of plain text."""
    to.add_row(*(plain(cell) for cell in cells), style=style)
