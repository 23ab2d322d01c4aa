"""A published data set: where its files are looked for, how they are verified and fetched."""

import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ablate.images.data.arrays import Arrays
from ablate.task.errors import ConfigError
from ablate.task.kept_results import user_cache


class PublishedFile(Protocol):
    """A file as it was published."""

    @property
    def name(self) -> str:
        """The name of the file as it is when it is not compressed."""

    @property
    def digest(self) -> str:
        """Which hash it is, and its hexadecimal digits: ``SHA-256 ...``."""


@dataclass(frozen=True)
class PublishedSet:
    """A data set as it was published."""

    name: str
    """The name in the configuration."""
    title: str
    classes: tuple[str, ...]
    files: tuple[PublishedFile, ...]
    train_counts: tuple[int, ...]
    """Images of each class in the training part."""
    test_counts: tuple[int, ...]
    torchvision: str
    """Name of its class in ``torchvision.datasets``."""
    folder: Path
    """The place below a folder where that class puts the files."""
    shape: tuple[int, int, int]
    """Channels, height and width of an image."""
    suffixes: tuple[str, ...] = ("",)
    """What may follow a file's name, first choice first."""
    system: tuple[Path, ...] = ()
    """Folders where a system's packages put it."""
    package: str | None = None
    """The Debian package that holds it."""


@dataclass(frozen=True)
class PublishedSource(ABC):
    """Looks for a data set's files: in ``root`` if it is given, otherwise in the system's folders, then in the cache.

    In ``root`` and in the cache the files lie either directly or in torchvision's layout (``root/FashionMNIST/raw``).

    Args:
        published: The data set.
        root: ``data.root`` of the configuration.
    """

    published: PublishedSet
    root: str | None = None

    @abstractmethod
    def arrays(self, paths: Sequence[Path], remedy: str) -> Arrays:
        """Read and verify the files.

        Args:
            paths: Where each lies, in the order of ``published.files``.
            remedy: What the user can do about a bad file; ends the error's message.

        Raises:
            ConfigError: Names a file, what is wrong with it and the remedy.
        """

    def where(self) -> Path | None:
        """See :meth:`ablate.images.data.arrays.Source.where`."""
        for folder in self._places():
            if len(self._found(folder)) == len(self.published.files):
                return folder
        if self.root is not None:
            raise ConfigError(self._missing_in_root(Path(os.path.expanduser(self.root))))
        return None

    def verify(self) -> Path | None:
        """See :meth:`ablate.images.data.arrays.Source.verify`; reads and hashes all files."""
        folder = self.where()
        if folder is not None:
            self._read(folder)
        return folder

    def read(self) -> Arrays:
        """See :meth:`ablate.images.data.arrays.Source.read`; every file must be the published one."""
        folder = self.where()
        if folder is None:
            raise ConfigError(
                f"{self._nowhere()}; download it with `ablate data {self.published.name}`, {self._remedy()}"
            )
        return self._read(folder)

    def fetch(self, download: Callable[[PublishedSet, Path], None] | None = None) -> Path:
        """Download the data set into the user's cache, unless it is found already.

        Downloads go to a folder of their own and are moved file by file once verified, so that processes that fetch
        at the same time, or are killed, leave nothing half-written.

        Args:
            download: Puts the files below a folder, in torchvision's layout; by default torchvision's own download
                (imported here: it brings torch with it).

        Returns:
            The folder that holds the files.

        Raises:
            ConfigError: ``root`` is given and does not hold them, or the download failed.
        """
        folder = self.where()
        if folder is not None:
            return folder
        cache = user_cache()
        target = self._layouts(cache)[1]
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".download-", dir=cache) as temporary:
                (download or _torchvision_download)(self.published, Path(temporary))
                raw = self._layouts(Path(temporary))[1]
                self._read(raw)
                target.mkdir(parents=True, exist_ok=True)
                for path in self._found(raw):
                    os.replace(path, target / path.name)
        except (OSError, RuntimeError, ConfigError) as error:
            reason = " ".join(str(error).split())
            raise ConfigError(f"{self._nowhere()}, and its download failed ({reason}); {self._remedy()}") from error
        return target

    def describe(self) -> dict[str, Any]:
        """See :meth:`ablate.images.data.arrays.Source.describe`."""
        head = {"name": self.published.name, "title": self.published.title}
        folder = self.where()
        if folder is None:
            return head | {"folder": None, "searched": [str(place) for place in self._places()]}
        arrays = self._read(folder)
        return head | {
            "folder": str(folder),
            "train": len(arrays.train_labels),
            "test": len(arrays.test_labels),
            "shape": list(self.published.shape),
            "classes": list(self.published.classes),
            "files": [
                {"path": str(path), "bytes": path.stat().st_size, "digest": file.digest}
                for path, file in zip(self._found(folder), self.published.files, strict=True)
            ],
        }

    def _places(self) -> Iterator[Path]:
        if self.root is not None:
            yield from self._layouts(Path(os.path.expanduser(self.root)))
        else:
            yield from self.published.system
            yield from self._layouts(user_cache())

    def _layouts(self, root: Path) -> tuple[Path, Path]:
        return (root, root / self.published.folder)

    def _found(self, folder: Path) -> list[Path]:
        """The files in a folder; fewer than there should be where some are missing."""
        named = [
            [folder / f"{file.name}{suffix}" for suffix in self.published.suffixes] for file in self.published.files
        ]
        return [next(p for p in paths if os.path.isfile(p)) for paths in named if any(map(os.path.isfile, paths))]

    def _read(self, folder: Path) -> Arrays:
        found = self._found(folder)
        if len(found) < len(self.published.files):
            raise ConfigError(self._incomplete(folder))
        return self.arrays(found, self._repair(folder))

    def _missing_in_root(self, root: Path) -> str:
        if not os.path.isdir(root):
            problem = "there is no such folder"
        else:
            folder = max(self._layouts(root), key=lambda place: len(self._found(place)))
            problem = self._incomplete(folder)
        return (
            f"data.root = {self.root!r}: {problem}; put {self._names()} there, "
            f"or leave data.root out to use {self.published.title} from elsewhere"
        )

    def _nowhere(self) -> str:
        return f"data.root: {self.published.title} is in none of {', '.join(map(str, self._places()))}"

    def _incomplete(self, folder: Path) -> str:
        found = {path.name for path in self._found(folder)}
        lacking = [f for f in self.published.files if not found & {f"{f.name}{s}" for s in self.published.suffixes}]
        absent = ", ".join(map(self._shown, lacking))
        return f"{folder} holds no {absent}"

    def _names(self) -> str:
        return ", ".join(map(self._shown, self.published.files))

    def _shown(self, file: PublishedFile) -> str:
        return file.name + "".join(f"[{suffix}]" for suffix in self.published.suffixes if suffix)

    def _remedy(self) -> str:
        """What to do where the files are found nowhere."""
        install = f"install Debian's {self.published.package}, or " if self.published.package else ""
        return f"{install}set data.root to a folder that holds {self._names()}"

    def _repair(self, folder: Path) -> str:
        """What to do about a file that is damaged."""
        if self.root is not None:
            return "put a sound copy in its place, or point data.root at another folder"
        if folder in self.published.system:
            return f"reinstall Debian's {self.published.package}, or point data.root at a folder of sound copies"
        return f"delete it and download it again with `ablate data {self.published.name}`"


def _torchvision_download(published: PublishedSet, root: Path) -> None:
    import torchvision

    getattr(torchvision.datasets, published.torchvision)(str(root), download=True)
