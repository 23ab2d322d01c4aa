"""Finding tasks and parts: built in, by entry points of installed packages, or declared by the user's own project."""

import importlib
from functools import cache
from typing import Any

from ablate.task.errors import ConfigError
from ablate.task.task import Task

BUILT_IN = {"images": "ablate.images.task:IMAGES"}


def find_task(name: str) -> Task:
    """The task of this name.

    Raises:
        ConfigError: There is none, or it cannot be loaded; says which there are.
    """
    if name not in BUILT_IN:
        raise ConfigError(f"task = {name!r}: there is no such task; tasks are {', '.join(BUILT_IN)}")
    task: Task = load_object(BUILT_IN[name])
    return task


@cache
def load_object(place: str) -> Any:
    """What stands at ``module:name``.

    Raises:
        ConfigError: The module cannot be imported, or has no such name.
    """
    module, _, name = place.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{place}: cannot be loaded: {error}") from error
