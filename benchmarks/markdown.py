"""A frame as a Markdown table."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def markdown(frame: "pd.DataFrame", decimals: int = 3) -> str:
    """The table, floats with so many decimals and a dash where there is none.

    Args:
        frame: with plain columns.
        decimals: of floats.
    """
    rows = [[_cell(value, decimals) for value in row] for row in frame.itertuples(index=False)]
    return lines_of(list(map(str, frame.columns)), rows)


def lines_of(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The table of cells that are texts already."""
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, [":---"] * len(header), *rows))


def _cell(value: object, decimals: int) -> str:
    if isinstance(value, float):
        return "\u2013" if value != value else f"{value:.{decimals}f}"
    return str(value)
