"""A digest of this program's own code: what was made by other code is made anew."""

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

NO_CODE = (".pyc", ".pyo")
"""Endings of what Python makes of code."""


@cache
def code_digest(stages: tuple[str, ...], packages: tuple[str, ...]) -> str:
    """SHA-256 over some stages of this program, templates and all, and the versions of packages that they compute with.

    Args:
        stages: Folders of the package, with those in them.
        packages: Distributions; one that is not installed counts as such.
    """
    root, content = Path(__file__).parents[1], hashlib.sha256()
    for stage in stages:
        for file in sorted((root / stage).rglob("*")):
            if file.is_file() and file.suffix not in NO_CODE:
                content.update(str(file.relative_to(root)).encode())
                content.update(file.read_bytes())
    for package in packages:
        try:
            content.update(f"{package} {version(package)}\n".encode())
        except PackageNotFoundError:
            content.update(f"{package} none\n".encode())
    return content.hexdigest()
