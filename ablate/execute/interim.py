"""What runs in training have measured so far, in a file that others who reach the folder may read.

A file is of one sweep, is written anew as workers tell more, and is gone when the sweep ends. No record rests on it.
What counts of it are the runs that its sweep holds the leases of: nothing where the sweep was killed, whose file the
next one on the store removes.
"""

import json
import math
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ablate.store import Owner, Store
from ablate.store.rescue import stem_of
from ablate.task.plain_json import loads
from ablate.task.whole_files import aside

SECONDS = 1.0
"""Between two writings at least."""

Values = Mapping[str, tuple[str, float]]
"""A metric and its value so far, by a run's digest."""


class InterimFile:
    """The file of one sweep.

    Args:
        folder: Where the files of sweeps lie; None: there is no file.
        store: The sweep's.
        owner: The sweep.
    """

    def __init__(self, folder: Path | None, store: Store, owner: Owner) -> None:
        self._folder, self._store = folder, store
        self._file = None if folder is None else folder / f"{stem_of(store)}-{owner.name}.json"
        self._next = 0.0

    def begin(self) -> None:
        """Remove the files of sweeps on the same store that train nothing any more; a living one writes its anew."""
        if self._folder is None:
            return
        owners = {owner.name for owner in self._store.held().values()}
        for file in self._folder.glob("*.json"):
            stem, _, name = file.stem.rpartition("-")
            if stem == stem_of(self._store) and name not in owners:
                with suppress(OSError):
                    file.unlink(missing_ok=True)

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


def read_interim(folder: Path, training: Mapping[str, Owner]) -> dict[str, tuple[str, float]]:
    """What runs in training have measured so far, each as its own sweep tells; what is no such file is passed over.

    Args:
        folder: Where the files of sweeps lie.
        training: Who trains each run, by its digest.
    """
    found: dict[str, tuple[str, float]] = {}
    for file in folder.glob("*.json"):
        own = {digest for digest, owner in training.items() if owner.name == file.stem.rpartition("-")[2]}
        if not own or not file.is_file():
            continue
        with suppress(OSError, ValueError, TypeError, AttributeError):
            told = loads(file.read_text(encoding="utf-8"))
            values = {str(digest): (str(metric), float(value)) for digest, (metric, value) in told.items()}
            found |= {digest: pair for digest, pair in values.items() if digest in own and math.isfinite(pair[1])}
    return found
