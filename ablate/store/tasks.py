"""What a record's task knows of it from its identity alone."""

from collections.abc import Mapping
from typing import Any

from ablate.task.errors import ConfigError
from ablate.task.finding import find_task
from ablate.task.identity import task_name_of
from ablate.task.task import Task


class Tasks:
    """Tasks by name, each looked for once; a record may be of one that is not installed here."""

    def __init__(self) -> None:
        self._found: dict[str, Task | None] = {}

    def trajectory_of(self, identity: Mapping[str, Any], digest: str) -> str:
        """What the record's task says; the digest itself where the task, or such an identity, is not known here."""
        task = self.of(identity)
        try:
            return digest if task is None else task.trajectory_of(identity)
        except (KeyError, TypeError, ValueError, AttributeError):
            return digest

    def length_of(self, identity: Mapping[str, Any]) -> int | None:
        """Last step of a complete run; None: not known."""
        task = self.of(identity)
        try:
            return None if task is None else task.length_of(identity)
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    def of(self, identity: Mapping[str, Any]) -> Task | None:
        """The record's task; None: it is not known here."""
        name = task_name_of(identity)
        if name not in self._found:
            try:
                self._found[name] = find_task(name)
            except ConfigError:
                self._found[name] = None
        return self._found[name]
