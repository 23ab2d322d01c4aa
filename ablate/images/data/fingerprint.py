"""The identity of a folder of images: its content, wherever it lies."""

import hashlib
import os
from pathlib import Path

from ablate.images.data.layout import layout_of
from ablate.images.data.listing import list_folder
from ablate.task.errors import ConfigError

_SPLIT = b"parts as the folder has them\0"
"""Such a folder's parts were classes once, under the same paths."""


def content_digest(root: Path | str) -> str:
    """SHA-256 over the relative paths and bytes of a folder's images.

    It is what ``sha256sum --zero`` prints for the image files in the order of their paths' bytes, hashed once more: a
    copy of the folder has the same digest; a file renamed, changed, added or removed changes it; a file that is no
    image does not.

    Args:
        root: Holds one folder for each class.

    Returns:
        64 hex digits.

    Raises:
        ConfigError: The folder is missing, is no folder of classes, or a file cannot be read.
    """
    root = Path(os.path.expanduser(root))
    layout = layout_of(list_folder(root))
    total = hashlib.sha256()
    for path in sorted(layout.used, key=_bytes):
        try:
            with (root / path).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ConfigError(f"{root / path}: cannot be read ({error.strerror or error})") from None
        total.update(f"{digest}  ".encode() + _bytes(path) + b"\0")
    if layout.split:
        total.update(_SPLIT)
    return total.hexdigest()


def _bytes(path: str) -> bytes:
    """A path as the file system has it, also where its name is no UTF-8."""
    return path.encode(errors="surrogateescape")
