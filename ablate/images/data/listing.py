"""What lies below a folder: its picture files, and what is left out and why. Nothing is opened."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ablate.images.data.picture_names import ENDINGS, UNREAD, ending, passed_over, shown
from ablate.task.errors import ConfigError

MOST_ENTRIES = 5_000_000
"""Files and folders below a root; beyond, something else than pictures is meant (a link to a whole disk, say)."""


@dataclass(frozen=True)
class LeftOut:
    """A file or folder that is not used."""

    path: str
    """Relative to the root, with ``/``; a folder's ends in ``/`` and stands for all below it."""
    reason: str


@dataclass
class Listing:
    """What lies below a folder."""

    root: Path
    files: list[str] = field(default_factory=list)
    """Picture files, as paths relative to the root with ``/``."""
    folders: list[str] = field(default_factory=list)
    """Folders that were walked, in the same form."""
    left_out: list[LeftOut] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    """Links to places outside the root that were followed."""
    problems: list[str] = field(default_factory=list)
    """What cannot be listed, each as a whole message."""


def list_folder(root: Path) -> Listing:
    """List a folder by the rule that is written in :mod:`ablate.images.data.image_folder`.

    What is no link is listed first; then links, in the order of their paths: to a file or folder that is listed
    already, they are left out.

    Args:
        root: The folder.

    Raises:
        ConfigError: There is no such folder, or more than :data:`MOST_ENTRIES` lie below it.
    """
    if not os.path.isdir(root):
        raise ConfigError(f"data.root = {shown(repr(str(root)))}: there is no such folder")
    walk = _Walk(root)
    walk.walk(str(root), "")
    while walk.links:
        links, walk.links = sorted(walk.links), []
        for path, place in links:
            walk.follow(path, place)
    found = walk.found
    found.files.sort()
    found.folders.sort()
    found.left_out.sort(key=lambda entry: entry.path)
    return found


Key = tuple[int, int]


class _Walk:
    def __init__(self, root: Path) -> None:
        self.found = Listing(root)
        self.links: list[tuple[str, str]] = []
        """Not followed yet: relative path and place."""
        self.pending: list[tuple[str, str]] = []
        """Folders not listed yet: place, and what paths of their entries begin with."""
        self.entries = 0
        self.walked: set[Key] = {_key(os.stat(root))}
        self.known: set[Key] | None = None
        """Files that are listed; None: no link to a file was met yet, and nobody has asked for them."""
        self.above = {_key(os.stat(folder)) for folder in Path(os.path.realpath(root)).parents}

    def walk(self, place: str, prefix: str) -> None:
        """List a folder that is no link, and all below it."""
        self.pending = [(place, prefix)]
        while self.pending:
            folder, prefix = self.pending.pop()
            for entry in self._entries(folder, prefix):
                try:
                    self._sort(entry, prefix + entry.name)
                except OSError as error:  # gone while the folder was listed, say
                    self._cannot_list(prefix + entry.name, error)

    def _sort(self, entry: os.DirEntry[str], path: str) -> None:
        """Decide what becomes of an entry, by its kind and name."""
        if entry.is_symlink():
            if not self._passes_over(path, entry.name, folder=False):
                self.links.append((path, entry.path))
        elif entry.is_dir(follow_symlinks=False):
            if self._passes_over(path, entry.name, folder=True):
                return
            key = _key(entry.stat(follow_symlinks=False))
            if key in self.walked:
                self._leave_out(path + "/", "the same folder as one that is listed already")
            else:
                self.walked.add(key)
                self.found.folders.append(path)
                self.pending.append((entry.path, path + "/"))
        elif not self._passes_over(path, entry.name, folder=False):
            if entry.is_file(follow_symlinks=False):
                self._take(path)
            else:
                self._leave_out(path, f"{_kind(entry.stat(follow_symlinks=False).st_mode)}, never opened")

    def follow(self, path: str, place: str) -> None:
        """List what a link leads to."""
        try:
            status = os.stat(place)
        except OSError as error:
            if ending(path) in ENDINGS:
                self.found.problems.append(f"{self._shown(path)}: is a link that leads nowhere ({error.strerror})")
            else:
                self._leave_out(path, "a link that leads nowhere")
            return
        key = _key(status)
        if stat.S_ISDIR(status.st_mode):
            if key in self.walked:
                self._leave_out(path, "a link to a folder that is listed already")
            elif key in self.above:
                self._leave_out(path, "a link to a folder that data.root lies in")
            else:
                self.walked.add(key)
                self.found.folders.append(path)
                self.found.links.append(path)
                self.walk(place, path + "/")
        elif not stat.S_ISREG(status.st_mode):
            self._leave_out(path, f"a link to {_kind(status.st_mode)}, never opened")
        elif ending(path) not in ENDINGS:
            self._take(path)
        elif key in self._known():
            self._leave_out(path, "a link to a picture that is listed already")
        else:
            self._take(path)
            self.found.links.append(path)

    def _known(self) -> set[Key]:
        if self.known is None:
            self.known = set()
            for file in self.found.files:
                self._remember(file)
        return self.known

    def _remember(self, path: str) -> None:
        if self.known is not None:
            try:
                self.known.add(_key(os.stat(self.found.root / path)))
            except OSError:
                return  # gone since; it is missed when it is read

    def _take(self, path: str) -> None:
        last = ending(path.rpartition("/")[2])
        if last in ENDINGS:
            self.found.files.append(path)
            self._remember(path)
        elif last in UNREAD:
            self._leave_out(path, f"a format that is not read ({last})")
        else:
            self._leave_out(path, f"no picture by its ending ({last})" if last else "no picture: it has no ending")

    def _passes_over(self, path: str, name: str, *, folder: bool) -> bool:
        reason = passed_over(name)
        if reason is not None:
            self._leave_out(path + "/" * folder, reason)
        return reason is not None

    def _leave_out(self, path: str, reason: str) -> None:
        self.found.left_out.append(LeftOut(path, reason))

    def _entries(self, folder: str, prefix: str) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    self.entries += 1
                    if self.entries > MOST_ENTRIES:
                        raise ConfigError(
                            f"data.root = {shown(repr(str(self.found.root)))}: more than {MOST_ENTRIES:,} files and "
                            "folders lie below it, links followed; point it at the folder of the classes"
                        )
                    yield entry
        except OSError as error:
            self._cannot_list(prefix, error)

    def _cannot_list(self, path: str, error: OSError) -> None:
        self.found.problems.append(f"{self._shown(path)}: cannot be listed ({error.strerror or error})")

    def _shown(self, path: str) -> str:
        return shown(self.found.root / path)


def _key(status: os.stat_result) -> Key:
    return (status.st_dev, status.st_ino)


def _kind(mode: int) -> str:
    for test, name in ((stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"), (stat.S_ISBLK, "a device")):
        if test(mode):
            return name
    return "a device"
