"""A user's own images: one folder a class, resized to squares, split into training and test part once and for all.

The rule, for every kind of file and folder (``docs/pictures.md`` tells it with examples; ``ablate data image_folder
--root FOLDER`` names every file that it does anything about):

- **Classes.** Every folder in ``data.root`` is a class; its pictures may lie in folders of their own. A class without a
  picture, fewer than two classes, and a class of which no picture is left for one of the parts are refused.
- **Parts.** A root with ``train`` and ``test`` or ``val`` folders (also ``training``, ``testing``, ``valid``,
  ``validation``; in any case) is split already: the folders in those are the classes, and each part is used as what it
  is named. What is not there is drawn: the test part by ``test_fraction``, held-out images by ``val_size``. Other
  folders with pictures beside them, parts without class folders, classes that ``train`` does not hold or ``test`` lacks
  are refused.
- **Not looked at:** names that begin with a dot, and what systems leave behind (``__MACOSX``, ``Thumbs.db``, ...).
- **Left out and said:** files without an ending of a format (:data:`ablate.images.data.picture_names.FORMATS`),
  pictures beside the class folders, FIFOs, sockets and devices (never opened), links to what is listed already, to
  nothing or to a folder that ``data.root`` lies in. Other links are followed; each real folder and file is read once. A
  link named like a picture that leads nowhere is refused.
- **Refused, all at once:** pictures that cannot be read: empty, damaged, cut off, of more than
  :data:`ablate.images.data.picture.MOST_PIXELS` pixels; values of which nobody knows what is white (32-bit integers,
  floating-point numbers outside 0 to 1); pictures that show something in their alpha channel alone, of which nothing is
  left on ``data.background``; pictures of 16 bits of which none reaches 1/16 of the range.
- **Converted and said:** EXIF orientation is applied; 16 bits are scaled by their full range; floating-point
  numbers from 0 to 1; transparent pixels are put on ``data.background``; of several frames or pages the first is used;
  CMYK becomes RGB without a profile, and colour profiles are not applied. A file's content decides its format, not its
  ending.
- **Said:** the same picture in several classes or parts, classes whose names differ in case alone.
"""

import logging
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablate.images.config import ImageFolder
from ablate.images.data.arrays import Arrays
from ablate.images.data.fingerprint import content_digest, digest_of_layout
from ablate.images.data.known_files import Inspection
from ablate.images.data.layout import Layout, Picture, checked_layout
from ablate.images.data.picture import UnreadableError, opened, read_picture, square
from ablate.images.data.picture_names import shown
from ablate.images.data.survey import refusals, survey
from ablate.task.errors import ConfigError

log = logging.getLogger(__name__)


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
        return checked_layout(self.where(), self.config.test_fraction)

    def checked_layout(self) -> Layout:
        """The same, held against ``data.train_size`` and ``data.val_size``.

        Raises:
            ConfigError: Also where there are too few images for them.
        """
        layout = self.layout()
        problems = self.misfits(layout)
        if problems:
            raise ConfigError(problems)
        return layout

    def verify(self) -> Path:
        """See :meth:`ablate.images.data.arrays.Source.verify`; decodes every picture that is not known yet to be sound.

        What is left out, converted or remarkable is logged, in a line each.

        Raises:
            ConfigError: Lists everything that is refused.
        """
        root = self.where()
        found = survey(self.config, root)
        refused = [*found.refused, *(self.misfits(found.layout) if found.layout is not None else ())]
        if refused or found.layout is None:
            raise ConfigError(refused)
        self._check_content(digest_of_layout(root, found.layout, found.inspections))
        for line in found.warnings():
            log.warning("data.root = %s: %s", shown(root), line)
        return root

    def fetch(self) -> Path:
        """See :meth:`ablate.images.data.arrays.Source.fetch`; a folder is the user's own and is only looked for."""
        return self.where()

    def read(self) -> Arrays:
        """Read every image as an RGB square of ``data.stored`` pixels (see :class:`ablate.images.data.arrays.Source`).

        Raises:
            ConfigError: Lists every picture that cannot be read; also where the folder's content is no longer the one
                that the run was planned with.
        """
        root, layout = self.where(), self.layout()
        if self.config.content is not None:
            self._check_content(content_digest(root, self.config.background))
        labels = {name: label for label, name in enumerate(layout.classes)}
        seen: dict[str, Inspection] = {}
        pixels = {part: self._pixels(root, pictures, seen) for part, pictures in layout.parts.items()}
        problems = refusals(root, seen)
        if problems:
            raise ConfigError(problems)
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
        """See :meth:`ablate.images.data.arrays.Source.describe`; looks at everything and raises for no file.

        Also ``counts`` (by part, images of each class), ``sizes`` and ``kinds`` (of pictures, with their number), and
        ``refused``, ``left_out``, ``converted`` and ``remarks``: texts with the paths that they are about. A folder
        that cannot be used has neither ``train`` and ``test`` nor ``classes``.
        """
        root = self.where()
        found = survey(self.config, root)
        layout = found.layout
        description: dict[str, Any] = {
            "name": self.config.name,
            "title": f"{len(layout.classes)} classes of images" if layout is not None else "cannot be used",
            "folder": str(root),
            "shape": [3, *self.config.stored_size],
        }
        pictures = [i.picture for i in found.inspections.values() if i.picture is not None]
        if layout is not None:
            description |= {
                "train": len(layout.parts["train"]),
                "test": len(layout.parts.get("test", ())),
                "classes": list(layout.classes),
                "counts": {part: list(layout.counts(part)) for part in layout.parts},
            }
            if all(i.sha256 or i.problem == "is empty" for i in found.inspections.values()):
                description["content"] = digest_of_layout(root, layout, found.inspections)
        return description | {
            "kinds": _numbers(f"{picture.format} {picture.mode}" for picture in pictures),
            "sizes": _numbers(f"{picture.width}x{picture.height}" for picture in pictures),
            "refused": list(found.refused),
            **{
                name: [{"text": finding.text, "paths": list(finding.paths)} for finding in findings]
                for name, findings in (
                    ("left_out", found.left_out),
                    ("converted", found.converted),
                    ("remarks", found.remarks),
                )
            },
        }

    def misfits(self, layout: Layout) -> list[str]:
        """What of ``data.train_size`` and ``data.val_size`` there are too few images for."""
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
        return problems

    def _check_content(self, content: str) -> None:
        if self.config.content is not None and content != self.config.content:
            raise ConfigError(
                f"data.root = {shown(repr(self.config.root))}: the images have changed since the study was planned; "
                "plan anew"
            )

    def _pixels(self, root: Path, part: Sequence[Picture], seen: dict[str, Inspection]) -> NDArray[np.uint8]:
        side = self.config.stored
        pixels = np.empty((len(part), 3, side, side), np.uint8)
        for row, (_, path) in zip(pixels, part, strict=True):
            try:
                with opened(root / path) as file:
                    image, picture = read_picture(file, path, self.config.background)
                row[:] = square(image, side)
                seen[path] = Inspection("", picture)
            except UnreadableError as error:
                seen[path] = Inspection("", None, str(error))
        return pixels


def _numbers(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())
