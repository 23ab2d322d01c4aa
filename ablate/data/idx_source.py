"""A data set of four IDX files: where they are looked for, how they are verified and fetched."""

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ablate.config import ConfigError
from ablate.data.arrays import Arrays
from ablate.data.idx import IdxFile, read_idx


@dataclass(frozen=True)
class IdxSet:
    """A data set as it was published."""

    name: str
    """In the configuration."""
    title: str
    classes: tuple[str, ...]
    files: tuple[IdxFile, IdxFile, IdxFile, IdxFile]
    """Training images, training labels, test images, test labels."""
    torchvision: str
    """Name of its class in ``torchvision.datasets``, and of the folder that the class makes."""
    system: tuple[Path, ...] = ()
    """Folders where a system's packages put it."""
    package: str | None = None
    """The Debian package that holds it."""


@dataclass(frozen=True)
class IdxSource:
    """Looks for a data set's files: in ``root`` if it is given, otherwise in the system's folders, then in the cache.

    In ``root`` and in the cache the four files, compressed or not, lie either directly or in torchvision's layout
    (``root/FashionMNIST/raw``).

    Args:
        published: The data set.
        root: ``data.root`` of the configuration.
    """

    published: IdxSet
    root: str | None = None

    def where(self) -> Path | None:
        """See :meth:`ablate.data.arrays.Source.where`."""
        for folder in self._places():
            if len(self._found(folder)) == len(self.published.files):
                return folder
        if self.root is not None:
            raise ConfigError(self._missing_in_root(Path(self.root).expanduser()))
        return None

    def verify(self) -> None:
        """See :meth:`ablate.data.arrays.Source.verify`."""
        self.read()

    def read(self) -> Arrays:
        """See :meth:`ablate.data.arrays.Source.read`; every file's SHA-256 is compared with the published one."""
        folder = self.where()
        if folder is None:
            raise ConfigError(self._missing())
        return self._read(folder)

    def fetch(self, download: Callable[[IdxSet, Path], None] | None = None) -> Path:
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
        cache = cache_folder()
        target = self._layouts(cache)[1]
        try:
            target.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".download-", dir=cache) as temporary:
                (download or _torchvision_download)(self.published, Path(temporary))
                raw = self._layouts(Path(temporary))[1]
                self._read(raw)
                for path in self._found(raw):
                    os.replace(path, target / path.name)
        except (OSError, RuntimeError) as error:
            raise ConfigError(f"{self._missing()} (the download failed: {error})") from error
        return target

    def describe(self) -> dict[str, Any]:
        """See :meth:`ablate.data.arrays.Source.describe`."""
        arrays = self.read()
        folder = self.where()
        assert folder is not None
        return {
            "name": self.published.name,
            "title": self.published.title,
            "folder": str(folder),
            "train": len(arrays.train_labels),
            "test": len(arrays.test_labels),
            "shape": list(arrays.train_images.shape[1:]),
            "classes": list(self.published.classes),
            "files": [
                {"path": str(path), "bytes": path.stat().st_size, "sha256": file.sha256}
                for path, file in zip(self._found(folder), self.published.files, strict=True)
            ],
        }

    def _places(self) -> Iterator[Path]:
        if self.root is not None:
            yield from self._layouts(Path(self.root).expanduser())
        else:
            yield from self.published.system
            yield from self._layouts(cache_folder())

    def _layouts(self, root: Path) -> tuple[Path, Path]:
        return (root, root / self.published.torchvision / "raw")

    def _found(self, folder: Path) -> list[Path]:
        """The files in a folder, decompressed ones first choice; fewer than four where some are missing."""
        candidates = ((folder / file.name, folder / f"{file.name}.gz") for file in self.published.files)
        return [next(p for p in pair if p.is_file()) for pair in candidates if any(p.is_file() for p in pair)]

    def _read(self, folder: Path) -> Arrays:
        contents = [
            read_idx(path, file, self._remedy())
            for path, file in zip(self._found(folder), self.published.files, strict=True)
        ]
        train_images, train_labels, test_images, test_labels = contents
        return Arrays(
            train_images=train_images[:, None],
            train_labels=train_labels.astype(np.int64),
            test_images=test_images[:, None],
            test_labels=test_labels.astype(np.int64),
            classes=self.published.classes,
        )

    def _missing_in_root(self, root: Path) -> str:
        if not root.is_dir():
            return f"data.root = {self.root!r}: there is no such folder; {self._remedy()}"
        folder = max(self._layouts(root), key=lambda place: len(self._found(place)))
        names = {path.name.removesuffix(".gz") for path in self._found(folder)}
        missing = ", ".join(file.name for file in self.published.files if file.name not in names)
        return f"data.root = {self.root!r}: {folder} holds no {missing} (nor .gz of it); {self._remedy()}"

    def _missing(self) -> str:
        places = ", ".join(map(str, self._places()))
        return f"data.root: {self.published.title} is in none of {places}; {self._remedy()}"

    def _remedy(self) -> str:
        install = f"install Debian's {self.published.package}, " if self.published.package else ""
        names = ", ".join(f"{file.name}[.gz]" for file in self.published.files)
        return (
            f"{install}download it with `ablate data {self.published.name}`, "
            f"or set data.root to a folder that holds {names}"
        )


def cache_folder() -> Path:
    """The user's cache of downloaded data: ``$XDG_CACHE_HOME/ablate``, by default ``~/.cache/ablate``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "ablate"


def _torchvision_download(published: IdxSet, root: Path) -> None:
    import torchvision

    getattr(torchvision.datasets, published.torchvision)(str(root), download=True)
