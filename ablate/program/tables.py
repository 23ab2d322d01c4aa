"""Metrics in CSV tables, such as Lightning's: cells may be empty, the header may change while the program runs."""

import csv
import io
import time
from collections.abc import Sequence
from pathlib import Path

from ablate.program.curves import Curves
from ablate.program.reading import COUNTED, ReadTable, files_in, step_of

PATIENCE = 10.0
"""Times that reading took, between two readings of the same files, which are read from their start."""


class Tables:
    """Follows CSV files; see :class:`ablate.program.reading.Source`."""

    def __init__(self, table: ReadTable, folder: Path, metrics: Sequence[str], curves: Curves) -> None:
        self._table, self._folder, self._curves = table, folder, curves
        self._keys = table.keys(metrics)
        self._stamps: dict[Path, tuple[int, int]] = {}
        self._next = 0.0

    def poll(self) -> None:
        """See :class:`ablate.program.reading.Source`."""
        if time.monotonic() < self._next:
            return
        start = time.monotonic()
        for file in files_in(self._folder, self._table.file or ""):
            stat = file.stat()
            if self._stamps.get(file) != (stat.st_mtime_ns, stat.st_size):
                self._stamps[file] = stat.st_mtime_ns, stat.st_size
                self._read(file, is_whole=False)
        self._next = start + PATIENCE * (time.monotonic() - start)

    def finish(self) -> list[str]:
        """See :class:`ablate.program.reading.Source`."""
        files = files_in(self._folder, self._table.file or "")
        return [problem for file in files for problem in self._read(file, is_whole=True)]

    def _read(self, file: Path, *, is_whole: bool) -> list[str]:
        text = file.read_bytes().decode("utf-8-sig", errors="replace")
        if not is_whole:
            text = text[: text.rfind("\n") + 1]
        rows = csv.reader(io.StringIO(text, newline=""))
        header = next(rows, [])
        problems, count = [], 0
        for cells in rows:
            if not cells:
                continue
            place = f"{file.name}:{rows.line_num}"
            if len(cells) != len(header):
                problems.append(f"{place}: has {len(cells)} cells below a header of {len(header)}: is it cut off?")
                continue
            row = dict(zip((name.strip() for name in header), cells, strict=True))
            values = {}
            for key, metric in self._keys.items():
                cell = row.get(key, "").strip()
                if not cell:
                    continue
                try:
                    values[metric] = float(cell)
                except ValueError:
                    problems.append(f"{place}: {key} = {cell!r}: is no number")
            if not values:
                continue
            count += 1
            usable, step = (True, count) if self._table.step == COUNTED else step_of(row, self._table.step)
            if usable:
                self._curves.add(step, values)
            else:
                problems.append(f"{place}: {self._table.step or 'the step'}: is no whole number of at least 0")
        return problems
