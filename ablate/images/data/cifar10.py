"""CIFAR-10: Krizhevsky, "Learning multiple layers of features from tiny images" (2009), in its version for Python."""

import hashlib
import io
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.images.data.arrays import Arrays
from ablate.images.data.published_source import PublishedSet, PublishedSource
from ablate.task.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LARGEST_BATCH = 64 * 1024 * 1024
"""Bytes; the published files have 31 million."""

NEEDED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}
"""All that the pickled arrays name; nothing else is ever looked up."""


@dataclass(frozen=True)
class Batch:
    """A file of images with their labels, as it was published."""

    name: str
    md5: str
    """The MD5 in hex; no better hash was published."""

    @property
    def digest(self) -> str:
        """Which hash it is, and its hexadecimal digits."""
        return f"MD5 {self.md5}"


CIFAR10 = PublishedSet(
    name="cifar10",
    title="CIFAR-10",
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    files=(
        Batch("data_batch_1", "c99cafc152244af753f735de768cd75f"),
        Batch("data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"),
        Batch("data_batch_3", "54ebc095f3ab1f0389bbae665268c751"),
        Batch("data_batch_4", "634d18415352ddfa80567beed471001a"),
        Batch("data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"),
        Batch("test_batch", "40351d587109b95175f43aff81a1287e"),
    ),
    train_counts=(5_000,) * 10,
    test_counts=(1_000,) * 10,
    torchvision="CIFAR10",
    folder=Path("cifar-10-batches-py"),
    shape=(3, 32, 32),
)
"""The MD5 are those of torchvision's ``CIFAR10``."""


class Cifar10Source(PublishedSource):
    """CIFAR-10 at a place."""

    def arrays(self, paths: Sequence[Path], remedy: str) -> Arrays:
        """See :meth:`ablate.images.data.published_source.PublishedSource.arrays`."""
        import numpy as np

        batches = [file for file in self.published.files if isinstance(file, Batch)]
        read = [_read(path, batch, remedy) for path, batch in zip(paths, batches, strict=True)]
        (*train, (test_images, test_labels)) = read
        return Arrays(
            train_images=np.concatenate([images for images, _ in train]),
            train_labels=np.concatenate([labels for _, labels in train]),
            test_images=test_images,
            test_labels=test_labels,
            classes=self.published.classes,
        )


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in NEEDED:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return super().find_class(module, name)


def _read(path: Path, batch: Batch, remedy: str) -> "tuple[NDArray[np.uint8], NDArray[np.int64]]":
    """Images ``[N, 3, 32, 32]`` and labels ``[N]`` of one file; nothing of it is used before its hash is right."""
    import numpy as np

    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BATCH + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error}); {remedy}") from None
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if digest != batch.md5:
        raise ConfigError(f"{path}: is corrupt (its MD5 is {digest}, not {batch.md5}); {remedy}")
    values = _Unpickler(io.BytesIO(content), encoding="latin1").load()
    images = np.asarray(values["data"], np.uint8).reshape(-1, 3, 32, 32)
    return images, np.asarray(values["labels"], np.int64)
