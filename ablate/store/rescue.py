"""Results that a store cannot take now: kept in a file, and taken up by the next sweep on that store."""

import hashlib
import json
import os
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from ablate.store.location import file_of, shown
from ablate.store.plain_results import plain_record, record_of
from ablate.store.store import Store
from ablate.task.errors import ConfigError
from ablate.task.record import Record
from ablate.task.whole_files import write_whole

ENDING = ".rescued.jsonl"


def rescue(store: Store, records: Sequence[Record]) -> Path:
    """Write records into a file of their own, whole or not at all.

    Args:
        store: That cannot take them; not used but for its place.
        records: The records, at least one.

    Returns:
        The file: beside the store, else in its results folder, else in the folder for temporary files.

    Raises:
        OSError: None of these can be written.
    """
    lines = [json.dumps(plain_record(record)) for record in records]
    check = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    content = "\n".join([*lines, json.dumps({"sha256": check})]) + "\n"
    failure = OSError("there is no folder for them")
    for folder in _folders(store):
        try:
            path = folder / f"{stem_of(store)}-{uuid.uuid4().hex}{ENDING}"
            write_whole(path, content.encode("ascii"))
            return path
        except OSError as error:
            failure = error
    raise failure


def take_up(store: Store) -> list[tuple[Path, int]]:
    """Put what was rescued of a store into it, and remove the files.

    Args:
        store: Open for writing.

    Returns:
        Each file with its number of records.

    Raises:
        ConfigError: A file is damaged.
        StoreUnavailable: The store cannot be written; the files stay.
    """
    taken = []
    for path in _rescued(store):
        try:
            records = _read(path)
        except FileNotFoundError:  # Another sweep has just taken it up.
            continue
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"{path}: holds results that were rescued of {shown(store.location)}, but is damaged ({error}); "
                "put it right, or remove it and have them trained again"
            ) from None
        store.add(*records)
        path.unlink(missing_ok=True)
        taken.append((path, len(records)))
    return taken


def _rescued(store: Store) -> Iterator[Path]:
    """Files of this user; the folder for temporary files is everybody's."""
    for folder in _folders(store):
        for path in sorted(folder.glob(f"{stem_of(store)}-*{ENDING}")):
            if path.is_file() and not path.is_symlink() and path.stat().st_uid == os.getuid():
                yield path


def _folders(store: Store) -> list[Path]:
    path = file_of(store.location)
    beside = [path.absolute().parent] if path is not None else []
    own = [store.results] if store.results is not None else []
    return list(dict.fromkeys(folder.absolute() for folder in (*beside, *own, Path(tempfile.gettempdir()))))


def stem_of(store: Store) -> str:
    """Names the store, as part of a file's name, without giving its address away."""
    path = file_of(store.location)
    place = shown(store.location) if path is None else str(path.absolute())
    name = "ablate" if path is None else path.name
    return f"{name}-{hashlib.sha256(place.encode()).hexdigest()[:16]}"


def _read(path: Path) -> list[Record]:
    *lines, last = path.read_text(encoding="ascii").splitlines()
    if json.loads(last).get("sha256") != hashlib.sha256("\n".join(lines).encode()).hexdigest():
        raise ValueError("its checksum does not match")
    return [record_of(json.loads(line)) for line in lines]
