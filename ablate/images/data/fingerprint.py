"""The identity of a folder of images: its content, wherever it lies."""

import hashlib
from pathlib import Path

from ablate.images.data.listing import image_files
from ablate.task.errors import ConfigError


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
    root = Path(root).expanduser()
    total = hashlib.sha256()
    for path in sorted((file for files in image_files(root).values() for file in files), key=_bytes):
        try:
            with (root / path).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ConfigError(f"{root / path}: cannot be read ({error.strerror or error})") from None
        total.update(f"{digest}  ".encode() + _bytes(path) + b"\0")
    return total.hexdigest()


def _bytes(path: str) -> bytes:
    """A path as the file system has it, also where its name is no UTF-8."""
    return path.encode(errors="surrogateescape")
