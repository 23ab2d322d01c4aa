"""What every task has in common whose runs are processes, in a table of the user's own project."""

from typing import Annotated, Any

from pydantic import Field

from ablate.program.reading import ReadTable
from ablate.task.declaration import TaskTable
from ablate.task.fields import Fields


class Retries(Fields):
    """Which exit codes are no fault of the run."""

    codes: Annotated[list[Annotated[int, Field(ge=1, le=255)]], Field(min_length=1)]
    times: Annotated[int, Field(ge=1, le=100)] = 3
    """Further tries, each in an empty folder."""


class ProcessTable(TaskTable):
    """The keys of ``[tool.ablate.tasks.NAME]`` that say how a process is started and followed."""

    read: ReadTable | list[ReadTable]
    """What metrics are read from."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Variables over those of the worker."""
    cwd: str = "."
    """Where it runs, relative to the project."""
    retries: Retries | None = None
    keep: str | None = None
    """Folder, relative to the project, below which every run's folder is kept; None: it is deleted after the run."""

    @property
    def reads(self) -> list[ReadTable]:
        """``read`` as a list."""
        return self.read if isinstance(self.read, list) else [self.read]

    @property
    def definition(self) -> dict[str, Any]:
        """What of these keys can change a result, as JSON data; those with their defaults are left out."""
        found: dict[str, Any] = {"read": [read.definition for read in self.reads]}
        if self.environment:
            found["environment"] = dict(self.environment)
        if self.cwd != ".":
            found["cwd"] = self.cwd
        return found

    @property
    def details(self) -> dict[str, Any]:
        """What the engine has to know of these keys, as plain data."""
        return {
            "read": [read.definition for read in self.reads],
            "environment": dict(self.environment),
            "cwd": self.cwd,
            "timeout": self.timeout,
            "retries": self.retries.model_dump() if self.retries is not None else None,
            "keep": self.keep,
        }

    def check_readers(self) -> None:
        """See to it that everything is installed that reads what the process writes.

        Raises:
            ConfigError: A package is missing.
        """
        if any(read.kind == "tensorboard" for read in self.reads):
            from ablate.program.tensorboard import check_installed

            check_installed()
