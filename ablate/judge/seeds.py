"""The seeds of a table's runs: whole numbers, or texts that stand for some."""

from collections.abc import Sequence

from ablate.judge.cells import Cell, whole_number_of
from ablate.task.errors import ConfigError

LARGEST = 2**31 - 1


def read_seeds(name: str, cells: Sequence[Cell], places: Sequence[str]) -> tuple[list[int], str | None]:
    """The seed of every row.

    Args:
        name: The column, for messages.
        cells: Its cells.
        places: Where the rows stand, for messages.

    Returns:
        Whole numbers, and where they stand for something else a sentence that says so.

    Raises:
        ConfigError: A cell is empty, or there are whole numbers and other things.
    """
    empty = [place for cell, place in zip(cells, places, strict=True) if cell is None or cell == ""]
    if empty:
        raise ConfigError(f"seed {name!r}: is empty in {', '.join(empty[:3])}{' and more' if len(empty) > 3 else ''}")
    numbers = [whole_number_of(cell) for cell in cells]
    if all(number is not None and -LARGEST <= number <= LARGEST for number in numbers):
        return [number for number in numbers if number is not None], None
    if all(number is not None for number in numbers):
        order = {cell: position for position, cell in enumerate(sorted({n for n in numbers if n is not None}))}
        return [order[number] for number in numbers if number is not None], _said(name, [str(s) for s in order])
    if any(number is not None for number in numbers):
        number = next(i for i, n in enumerate(numbers) if n is not None)
        text = next(i for i, n in enumerate(numbers) if n is None)
        raise ConfigError(
            f"seed {name!r}: has whole numbers and texts: {cells[number]!r} ({places[number]}) and {cells[text]!r} "
            f"({places[text]})"
        )
    labels = {label: position for position, label in enumerate(sorted({str(cell) for cell in cells}))}
    return [labels[str(cell)] for cell in cells], _said(name, list(labels))


def _said(name: str, labels: Sequence[str]) -> str:
    named = [f"{position}: {label}" for position, label in enumerate(labels[:5])]
    return f"seeds of column {name!r} are numbered in order ({', '.join(named)}{', ...' if len(labels) > 5 else ''})"
