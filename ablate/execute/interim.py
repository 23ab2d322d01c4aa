"""What runs in training have measured so far, in a file beside the results that others who reach the folder may read.

A file is of one sweep, is written anew as workers tell more, and is gone when the sweep ends. No record rests on it,
and one of a sweep that was killed is told by its runs, which nobody holds any more.
"""

import json
import math
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ablate.task.whole_files import aside

FOLDER = ".interim"
"""Below the folder of results."""
SECONDS = 1.0
"""Between two writings at least."""

Values = Mapping[str, tuple[str, float]]
"""A metric and its value so far, by a run's digest."""


class InterimFile:
    """The file of one sweep.

    Args:
        results: The folder of results; None: there is no file.
        name: Of the sweep, unique.
    """

    def __init__(self, results: Path | None, name: str) -> None:
        self._file = None if results is None else results / FOLDER / f"{name}.json"
        self._next = 0.0

    def write(self, values: Values) -> None:
        """Write what is known, unless that was done just now; where it cannot be written there is none."""
        if self._file is None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + SECONDS
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with aside(self._file) as place:
                place.write_text(json.dumps(values), encoding="utf-8")

    def remove(self) -> None:
        """The sweep has ended."""
        if self._file is not None:
            with suppress(OSError):
                self._file.unlink(missing_ok=True)
                self._file.parent.rmdir()


def read_interim(results: Path) -> dict[str, tuple[str, float]]:
    """What runs of all sweeps on a folder of results have measured so far; what is no such file is passed over.

    Args:
        results: The folder.
    """
    found: dict[str, tuple[str, float]] = {}
    for file in sorted((results / FOLDER).glob("*.json")):
        with suppress(OSError, ValueError, TypeError, AttributeError):
            told = json.loads(file.read_text(encoding="utf-8"))
            values = {str(digest): (str(metric), float(value)) for digest, (metric, value) in told.items()}
            found |= {digest: pair for digest, pair in values.items() if math.isfinite(pair[1])}
    return found
