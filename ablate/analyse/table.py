"""How results become frames, and how a notebook shows those that are tables."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import pandas as pd


class Table(ABC):
    """A result that is a table of entries."""

    @abstractmethod
    def _rows(self) -> Sequence[Any]:
        """The entries, all of one class."""

    def to_frame(self) -> pd.DataFrame:
        """One row per entry, one column per field; an interval becomes ``<field>_low`` and ``<field>_high``."""
        return frame_of(self._rows())

    def _repr_html_(self) -> str:
        return html_of(self.to_frame())


def frame_of(entries: Sequence[Any]) -> pd.DataFrame:
    """A frame with a row per result and a column per field.

    Args:
        entries: results of one class; an ``Interval`` field becomes two columns, ``warnings`` one, joined by spaces.
    """
    if not entries:
        return pd.DataFrame()
    columns: dict[str, list[Any]] = {}
    for field in fields(entries[0]):
        values = [getattr(entry, field.name) for entry in entries]
        if "Interval" in str(field.type):
            columns[f"{field.name}_low"] = [None if value is None else value.low for value in values]
            columns[f"{field.name}_high"] = [None if value is None else value.high for value in values]
        elif field.name == "warnings":
            columns["warnings"] = [" ".join(value) for value in values]
        else:
            columns[field.name] = values
    return pd.DataFrame(columns)


def html_of(frame: pd.DataFrame) -> str:
    """A frame as an HTML table with four significant digits."""
    return str(frame.to_html(index=False, float_format=lambda value: f"{value:.4g}"))
