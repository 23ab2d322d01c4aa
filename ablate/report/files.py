"""Writing results: aside first, then renamed, so that a reader never meets half a file."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.task.errors import ConfigError
from ablate.task.whole_files import aside

if TYPE_CHECKING:
    import pandas as pd


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file atomically, making its folder where needed.

    Args:
        path: The file; replaced if it is there.
        content: All of it.

    Returns:
        The path.

    Raises:
        ConfigError: It cannot be written; an older file stays as it was.
    """
    with _refusing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside(path) as place:
            place.write_bytes(content)
    return path


def write_text(path: Path, content: str) -> Path:
    """Write a text file atomically: UTF-8, line feeds only. See :func:`write_bytes`."""
    return write_bytes(path, content.encode())


def write_folder(out: Path, write: Callable[[Path], object]) -> list[Path]:
    """Let ``write`` fill an empty folder, then move its files into place one by one.

    Args:
        out: Where the files end up; made where needed.
        write: Called with the empty folder.

    Returns:
        The files in place, by name.

    Raises:
        ConfigError: The folder cannot be written; older files stay as they were.
    """
    with _refusing(out):
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out, prefix=".aside-") as beside:
            write(Path(beside))
            files = [out / path.name for path in sorted(Path(beside).iterdir())]
            for path in files:
                os.replace(Path(beside) / path.name, path)
    return files


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror or error}") from None


def write_csv(path: Path, frame: "pd.DataFrame") -> Path:
    """Write a frame atomically; floats in the shortest form that reads back to the same number.

    Text that a spreadsheet would take for a formula has an apostrophe before it (see :func:`harmless`).
    """
    return write_text(path, csv_text(frame))


def csv_text(frame: "pd.DataFrame") -> str:
    """A frame as CSV for people and their spreadsheets."""
    safe = frame.copy()
    for name in frame.columns:
        if frame[name].dtype.kind not in "biufcmM":
            safe[name] = [harmless(value) if isinstance(value, str) else value for value in frame[name]]
    safe.columns = [harmless(str(name)) for name in frame.columns]
    return safe.to_csv(index=False, lineterminator="\n")


def harmless(text: str) -> str:
    """Text as a cell that no spreadsheet runs: one that starts as a formula does gets an apostrophe before it.

    Numbers keep their sign: ``-0.5`` stays.
    """
    if not text.startswith(("=", "+", "-", "@", "\t", "\r")):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text
