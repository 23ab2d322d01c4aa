"""Data sets of four IDX files: training images, training labels, test images, test labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ablate.images.data.arrays import Arrays
from ablate.images.data.idx import IdxFile, read_idx
from ablate.images.data.published_source import PublishedSet, PublishedSource


def idx_set(files: tuple[IdxFile, IdxFile, IdxFile, IdxFile], *, torchvision: str, **facts: Any) -> PublishedSet:
    """A data set of IDX files, compressed or not.

    Args:
        files: Training images, training labels, test images, test labels.
        torchvision: Name of its class in ``torchvision.datasets``, and of the folder that the class makes.
        facts: Further fields of the set.
    """
    height, width = files[0].shape[1:]
    return PublishedSet(
        files=files,
        torchvision=torchvision,
        folder=Path(torchvision, "raw"),
        shape=(1, height, width),
        suffixes=("", ".gz"),
        **facts,
    )


class IdxSource(PublishedSource):
    """A data set of IDX files at a place."""

    def arrays(self, paths: Sequence[Path], remedy: str) -> Arrays:
        """See :meth:`ablate.images.data.published_source.PublishedSource.arrays`."""
        import numpy as np

        files = [file for file in self.published.files if isinstance(file, IdxFile)]
        contents = [read_idx(path, file, remedy) for path, file in zip(paths, files, strict=True)]
        train_images, train_labels, test_images, test_labels = contents
        return Arrays(
            train_images=train_images[:, None],
            train_labels=train_labels.astype(np.int64),
            test_images=test_images[:, None],
            test_labels=test_labels.astype(np.int64),
            classes=self.published.classes,
        )
