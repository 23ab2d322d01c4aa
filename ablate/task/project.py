"""The user's own project: what ``[tool.ablate]`` of ``pyproject.toml``, or ``ablate.toml``, declares."""

import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

GROUPS = ("tasks", "networks", "datasets", "metrics", "losses", "augmentations", "executors")
"""Kinds of parts, as declarations and entry points (``ablate.tasks``, ...) name them."""


@dataclass(frozen=True)
class Declared:
    """One part as a file of the project declares it."""

    name: str
    value: Any
    """``module:object``, or for a task a table."""
    origin: str
    """File and line."""


@dataclass(frozen=True, eq=False)
class Project:
    """A folder with what it declares; a file that is wrong is told in :attr:`problems` and never raised."""

    folder: Path
    roots: tuple[Path, ...]
    """Folders from which the project's modules are imported, the first wins."""
    parts: Mapping[str, tuple[Declared, ...]] = field(default_factory=dict)
    """The declared parts by group."""
    problems: tuple[str, ...] = ()
    store: tuple[str, Any] | None = None
    """Where records lie, for command lines that do not say it: the place of the declaration, and what it says."""

    def make_importable(self) -> None:
        """Put :attr:`roots` onto ``sys.path``: before installed packages, behind Python's own modules."""
        make_importable(self.roots)


def make_importable(roots: tuple[Path, ...]) -> None:
    """Put folders onto ``sys.path``: before installed packages, behind Python's own modules."""
    wanted = [str(root) for root in roots if str(root) not in sys.path]
    places = [at for at, entry in enumerate(sys.path) if entry.endswith(("site-packages", "dist-packages"))]
    at = places[0] if places else len(sys.path)
    sys.path[at:at] = wanted


def read_project(folder: Path | None = None) -> Project:
    """What the project in a folder declares.

    Args:
        folder: None: the working folder.

    Returns:
        The project; one without declarations has its own folder as the only root.
    """
    folder = (folder or Path.cwd()).resolve()
    files = [file for file in (folder / "pyproject.toml", folder / "ablate.toml") if file.is_file()]
    stamps = tuple((file, file.stat().st_mtime_ns, file.stat().st_size) for file in files)
    return _read(folder, stamps)


@lru_cache(maxsize=8)
def _read(folder: Path, stamps: tuple[tuple[Path, int, int], ...]) -> Project:
    parts: dict[str, list[Declared]] = {}
    roots: list[Path] = []
    problems: list[str] = []
    store: tuple[str, Any] | None = None
    for file, _, _ in stamps:
        try:
            text = file.read_text(encoding="utf-8")
            table: Any = tomllib.loads(text)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            problems.append(f"{file.name}: cannot be read: {error}")
            continue
        prefix = "" if file.name == "ablate.toml" else "tool.ablate."
        if file.name == "ablate.toml" and "tool" in table:
            problems.append(
                "ablate.toml: tool: write [tasks.NAME] here; [tool.ablate.tasks.NAME] is for pyproject.toml"
            )
            continue
        if prefix:
            tool = table.get("tool", {})
            table = tool.get("ablate", {}) if isinstance(tool, Mapping) else {}
        if not isinstance(table, Mapping):
            problems.append(f"{file.name}: tool.ablate: must be a table")
            continue
        if "store" in table:
            store = f"{file.name}: {prefix}store", table["store"]
        problems += _take(table, file.name, prefix, text, parts, roots, folder)
    found = {group: tuple(declared) for group, declared in parts.items()}
    return Project(folder, tuple(roots) or (folder,), found, tuple(problems), store)


def _take(
    table: Mapping[str, Any],
    file: str,
    prefix: str,
    text: str,
    parts: dict[str, list[Declared]],
    roots: list[Path],
    folder: Path,
) -> list[str]:
    """Add what one file declares; returns what is wrong with it."""
    problems = []
    for key, value in table.items():
        if key == "store":
            continue
        if key == "path":
            if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
                problems.append(f'{file}: {prefix}path = {value!r}: must be a list of folders, such as ["src"]')
                continue
            for entry in value:
                if not (folder / entry).is_dir():
                    problems.append(f"{file}: {prefix}path: {entry}: there is no such folder")
                roots.append((folder / entry).resolve())
        elif key not in GROUPS:
            allowed = ", ".join(("path", "store", *GROUPS))
            problems.append(f"{file}: {prefix}{key}: there is no such key; allowed are {allowed}")
        elif not isinstance(value, Mapping):
            problems.append(f"{file}: {prefix}{key} = {value!r}: must be a table of names")
        else:
            for name, entry in value.items():
                line = _line(text, f"{prefix}{key}", name)
                place = f"{file}:{line}" if line else file
                parts.setdefault(key, []).append(Declared(name, entry, place))
    return problems


def _line(text: str, group: str, name: str) -> int | None:
    """Line, from 1, on which a part is declared, where it is written in the usual way."""
    key = rf"""["']?{re.escape(name)}["']?"""
    last = group.rpartition(".")[2]
    patterns = (
        rf"^\s*\[{re.escape(group)}\.{key}[\].]",
        rf"^\s*{re.escape(last)}\.{key}\s*[.=]",
        rf"^\s*{key}\s*[.=]",
    )
    for pattern in patterns:
        for number, line in enumerate(text.splitlines(), start=1):
            if re.search(pattern, line):
                return number
    return None
