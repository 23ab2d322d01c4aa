"""The identity of a folder of images: its content, wherever it lies."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ablate.images.data.inspection import inspect
from ablate.images.data.known_files import Inspection
from ablate.images.data.layout import Layout, checked_layout
from ablate.images.data.picture import RULE
from ablate.images.data.picture_names import shown
from ablate.task.errors import ConfigError

EMPTY = hashlib.sha256(b"").hexdigest()


def content_digest(root: Path | str, background: str = "white") -> str:
    """SHA-256 over the relative paths and bytes of a folder's images.

    It is what ``sha256sum --zero`` prints for the image files in the order of their paths' bytes, hashed once more: a
    copy of the folder has the same digest; a file renamed, changed, added or removed changes it; a file that is no
    image does not. Where the folder holds pictures that are read otherwise than by the first version of the rule
    (turned, partly transparent, of 16 bits or floating point), or is split into parts, a line that says so follows:
    folders without such pictures keep the digest that they had.

    Args:
        root: Holds one folder for each class.
        background: ``data.background``; what is known of files is kept for each, the digest is the same.

    Returns:
        64 hex digits.

    Raises:
        ConfigError: The folder is missing, is no folder of classes, or files cannot be read.
    """
    root = Path(os.path.expanduser(root))
    layout = checked_layout(root)
    return digest_of_layout(root, layout, inspect(root, layout.used, background, decode=False))


def digest_of_layout(root: Path, layout: Layout, inspections: Mapping[str, Inspection]) -> str:
    """The same, of a folder that is known.

    Args:
        root: The folder.
        layout: Its classes and parts.
        inspections: The inspections of all its pictures, by path.

    Raises:
        ConfigError: Lists every file that cannot be read.
    """
    total = hashlib.sha256()
    problems: list[str] = []
    for path in sorted(layout.used, key=_bytes):
        inspection = inspections[path]
        digest = inspection.sha256 or (EMPTY if inspection.problem == "is empty" else "")
        if not digest:
            problems.append(f"{shown(root / path)}: {inspection.problem}")
        total.update(f"{digest}  ".encode() + _bytes(path) + b"\0")
    if problems:
        raise ConfigError(problems)
    pictures = [inspections[path].picture for path in layout.used]
    marks = {mark for picture in pictures if picture is not None for mark in picture.changed}
    if layout.split:
        marks.add("split")
    if marks:
        total.update(_line(sorted(marks)))
    return total.hexdigest()


def _line(marks: Sequence[str]) -> bytes:
    return f"rule {RULE}: {', '.join(marks)}\0".encode()


def _bytes(path: str) -> bytes:
    """A path as the file system has it, also where its name is no UTF-8."""
    return path.encode(errors="surrogateescape")
