"""Records that lie in reports: read where a store lacks them, and never dropped when a report is written anew."""

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.task.errors import ConfigError

if TYPE_CHECKING:
    from ablate.report import StudyView
    from ablate.store import Store
    from ablate.task.record import Record

RUNS = "runs.csv"


def records_in(results: Path, digests: Collection[str]) -> "dict[str, Record]":
    """The records of some runs that reports below a folder hold.

    Args:
        results: ``runs.csv`` of its reports count, with the ``curves.csv`` beside them.
        digests: The digests of the runs.

    Returns:
        By digest; of several a final one before a failed one, else that of the first report by name.

    Raises:
        ConfigError: A report that holds one of them is damaged.
    """
    from ablate.store import FINAL
    from ablate.store.csv_files import read_folder

    wanted, found = set(digests), dict[str, "Record"]()
    for folder in folders(results):
        if not wanted:
            break
        if wanted.isdisjoint(digests_of(folder)):
            continue
        for record in read_folder(folder):
            if record.digest in wanted:
                if record.result.status in FINAL:
                    wanted.discard(record.digest)
                    found[record.digest] = record
                else:
                    found.setdefault(record.digest, record)
    return found


def all_in(results: Path) -> "list[Record]":
    """Every record of the reports below a folder.

    Raises:
        ConfigError: A report is damaged.
    """
    from ablate.store.csv_files import read_folder

    return [record for folder in folders(results) if digests_of(folder) - {""} for record in read_folder(folder)]


def final_in(results: Path, digests: Collection[str]) -> set[str]:
    """Those of some runs of which a report below a folder holds a final record; reads no curves."""
    from ablate.store import FINAL

    wanted, found = set(digests), set[str]()
    for folder in folders(results):
        if not wanted:
            break
        ended = {digest for digest, status in _statuses(folder) if status in FINAL and digest in wanted}
        found |= ended
        wanted -= ended
    return found


def take_up(store: "Store", results: Path, digests: Collection[str]) -> dict[Path, int]:
    """Put the final records that reports hold of some runs into a store that lacks them.

    Args:
        store: Open for writing.
        results: See :func:`records_in`.
        digests: The digests of the runs.

    Returns:
        How many came from which report.

    Raises:
        ConfigError: A report that holds one of them is damaged, or the store cannot be written.
    """
    from ablate.store import FINAL
    from ablate.store.csv_files import read_folder

    lacking = {digest for digest in digests} - {
        digest for digest, status in store.status_of(digests).items() if status in FINAL
    }
    taken: dict[Path, int] = {}
    for folder in folders(results) if lacking else ():
        if lacking.isdisjoint(digest for digest, status in _statuses(folder) if status in FINAL):
            continue
        found = [r for r in read_folder(folder) if r.digest in lacking and r.result.status in FINAL]
        lacking -= {record.digest for record in found}
        taken[folder / RUNS] = store.merge(found)
    return taken


def with_kept(folder: Path, records: "Sequence[Record]") -> "list[Record]":
    """Records to write into a folder: those given, then every other that lies there already.

    Args:
        folder: The folder of a report; it may be empty, or not be there.
        records: What is to be written. Of two about the same run a final one stays, else the one given.

    Raises:
        ConfigError: What lies there is damaged, and writing would lose it.
    """
    from ablate.store import FINAL
    from ablate.store.csv_files import read_folder

    if not (folder / RUNS).is_file():
        return list(records)
    held = digests_of(folder)
    if held and held <= {record.digest for record in records if record.result.status in FINAL}:
        return list(records)  # all that lies there is written anew
    there = {record.digest: record for record in read_folder(folder)}
    kept = [
        there[record.digest]
        if record.digest in there and record.result.status not in FINAL and there[record.digest].result.status in FINAL
        else record
        for record in records
    ]
    given = {record.digest for record in records}
    return [*kept, *(record for digest, record in there.items() if digest not in given)]


def with_correctness(view: "StudyView", results: Path, records: "Mapping[str, Record]") -> "StudyView":
    """A study with what was kept of which samples its runs get right; damaged files are told of and left out.

    Args:
        view: The study.
        results: Folder of results.
        records: The records of its runs by digest.
    """
    from ablate.task.correctness import FOLDER, load_correctness

    def recorded(digest: str, metric: str) -> float | None:
        return records[digest].result.last(metric)

    kept, faults = load_correctness(results / FOLDER, records, recorded)
    return replace(view, kept=kept, faults=(*view.faults, *faults)) if kept or faults else view


def folders(results: Path) -> list[Path]:
    """Folders of reports below a folder that hold records, by name; a study's name may have one ``/``."""
    return sorted(file.parent for depth in ("*", "*/*") for file in results.glob(f"{depth}/{RUNS}") if file.is_file())


def digests_of(folder: Path) -> set[str]:
    """Digests of the runs of which a folder has rows, without looking at more of them."""
    return {digest for digest, _ in _statuses(folder)}


def _statuses(folder: Path) -> Iterator[tuple[str, str]]:
    file = folder / RUNS
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                yield row.get("digest") or "", row.get("status") or ""
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from None
