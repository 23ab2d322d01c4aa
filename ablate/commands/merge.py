"""``ablate merge``: records of reports into a store."""

from collections.abc import Sequence
from pathlib import Path

from ablate.plan.compose import launch_of
from ablate.store import open_store, shown
from ablate.store.csv_files import read_folder


def merge_folders(folders: Sequence[Path], location: str | None) -> None:
    """Add the records of reports to a store, and say how many were new.

    Args:
        folders: Each with ``runs.csv`` and ``curves.csv``.
        location: The location of the store; None: the default one.

    Raises:
        ConfigError: A file is no such table, or the store cannot be written.
    """
    launch = launch_of([] if location is None else [f"launch.store={location}"])
    found = [record for folder in folders for record in read_folder(folder)]
    with open_store(launch.store_location, results=Path(launch.results)) as store:
        new = store.merge(found)
    print(f"{len(found)} records read, {new} new in {shown(launch.store_location)}")
