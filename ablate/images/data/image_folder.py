"""A user's own images: one folder a class, resized to squares, split into training and test part once and for all."""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ablate.images.config import ImageFolder
from ablate.images.data.arrays import Arrays
from ablate.images.data.fingerprint import content_digest
from ablate.images.data.listing import image_files
from ablate.task.errors import ConfigError

_SPLIT_SEED = "ablate test split 1"
"""Fixed: the test part is the same for every run."""


@dataclass(frozen=True)
class FolderSource:
    """A folder of images.

    Args:
        config: Where it is, the stored size and the share of the test part.
    """

    config: ImageFolder

    def where(self) -> Path:
        """See :meth:`ablate.images.data.arrays.Source.where`; a folder is never fetched."""
        if self.config.root is None:
            raise ConfigError("data.root: an image_folder needs the folder that holds one folder per class")
        root = Path(self.config.root).expanduser()
        if not root.is_dir():
            raise ConfigError(f"data.root = {self.config.root!r}: there is no such folder")
        return root

    def verify(self) -> Path:
        """See :meth:`ablate.images.data.arrays.Source.verify`; lists and counts the files, does not open them."""
        root = self.where()
        train, _ = self._parts(image_files(root))
        images = len(train)
        problems = []
        if self.config.train_size is not None:
            if self.config.train_size > images:
                problems.append(f"data.train_size = {self.config.train_size}: at most the {images} training images")
            images = min(images, self.config.train_size)
        if self.config.validates and self.config.val_size >= images:
            problems.append(
                f"data.val_size = {self.config.val_size}: must be below the {images} training images in use"
            )
        if problems:
            raise ConfigError(problems)
        return root

    def fetch(self) -> Path:
        """See :meth:`ablate.images.data.arrays.Source.fetch`; a folder is the user's own and is only looked for."""
        return self.where()

    def read(self) -> Arrays:
        """Read every image as an RGB square of ``data.stored`` pixels (see :class:`ablate.images.data.arrays.Source`).

        Raises:
            ConfigError: Also where the folder's content is no longer the one that the run was planned with.
        """
        root = self.where()
        files = image_files(root)
        train, test = self._parts(files)
        if self.config.content is not None and content_digest(root) != self.config.content:
            raise ConfigError(
                f"data.root = {self.config.root!r}: the images have changed since the study was planned; plan anew"
            )
        classes = list(files)
        return Arrays(
            train_images=self._pixels(root, train),
            train_labels=np.array([classes.index(name) for name, _ in train], np.int64),
            test_images=self._pixels(root, test),
            test_labels=np.array([classes.index(name) for name, _ in test], np.int64),
            classes=tuple(classes),
        )

    def describe(self) -> dict[str, Any]:
        """See :meth:`ablate.images.data.arrays.Source.describe`; hashes the files, does not decode them."""
        root = self.where()
        files = image_files(root)
        train, test = self._parts(files)
        return {
            "name": self.config.name,
            "title": f"{len(files)} classes of images",
            "folder": str(root),
            "train": len(train),
            "test": len(test),
            "shape": [3, *self.config.stored_size],
            "classes": list(files),
            "content": content_digest(root),
        }

    def _parts(self, files: dict[str, list[str]]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Split every class by ``data.test_fraction``.

        The test part is drawn by the order of a seeded hash of each file's relative path: it depends neither on the
        folder's place nor on a library's random generator, and a file that is added moves few others.

        Args:
            files: Each class's files.

        Returns:
            ``(class, relative path)`` of the training and of the test part, in the order of ``files``.

        Raises:
            ConfigError: A class would have no image in one of the parts.
        """
        fraction = self.config.test_fraction
        train, test, problems = [], [], []
        for name, paths in files.items():
            count = math.floor(len(paths) * fraction + 0.5)
            if not 1 <= count < len(paths):
                part = "test" if count < 1 else "training"
                problems.append(
                    f"data.test_fraction = {fraction}: leaves class {name!r} ({len(paths)} images) no {part} image; "
                    "every class needs one in each part"
                )
            drawn = set(sorted(paths, key=_rank)[:count])
            train += [(name, path) for path in paths if path not in drawn]
            test += [(name, path) for path in paths if path in drawn]
        if problems:
            raise ConfigError(problems)
        return train, test

    def _pixels(self, root: Path, part: list[tuple[str, str]]) -> NDArray[np.uint8]:
        size = (self.config.stored, self.config.stored)
        pixels = np.empty((len(part), 3, *size), np.uint8)
        for row, (_, path) in zip(pixels, part, strict=True):
            try:
                with Image.open(root / path) as image:
                    # Pillow widens its filter when it shrinks an image: antialiased.
                    square = image.convert("RGB").resize(size, Image.Resampling.BILINEAR)
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
                raise ConfigError(f"{root / path}: is no readable image ({error}); repair or remove it") from None
            row[:] = np.asarray(square).transpose(2, 0, 1)
        return pixels


def _rank(path: str) -> str:
    return hashlib.sha256(f"{_SPLIT_SEED}/{path}".encode(errors="surrogateescape")).hexdigest()
