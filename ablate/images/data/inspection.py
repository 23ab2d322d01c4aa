"""Reading picture files to know them: their digest, what becomes of them, whether they are damaged."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from ablate.images.data.known_files import Inspection, key_of, recall, remember
from ablate.images.data.picture import UnreadableError, look_at, opened, read_picture


def inspect(root: Path, paths: Sequence[str], background: str, *, decode: bool) -> dict[str, Inspection]:
    """Read files and know them; what is known already of an unchanged file is not read again.

    Args:
        root: The folder.
        paths: Relative to it.
        background: ``data.background``.
        decode: Whether to decode them to the end, which finds all damage; else only what may be transparent is decoded.

    Returns:
        By path, in order.
    """
    keys = {path: key_of(root / path, background) for path in paths}
    known = recall(key for key in keys.values() if key is not None)
    found: dict[str, Inspection] = {}
    new: dict[str, Inspection] = {}
    for path, key in keys.items():
        inspection = known.get(key) if key is not None else None
        if inspection is None or (decode and not inspection.decoded and inspection.problem is None):
            inspection = inspect_file(root / path, background, decode=decode)
            if key is not None and inspection.sha256 and key_of(root / path, background) == key:
                new[key] = inspection
        found[path] = inspection
    remember(new)
    return found


def inspect_file(path: Path, background: str, *, decode: bool) -> Inspection:
    """Read one file; see :func:`inspect`."""
    digest = ""
    try:
        with opened(path) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            if decode:
                return Inspection(digest, read_picture(file, path.name, background)[1], decoded=True)
            return Inspection(digest, look_at(file, path.name, background))
    except UnreadableError as error:
        return Inspection(digest, error.picture, str(error), decoded=True)
    except OSError as error:
        return Inspection("", None, f"cannot be read ({error.strerror or error})")
