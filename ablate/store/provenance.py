"""Where a result came from: commit, versions, hardware, host."""

import importlib.metadata
import os
import platform
import socket
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import ablate

PACKAGES = ("torch", "torchvision", "numpy")


@cache
def collect() -> dict[str, Any]:
    """What is the same for every run of a process, as JSON data.

    Returns:
        ``commit`` and ``dirty`` of this program (None where it does not run from a git checkout), ``project`` with
        those of the project in whose folder it runs (left out where there is none), ``versions`` of the program, Python
        and the libraries that compute (None: not installed), ``host``, ``cpu`` and ``cores``.
    """
    commit, dirty = source()
    versions: dict[str, str | None] = {"ablate": ablate.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "commit": commit,
        "dirty": dirty,
        **({"project": found} if (found := project()) else {}),
        "versions": versions,
        "host": host(),
        "cpu": cpu(),
        "cores": os.cpu_count(),
    }


def source(package: Path | None = None) -> tuple[str | None, bool | None]:
    """The commit that the program's source is at, and whether files of the package differ from it.

    Args:
        package: Folder of the source; None: this program's.

    Returns:
        Both None where the folder is not tracked by git (an installed package, even inside another checkout).
    """
    package = package if package is not None else Path(ablate.__file__).parent
    if _git(package, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None, None
    commit, changes = _git(package, "rev-parse", "HEAD"), _git(package, "status", "--porcelain", "--", ".")
    return commit, bool(changes) if changes is not None else None


def project(folder: Path | None = None) -> dict[str, Any]:
    """The commit of the project that somebody studies.

    Whether its files differ from that is not asked: git would run what a project's own configuration names (filters, a
    monitor of files), and a project that was only downloaded may name anything.

    Args:
        folder: Folder of the project; None: the working directory.

    Returns:
        ``commit``; empty where no file of the folder is tracked by git, or it is a checkout of this program itself.
    """
    folder = folder if folder is not None else Path.cwd()
    top = _git(folder, "rev-parse", "--show-toplevel")
    package = Path(ablate.__file__).parent
    if not top or not _git(folder, "ls-files", "--", ".") or (package.is_relative_to(top) and source()[0]):
        return {}
    return {"commit": _git(folder, "rev-parse", "HEAD")}


def host() -> str:
    """The name of this machine; all of :func:`collect` would ask git, which takes as long as a plan of many runs."""
    return socket.gethostname()


@cache
def cpu() -> str:
    """The processor's name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def now() -> str:
    """The time, in ISO 8601, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "-c", "core.fsmonitor=false", *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
