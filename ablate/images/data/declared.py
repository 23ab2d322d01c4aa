"""Data sets from outside the package, checked for what training relies on."""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ablate.images.data.arrays import Arrays
from ablate.images.parts import DeclaredData
from ablate.task.errors import ConfigError


class DeclaredSource:
    """See :class:`ablate.images.data.arrays.Source`.

    Args:
        config: Reads itself.
    """

    def __init__(self, config: DeclaredData) -> None:
        self.config = config

    def where(self) -> Path:
        """The folder that the configuration names, else the working folder: there is nothing to fetch."""
        return Path(self.config.root or ".").expanduser()

    def verify(self) -> Path:
        """See :class:`ablate.images.data.arrays.Source`; the arrays are checked where they are read."""
        return self.where()

    def fetch(self) -> Path:
        """See :meth:`where`."""
        return self.where()

    def read(self) -> Arrays:
        """The arrays.

        Raises:
            ConfigError: Lists everything in which they are not what :class:`ablate.images.data.arrays.Arrays` says.
        """
        arrays = self.config.read()
        problems = (
            _problems(arrays, self.config.stored_size) if isinstance(arrays, Arrays) else ["read() gave no Arrays"]
        )
        if problems:
            raise ConfigError([f"data = {self.config.name}: {problem}" for problem in problems])
        return arrays

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Name of each label."""
        return self.read().classes

    def check_sizes(self, images: int) -> None:
        """Refuse sizes that do not fit.

        Args:
            images: The images of the training part.

        Raises:
            ConfigError: Lists every problem.
        """
        used = self.config.train_size if self.config.train_size is not None else images
        problems = []
        if used > images:
            problems.append(f"data.train_size = {used}: at most the {images} training images")
        if self.config.validates and self.config.val_size >= min(used, images):
            problems.append(
                f"data.val_size = {self.config.val_size}: must be below the {min(used, images)} training images in use"
            )
        if problems:
            raise ConfigError(problems)

    def checked_counts(self) -> dict[str, tuple[int, ...]]:
        """The :meth:`counts` after :meth:`check_sizes`."""
        counts = self.counts()
        self.check_sizes(sum(counts["train"]))
        return counts

    def counts(self) -> dict[str, tuple[int, ...]]:
        """Images of each class in each part.

        Raises:
            ConfigError: As :meth:`read`.
        """
        arrays = self.read()
        return {
            part: tuple(np.bincount(labels, minlength=len(arrays.classes)).tolist())
            for part, labels in (("train", arrays.train_labels), ("test", arrays.test_labels))
        }

    def describe(self) -> dict[str, Any]:
        """See :class:`ablate.images.data.arrays.Source`."""
        arrays = self.read()
        return {
            "name": self.config.name,
            "title": type(self.config).__name__,
            "folder": str(self.where()),
            "train": len(arrays.train_labels),
            "test": len(arrays.test_labels),
            "shape": list(arrays.train_images.shape[1:]),
            "classes": list(arrays.classes),
        }


def _problems(arrays: Arrays, size: tuple[int, int]) -> list[str]:
    problems = []
    if len(arrays.classes) < 2 or len(set(arrays.classes)) < len(arrays.classes):
        problems.append(f"classes = {arrays.classes}: needs at least two names, each once")
    channels = set()
    for part in ("train", "test"):
        images, labels = getattr(arrays, f"{part}_images"), getattr(arrays, f"{part}_labels")
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[2:] != size:
            problems.append(
                f"{part}_images: {images.dtype} {images.shape}: must be uint8 [N, channels, {size[0]}, {size[1]}]"
            )
            continue
        channels.add(images.shape[1])
        if labels.dtype != np.int64 or labels.shape != images.shape[:1]:
            problems.append(f"{part}_labels: {labels.dtype} {labels.shape}: must be int64 [{len(images)}]")
        elif not len(labels):
            problems.append(f"{part}_images: there are none")
        elif labels.min() < 0 or labels.max() >= len(arrays.classes):
            problems.append(
                f"{part}_labels: from {labels.min()} to {labels.max()}: must be from 0 to {len(arrays.classes) - 1}"
            )
    if len(channels) > 1:
        problems.append(f"train and test images have {' and '.join(map(str, sorted(channels)))} channels")
    return problems
