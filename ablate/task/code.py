"""The version of code that is not ours: part of the identity of every run that it carries out.

By default it is a hash over the sources of the module and of the modules of the same project that it imports. In a
Python file comments and blank lines do not count; everything else does, docstrings included (programs read them). An
author can set a ``version`` instead; the hash is kept beside it, so that a change without a new version is seen.
Installed packages and Python itself are not part of it.
"""

import glob
import hashlib
import io
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from ablate.task.errors import ConfigError
from ablate.task.identity import digest_of
from ablate.task.modules import files_of

SHORT = 12
"""Hex digits of a file's hash in notes and messages."""


@dataclass(frozen=True)
class Code:
    """What is known of the code that carries out a task's runs."""

    files: Mapping[str, str] = field(default_factory=dict)
    """The SHA-256, in hex, of what counts of each module (by name) or file (by its path in the project)."""
    version: str | None = None
    """The version that the author set; None: the files count."""
    definition: Mapping[str, Any] = field(default_factory=dict)
    """What the declaration says that can change a result, such as a command line; counts in either case."""

    @property
    def source(self) -> str:
        """A hash over :attr:`files`."""
        return digest_of(dict(self.files))

    @property
    def identity(self) -> dict[str, Any]:
        """What counts for the identity of a run."""
        in_force = {"source": self.source} if self.version is None else {"version": self.version}
        return in_force | ({"definition": digest_of(dict(self.definition))} if self.definition else {})

    @property
    def notes(self) -> dict[str, Any]:
        """What a record keeps besides: hash and files whichever is in force, to say later what has changed."""
        files = {name: digest[:SHORT] for name, digest in self.files.items()}
        return {"source": self.source, "files": files, "version": self.version, "definition": dict(self.definition)}

    def changes_since(self, notes: Mapping[str, Any]) -> list[str]:
        """What differs from the code that a record's notes describe.

        Args:
            notes: As :attr:`notes`.

        Returns:
            Parts of a sentence, such as ``trainer.py (was 0123…, is 4567…)``; empty: nothing.
        """
        changes = []
        if notes.get("version") != self.version:
            changes.append(f"version (was {notes.get('version') or 'none'}, is {self.version or 'none'})")
        before, now = notes.get("files", {}), self.notes["files"]
        for name in sorted({*before, *now}):
            if name not in before:
                changes.append(f"{name} (new)")
            elif name not in now:
                changes.append(f"{name} (no longer used)")
            elif before[name] != now[name]:
                changes.append(f"{name} (was {before[name]}, is {now[name]})")
        told = notes.get("definition", {})
        for key in sorted({*told, *self.definition}):
            if told.get(key) != self.definition.get(key):
                changes.append(f"{key} (was {told.get(key)!r}, is {self.definition.get(key)!r})")
        return changes


def read_code(
    folder: Path,
    roots: Sequence[Path],
    *,
    modules: Sequence[str] = (),
    scripts: Sequence[Path] = (),
    files: Sequence[str] = (),
    version: str | None = None,
    definition: Mapping[str, Any] | None = None,
) -> Code:
    """Look at the code of a task, without executing it.

    Args:
        folder: The project's; ``files`` are relative to it.
        roots: Folders of its modules.
        modules: Dotted names.
        scripts: Python files that are executed by their path.
        files: Further files whose content counts, patterns such as ``data/*.csv`` and whole folders among them.
        version: Set by the author.
        definition: What the declaration says that can change a result.

    Raises:
        ConfigError: A name in ``files`` fits no file.
    """
    hashes = {name: _hash(file) for name, file in files_of(modules, roots, scripts).items()}
    for file in _listed(folder, files):
        hashes[file.relative_to(folder).as_posix() if file.is_relative_to(folder) else str(file)] = _hash(file)
    return Code(dict(sorted(hashes.items())), version, definition or {})


def _listed(folder: Path, patterns: Sequence[str]) -> list[Path]:
    found: dict[Path, None] = {}
    problems = []
    for pattern in patterns:
        paths = [Path(path) for path in sorted(glob.glob(str(folder / pattern), recursive=True))]
        inner = [file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
        fitting = [file for file in inner if file.is_file() and "__pycache__" not in file.parts]
        if not fitting:
            problems.append(f"files: {pattern}: there is no such file in {folder}")
        found |= dict.fromkeys(fitting)
    if problems:
        raise ConfigError(problems)
    return list(found)


def _hash(file: Path) -> str:
    stamp = file.stat()
    return _hash_of(file, stamp.st_mtime_ns, stamp.st_size)


@lru_cache(maxsize=10_000)
def _hash_of(file: Path, mtime: int, size: int) -> str:
    if file.suffix == ".py":
        return hashlib.sha256(significant(file.read_bytes())).hexdigest()
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def significant(source: bytes) -> bytes:
    """What counts of a Python file: its text without comments and without lines that hold nothing else.

    Positions of comments are the same in every version of Python, which a syntax tree is not.

    Args:
        source: The file; one that is no Python is returned as it is.
    """
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        text = io.TextIOWrapper(io.BytesIO(source), encoding).read()
        lines = text.splitlines(keepends=False) if "\f" not in text and "\x0b" not in text else text.split("\n")
        dropped = set()
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            row, column = token.start
            if token.type == tokenize.COMMENT:
                lines[row - 1] = lines[row - 1][:column].rstrip()
            if token.type in (tokenize.COMMENT, tokenize.NL) and row <= len(lines) and not lines[row - 1].strip():
                dropped.add(row - 1)
    except (SyntaxError, UnicodeDecodeError, tokenize.TokenError, IndexError):
        return source
    return "\n".join(line for row, line in enumerate(lines) if row not in dropped).encode()
