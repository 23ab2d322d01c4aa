"""Compiled kernels in the user's cache folder: each library carries the digest of its content in its name.

A library that was cut off or changed since (a full disk, a crash of the machine) would end the process with a signal
when it is loaded, for good; here it is noticed, removed and built again.
"""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from ablate.task.kept_results import user_cache


def library(key: str, build: Callable[[Path], None]) -> Path:
    """Return the library of a key, built unless the cache holds a sound one.

    Args:
        key: Everything that the library depends on.
        build: Writes it to a path.

    Raises:
        OSError: The cache folder cannot be written.
    """
    folder, name = cache_folder(), hashlib.sha256(key.encode()).hexdigest()
    for found in sorted(folder.glob(f"{name}-*.so")):
        if _is_sound(found):
            return found
        with contextlib.suppress(OSError):  # another process may have removed it, or this one may not
            found.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as aside:  # another worker may build the same thing
        made = Path(aside) / "kernel.so"
        build(made)
        target = folder / f"{name}-{_digest(made)}.so"
        os.replace(made, target)
    return target


def cache_folder() -> Path:
    """Where libraries are kept: ``$XDG_CACHE_HOME/ablate/kernels``, by default below ``~/.cache``."""
    return user_cache() / "kernels"


def _is_sound(path: Path) -> bool:
    try:
        return path.stem.rpartition("-")[2] == _digest(path)
    except OSError:
        return False


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
