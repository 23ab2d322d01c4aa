"""A frame as a Markdown table."""

import pandas as pd


def markdown(frame: pd.DataFrame, decimals: int = 3) -> str:
    """The table, floats with so many decimals and a dash where there is none.

    Args:
        frame: with plain columns.
        decimals: of floats.
    """
    lines = [list(map(str, frame.columns)), [":---"] * len(frame.columns)]
    lines += [[_cell(value, decimals) for value in row] for row in frame.itertuples(index=False)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object, decimals: int) -> str:
    if isinstance(value, float):
        return "\u2013" if value != value else f"{value:.{decimals}f}"
    return str(value)
