"""A file with a table: CSV in its dialects, JSON lines, Parquet; read as it is, with the place of every row."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ablate.judge.cells import Cell
from ablate.task.errors import ConfigError

PREFIXES = ("params.", "metrics.", "config.", "summary.", "tags.")
"""Under which MLflow and W&B list a run's values; a column may be named without."""


@dataclass(frozen=True)
class RawTable:
    """A table as it stands in a file."""

    path: Path
    columns: Mapping[str, Sequence[Cell]]
    """The columns by name, all of the same length."""
    places: Sequence[str]
    """Where every row stands in the file, such as ``line 5``."""
    form: str
    """What the file is, such as ``CSV separated by semicolons``."""
    doubtful: Mapping[str, str] = field(default_factory=dict)
    """Columns whose numbers can be read in two ways, with what is the matter; refused where they are used."""
    notes: tuple[str, ...] = ()
    """Decisions that a reader has to know of."""

    def find(self, name: str) -> str:
        """The column that a name means: of that name, or the only one of it behind a prefix such as ``params.``.

        Raises:
            ConfigError: There is none, or several; or its numbers can be read in two ways.
        """
        found = [name] if name in self.columns else [p + name for p in PREFIXES if p + name in self.columns]
        if len(found) > 1:
            raise ConfigError(f"column {name!r}: may be {' or '.join(found)}; give the whole name")
        if not found:
            raise ConfigError(f"{self.path}: has no column {name!r}{self._hint(name)}")
        if found[0] in self.doubtful:
            raise ConfigError(f"{self.path}: column {found[0]!r}: {self.doubtful[found[0]]}")
        return found[0]

    def rows(self, keep: Sequence[int]) -> "RawTable":
        """The table with these rows only."""
        columns = {name: [cells[row] for row in keep] for name, cells in self.columns.items()}
        places = [self.places[row] for row in keep]
        return RawTable(self.path, columns, places, self.form, self.doubtful, self.notes)

    def _hint(self, name: str) -> str:
        names = {column.lower(): column for column in self.columns}
        for prefix in PREFIXES:
            names |= {column.lower().removeprefix(prefix): column for column in self.columns}
        close = get_close_matches(name.lower(), names, n=1)
        hint = f"; did you mean {names[close[0]]!r}?" if close else ""
        listed = [repr(column) for column in self.columns]
        more = f" and {len(listed) - 30} more" if len(listed) > 30 else ""
        return f"{hint} Columns are {', '.join(listed[:30])}{more}"


def read_table(path: Path) -> RawTable:
    """Read a table.

    Args:
        path: ``.parquet``, ``.json``, ``.jsonl``, ``.ndjson``; anything else is taken for text with separators.

    Raises:
        ConfigError: There is no such file, or it is no such table; says where and why.
    """
    from ablate.judge.structured import read_json, read_parquet, unpack
    from ablate.judge.text_table import read_text

    try:
        if not path.is_file():
            raise ConfigError(f"{path}: {'is no file' if path.exists() else 'there is no such file'}")
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    if data[:4] == b"PAR1":
        table = read_parquet(path)
    elif data[:4] == b"PK\x03\x04":
        raise ConfigError(f"{path}: is a spreadsheet or a zip file; save it as CSV (UTF-8)")
    elif data[:2] == b"\x1f\x8b":
        raise ConfigError(f"{path}: is compressed; unpack it first")
    elif path.suffix.lower() in (".json", ".jsonl", ".ndjson") or data.lstrip()[:1] in (b"{", b"["):
        table = read_json(path, data)
    else:
        table = read_text(path, data)
    if not table.places:
        raise ConfigError(f"{path}: has no rows")
    return unpack(table)


def from_rows(path: Path, rows: Iterable[Mapping[str, Any]], places: Sequence[str], form: str) -> RawTable:
    """A table of rows that may lack columns, which are then empty."""
    listed = list(rows)
    names = dict.fromkeys(name for row in listed for name in row)
    return RawTable(path, {name: [row.get(name) for row in listed] for name in names}, places, form)
