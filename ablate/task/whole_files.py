"""Files that are written whole or not at all: aside first, then renamed."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def aside(path: Path) -> Iterator[Path]:
    """A place beside a file, which becomes the file where the block ends without an error.

    Args:
        path: The file, in a folder that is there; replaced if it is there.

    Raises:
        OSError: It cannot be written; an older file stays as it was, and nothing is left beside it.
    """
    place = path.with_name(f".{path.name}.{uuid.uuid4().hex}.aside")
    try:
        yield place
        os.replace(place, path)
    finally:
        with suppress(OSError):
            place.unlink(missing_ok=True)


def write_whole(path: Path, *content: bytes) -> None:
    """Write a file that is on the disk when this returns.

    Args:
        path: The file, in a folder that is there; replaced if it is there.
        content: Its parts, one after the other.

    Raises:
        OSError: It cannot be written; an older file stays as it was, and nothing is left beside it.
    """
    with aside(path) as place, place.open("xb") as opened:
        for part in content:
            opened.write(part)
        opened.flush()
        os.fsync(opened.fileno())
