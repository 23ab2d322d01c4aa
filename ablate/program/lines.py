"""Metrics in lines: JSON objects, or what a regular expression finds; from files or what is printed."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ablate.program.curves import Curves
from ablate.program.process import LONGEST_LINE
from ablate.program.reading import COUNTED, ReadTable, files_in, step_of
from ablate.task.identity import flatten
from ablate.task.output import CHUNK, clean
from ablate.task.plain_json import loads


class Lines:
    """Follows files, or what is printed as it is given by :meth:`take`; see :class:`ablate.program.reading.Source`."""

    def __init__(self, table: ReadTable, folder: Path, metrics: Sequence[str], curves: Curves) -> None:
        self._table, self._folder, self._curves = table, folder, curves
        self._keys = table.keys(metrics)
        self._pattern = re.compile(table.pattern) if table.pattern is not None else None
        self._offsets: dict[Path, int] = {}
        self._numbers: dict[Path, int] = {}
        self._rests: dict[Path, bytes] = {}
        self._count = 0
        self.problems: list[str] = []
        """What cannot be read so far; of what is printed, nothing mends it later."""

    def take(self, line: bytes) -> None:
        """One printed line; what is none of ours is passed over."""
        self._line(line, None)

    def poll(self) -> None:
        """See :class:`ablate.program.reading.Source`."""
        if self._table.file is None:
            return
        for file in files_in(self._folder, self._table.file):
            with file.open("rb") as opened:
                opened.seek(self._offsets.get(file, 0))
                while chunk := opened.read(CHUNK):
                    *lines, rest = (self._rests.get(file, b"") + chunk).split(b"\n")
                    for line in lines:
                        self._numbers[file] = self._numbers.get(file, 0) + 1
                        self._line(line, f"{file.name}:{self._numbers[file]}")
                    self._rests[file] = rest if len(rest) <= LONGEST_LINE else b""
                self._offsets[file] = opened.tell()

    def finish(self) -> list[str]:
        """See :class:`ablate.program.reading.Source`."""
        self.poll()
        for file, rest in self._rests.items():
            if rest.strip():
                self._line(rest, f"{file.name}:{self._numbers.get(file, 0) + 1}")
        return self.problems

    def _line(self, line: bytes, place: str | None) -> None:
        """Add what a line holds; ``place``: of a line that should hold something, which a printed one need not."""
        if self._pattern is not None:
            found = self._pattern.search(clean(line))
            if found is not None:
                self._row({name: text for name, text in found.groupdict().items() if text is not None}, place)
            return
        text = line.strip()
        if not text or (place is None and not text.startswith(b"{")):
            return
        try:
            row = loads(text)
        except ValueError:
            if place is not None:
                self.problems.append(f"{place}: is no JSON, or is cut off: {_short(text)}")
            return
        if isinstance(row, dict):
            self._row({**row, **flatten(row)}, place)

    def _row(self, row: Mapping[str, Any], place: str | None) -> None:
        values = {}
        for key, metric in self._keys.items():
            if row.get(key) is None:
                continue
            try:
                if isinstance(row[key], bool):
                    raise ValueError
                values[metric] = _number(row[key])
            except (TypeError, ValueError, ZeroDivisionError):
                self.problems.append(f"{place or 'its output'}: {key} = {row[key]!r}: is no number")
        if not values:
            return
        if self._table.step == COUNTED:
            self._count += 1
            self._curves.add(self._count, values)
            return
        usable, step = step_of(row, self._table.step)
        if usable:
            self._curves.add(step, values)
        else:
            name = self._table.step or "the step"
            shown = f" = {row[name]!r}" if name in row else ""
            self.problems.append(f"{place or 'its output'}: {name}{shown}: is no whole number of at least 0")


def _number(value: Any) -> float:
    """A number, or a text that is one; a text such as ``9847/10000`` is the share that it says."""
    if isinstance(value, str) and "/" in value:
        part, whole = value.split("/")
        return float(part) / float(whole)
    return float(value)


def _short(text: bytes) -> str:
    shown = text[:60].decode("utf-8", errors="replace")
    return repr(shown) + ("..." if len(text) > 60 else "")
