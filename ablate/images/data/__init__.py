"""The images that runs train on: found and verified without torch, loaded once as 8-bit tensors on the device.

``Images``, ``load``, ``split``, ``class_counts`` and ``prepare`` bring torch with them when they are first asked for;
all else does not. What opens pictures is imported when it is needed, too: plans know data sets by their names alone.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.images.config import ImageData
from ablate.images.data.describe import data_config, describe, lines
from ablate.images.data.sources import source

if TYPE_CHECKING:
    from ablate.images.data.fingerprint import content_digest
    from ablate.images.data.images import Images, class_counts, load, prepare, split

__all__ = [
    "Images",
    "class_counts",
    "content_digest",
    "data_config",
    "describe",
    "fetch",
    "lines",
    "load",
    "prepare",
    "split",
    "verify",
    "where",
]


def where(config: ImageData) -> Path | None:
    """The folder that holds a data set: found, not verified.

    Args:
        config: Names it and, if ``root`` is given, its place.

    Returns:
        The folder, or None where the data set would have to be downloaded.

    Raises:
        ConfigError: ``root`` is given and does not hold it.
    """
    return source(config).where()


def verify(config: ImageData) -> Path | None:
    """Verify a data set before anything is trained on it.

    IDX files are read and hashed (under a second); of an image folder the files are listed and counted against
    ``train_size``, ``val_size`` and ``test_fraction``.

    Args:
        config: Names it and, if ``root`` is given, its place.

    Returns:
        The folder, or None where the data set would have to be downloaded.

    Raises:
        ConfigError: ``root`` does not hold it, or what is found is damaged or does not fit the configuration.
    """
    return source(config).verify()


def fetch(config: ImageData) -> Path:
    """Download a data set unless it is found; only a download brings torch with it.

    Args:
        config: Names it and, if ``root`` is given, its place; then nothing is downloaded.

    Returns:
        The folder that holds it.

    Raises:
        ConfigError: ``root`` does not hold it, or the download failed.
    """
    return source(config).fetch()


def __getattr__(name: str) -> Any:
    if name in ("Images", "class_counts", "load", "prepare", "split"):
        return getattr(import_module("ablate.images.data.images"), name)
    if name == "content_digest":
        return getattr(import_module("ablate.images.data.fingerprint"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
