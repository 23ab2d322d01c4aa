"""A user's own images: one folder a class, resized to squares, split into training and test part once and for all."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ablate.images.config import ImageFolder
from ablate.images.data.arrays import Arrays
from ablate.images.data.fingerprint import content_digest
from ablate.images.data.layout import Layout, Picture, layout_of
from ablate.images.data.listing import list_folder
from ablate.images.data.names import shown
from ablate.task.errors import ConfigError


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
        root = Path(os.path.expanduser(self.config.root))
        if not os.path.isdir(root):
            raise ConfigError(f"data.root = {shown(repr(self.config.root))}: there is no such folder")
        return root

    def layout(self) -> Layout:
        """Sort the folder's pictures into classes and parts; opens none of them.

        Raises:
            ConfigError: It is no folder of classes; see :func:`ablate.images.data.layout.layout_of`.
        """
        return layout_of(list_folder(self.where())).with_test_part(self.config.test_fraction)

    def checked_layout(self) -> Layout:
        """The same, held against ``data.train_size`` and ``data.val_size``.

        Raises:
            ConfigError: Also where there are too few images for them.
        """
        layout = self.layout()
        images = len(layout.parts["train"])
        problems = []
        if self.config.train_size is not None:
            if self.config.train_size > images:
                problems.append(f"data.train_size = {self.config.train_size}: at most the {images} training images")
            images = min(images, self.config.train_size)
        if self.config.validates and "val" not in layout.parts and self.config.val_size >= images:
            problems.append(
                f"data.val_size = {self.config.val_size}: must be below the {images} training images in use"
            )
        if problems:
            raise ConfigError(problems)
        return layout

    def verify(self) -> Path:
        """See :meth:`ablate.images.data.arrays.Source.verify`; lists and counts the files, does not open them."""
        self.checked_layout()
        return self.where()

    def fetch(self) -> Path:
        """See :meth:`ablate.images.data.arrays.Source.fetch`; a folder is the user's own and is only looked for."""
        return self.where()

    def read(self) -> Arrays:
        """Read every image as an RGB square of ``data.stored`` pixels (see :class:`ablate.images.data.arrays.Source`).

        Raises:
            ConfigError: Also where the folder's content is no longer the one that the run was planned with.
        """
        root, layout = self.where(), self.layout()
        if self.config.content is not None and content_digest(root) != self.config.content:
            raise ConfigError(
                f"data.root = {self.config.root!r}: the images have changed since the study was planned; plan anew"
            )
        labels = {name: label for label, name in enumerate(layout.classes)}
        pixels = {part: self._pixels(root, pictures) for part, pictures in layout.parts.items()}
        numbers = {
            part: np.array([labels[name] for name, _ in pictures], np.int64) for part, pictures in layout.parts.items()
        }
        return Arrays(
            train_images=pixels["train"],
            train_labels=numbers["train"],
            test_images=pixels["test"],
            test_labels=numbers["test"],
            classes=layout.classes,
            val_images=pixels.get("val"),
            val_labels=numbers.get("val"),
        )

    def describe(self) -> dict[str, Any]:
        """See :meth:`ablate.images.data.arrays.Source.describe`; hashes the files, does not decode them."""
        root, layout = self.where(), self.layout()
        return {
            "name": self.config.name,
            "title": f"{len(layout.classes)} classes of images",
            "folder": str(root),
            "train": len(layout.parts["train"]),
            "test": len(layout.parts["test"]),
            "shape": [3, *self.config.stored_size],
            "classes": list(layout.classes),
            "content": content_digest(root),
        }

    def _pixels(self, root: Path, part: Sequence[Picture]) -> NDArray[np.uint8]:
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
