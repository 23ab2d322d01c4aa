"""What ``ablate data`` says of a data set."""

import math
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from ablate.images.config import Cifar10, FashionMNIST, ImageData, ImageFolder, Mnist
from ablate.images.data.picture_names import shown
from ablate.images.data.sources import source
from ablate.task.errors import ConfigError
from ablate.task.fields import problems_of

MOST_KINDS = 12
"""Sizes, and kinds of pixels, that are named; of more, the number is said."""

_CLASSES: dict[str, type[ImageData]] = {
    "fashion_mnist": FashionMNIST,
    "mnist": Mnist,
    "cifar10": Cifar10,
    "image_folder": ImageFolder,
}

NAMES = tuple(_CLASSES)


def data_config(name: str, root: str | None = None, fields: Mapping[str, Any] | None = None) -> ImageData:
    """The configuration of a data set with its defaults.

    Args:
        name: One of :data:`NAMES`.
        root: Its folder; null: look in the places that the data source knows.
        fields: Further fields, such as ``test_fraction``.

    Returns:
        A configuration for ``where``, ``fetch`` and ``load``.

    Raises:
        ConfigError: There is no such data set, it needs a ``root``, or has no such field or value.
    """
    if name not in NAMES:
        raise ConfigError(f"data = {name!r}: there is no such data set; there are {', '.join(NAMES)}")
    if name == "image_folder" and root is None:
        raise ConfigError("data.root: an image_folder needs the folder that holds one folder per class")
    try:
        return _CLASSES[name](**{**(fields or {}), "name": name, "root": root})
    except ValidationError as error:
        raise ConfigError(problems_of(error, "data.")) from None


def describe(name: str, root: str | None = None, fields: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Look for a data set and verify it; downloads nothing.

    Args:
        name: One of :data:`NAMES`.
        root: Its folder; null: look in the places that the data source knows.
        fields: Further fields of its configuration.

    Returns:
        JSON data: ``name``, ``title`` and ``folder`` (null where it would have to be downloaded, then with the places
        ``searched``); otherwise the numbers of ``train`` and ``test`` images, the ``shape`` of one, the ``classes``,
        and the verified ``files`` (path, bytes, hash of the decompressed content). Of an image folder: see
        :meth:`ablate.images.data.image_folder.FolderSource.describe`.

    Raises:
        ConfigError: There is no such data set, ``root`` does not hold it, or a file is damaged; what is wrong with
            pictures in an image folder is part of its description.
    """
    return source(data_config(name, root, fields)).describe()


def lines(description: Mapping[str, Any]) -> list[str]:
    """A description for people to read.

    Args:
        description: As :func:`describe` returns it.

    Returns:
        Lines without a final newline.
    """
    head = f"{description['name']} ({description['title']})"
    if "refused" in description:
        return [f"{head}: {shown(description['folder'])}", *_folder_lines(description)]
    if description["folder"] is None:
        return [f"{head}: not on this machine", *(f"  looked in {place}" for place in description["searched"])]
    channels, height, width = description["shape"]
    colour = "grey" if channels == 1 else "colour"
    counts = f"{description['train']:,} training and {description['test']:,} test images"
    text = [
        f"{head}: {description['folder']}",
        f"  {counts}, {height}x{width} {colour}, {len(description['classes'])} classes",
    ]
    for file in description.get("files", ()):
        text.append(f"  verified  {file['path']}  {file['bytes']:,} bytes  content {file['digest']}")
    return text


def _size(description: Mapping[str, Any]) -> str:
    images = sum(sum(counts) for counts in description["counts"].values())
    return f"{images * math.prod(description['shape']) / 2**20:,.0f} MiB"


def _folder_lines(description: Mapping[str, Any]) -> list[str]:
    """Lines on an image folder, on all but what is refused: that is an error of its own."""
    text = []
    if "classes" in description:
        height, width = description["shape"][1:]
        counts = description["counts"]
        text += [
            f"  {description['train']:,} training and {description['test']:,} test images, {height}x{width} colour, "
            f"{len(description['classes'])} classes",
            f"  in the memory of each worker: {_size(description)}",
            f"  images of each class ({', '.join(counts)}):",
            *(
                f"    {shown(name)}: {', '.join(f'{counts[part][i]:,}' for part in counts)}"
                for i, name in enumerate(description["classes"])
            ),
        ]
    for title, key in (("as stored", "kinds"), ("sizes in pixels", "sizes")):
        if description[key]:
            named = [f"{n:,} {name}" for name, n in list(description[key].items())[:MOST_KINDS]]
            more = len(description[key]) - len(named)
            text.append(f"  {title}: {', '.join(named)}{f' and {more:,} more' if more else ''}")
    from ablate.images.data.survey import Finding

    for title, key in (("left out", "left_out"), ("converted", "converted"), ("notes", "remarks")):
        if description[key]:
            text.append(f"  {title}:")
            for finding in description[key]:
                text += [f"    {line}" for line in Finding(finding["text"], tuple(finding["paths"])).lines()]
    if "content" in description:
        text.append(f"  content SHA-256 {description['content']}")
    return text
