"""Which image files a folder of classes holds."""

import os
from pathlib import Path

from ablate.task.errors import ConfigError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""Of an image file, in any case: those of ``torchvision.datasets.ImageFolder``; other files are passed over."""


def image_files(root: Path) -> dict[str, list[str]]:
    """List the image files of every class, as ``torchvision.datasets.ImageFolder`` finds them.

    Args:
        root: Holds one folder for each class; a class's files may lie in folders of their own, links are followed.

    Returns:
        Class names in alphabetical order, each with its files' paths relative to ``root`` (with ``/``), sorted.

    Raises:
        ConfigError: ``root`` is no folder, holds fewer than two folders, or one without an image.
    """
    if not root.is_dir():
        raise ConfigError(f"data.root = {str(root)!r}: there is no such folder")
    classes = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    if len(classes) < 2:
        raise ConfigError(
            f"data.root = {str(root)!r}: holds {len(classes)} folders; at least two, one a class, are needed"
        )
    files = {name: sorted(_below(root, name)) for name in classes}
    empty = [name for name in classes if not files[name]]
    if empty:
        allowed = " ".join(EXTENSIONS)
        raise ConfigError(
            [f"{root / name}: the class holds no image; its files must end in one of {allowed}" for name in empty]
        )
    return files


def _below(root: Path, name: str) -> list[str]:
    return [
        (Path(folder) / file).relative_to(root).as_posix()
        for folder, _, names in os.walk(root / name, followlinks=True)
        for file in names
        if file.lower().endswith(EXTENSIONS)
    ]
