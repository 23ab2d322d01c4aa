"""``ablate data``: what lies where a data set is looked for."""

import os
from collections.abc import Sequence
from typing import Any

import yaml

from ablate.images.data import fetch, where
from ablate.images.data.describe import data_config, describe, lines
from ablate.task.errors import ConfigError


def print_data(name: str, root: str | None, words: Sequence[str] = ()) -> None:
    """Fetch a data set where it is missing, verify it, and say where it lies and all that was found.

    Args:
        name: fashion_mnist, mnist, cifar10 or image_folder.
        root: Its folder; None: look in the places that the data source knows.
        words: Fields of its configuration, ``root`` among them, as ``field=value``.

    Raises:
        ConfigError: It is missing or damaged; of an image folder, lists every file that cannot be used.
    """
    fields = _fields(words)
    root = fields.pop("root", root)
    config = data_config(name, root, fields)
    if where(config) is None:
        fetch(config)
    description = describe(name, root, fields)
    print("\n".join(lines(description)))
    if description.get("refused"):
        raise ConfigError(description["refused"])


def _fields(words: Sequence[str]) -> dict[str, Any]:
    """Fields of a data set from ``field=value``, each value as YAML has it."""
    fields: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.removeprefix("data.").partition("=")
        if not equals:
            raise ConfigError(f"{word}: write field=value, such as root=FOLDER")
        try:
            fields[name] = os.path.expanduser(text) if name == "root" else yaml.safe_load(text)
        except yaml.YAMLError:
            raise ConfigError(f"data.{name} = {text!r}: is no value") from None
    return fields
