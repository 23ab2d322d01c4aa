"""A task that is a function of the user's project."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field

from ablate.function.signature import configuration_type, defaults_of, load_function, looks_typed, plain, typed
from ablate.task.code import Code, read_code
from ablate.task.declaration import DeclaredTask, TaskTable, parse_table
from ablate.task.errors import ConfigError
from ablate.task.modules import find_module
from ablate.task.plain_values import unknown_fields
from ablate.task.project import Project
from ablate.task.run import Run


class FunctionTable(TaskTable):
    """``[tool.ablate.tasks.NAME]`` with ``kind = "function"``."""

    function: Annotated[str, Field(pattern=r"^[\w.]+:[\w.]+$")]
    """``module:name``."""


def declared(name: str, table: Mapping[str, Any], project: Project) -> "FunctionTask":
    """The task of a table.

    Raises:
        ConfigError: Lists every problem of the table, or the function's module is not there.
    """
    return FunctionTask(name, parse_table(FunctionTable, name, table), project)


class FunctionTask(DeclaredTask):
    """Runs are calls of ``train(config, seed, report)``, one at a time in each worker process."""

    engine = "ablate.function.engine:FunctionEngine"

    def __init__(self, name: str, table: FunctionTable, project: Project) -> None:
        super().__init__(name, table, project)
        self.place = table.function
        self.module = self.place.partition(":")[0]
        if find_module(self.module, project.roots) is None:
            where = ", ".join(str(root) for root in project.roots)
            raise ConfigError(f"tasks.{name}.function = {self.place!r}: there is no module {self.module} in {where}")

    @cached_property
    def version(self) -> Code:
        """The module of the function with what it imports from the project."""
        return read_code(
            self.project.folder,
            self.project.roots,
            modules=[self.module],
            files=self.table.files,
            version=self.table.version,
            definition={"function": self.place},
        )

    @property
    def code(self) -> str:
        """See :class:`ablate.task.task.Task`."""
        return f"{self.place} in {self.project.folder}"

    @cached_property
    def details(self) -> Mapping[str, Any]:
        """What the engine has to know."""
        return {
            "function": self.place,
            "roots": [str(root) for root in self.project.roots],
            "metrics": list(self.metrics),
            "time_limit": self.table.timeout,
            "code": self.version.notes,
        }

    @cached_property
    def own_defaults(self) -> Mapping[str, Any]:
        """Those of the function's own type, where it has one."""
        return {} if self.type is None else _json_data(defaults_of(self.type))

    @cached_property
    def type(self) -> type | None:
        """What the function's configuration is annotated with; the module is imported only where it may be."""
        if not looks_typed(self.place, self.project.roots):
            return None
        return configuration_type(self._load(), self.place)

    def check(self, values: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """The setting as the function's own type has it, and what is wrong with it."""
        if self.type is None:
            return super().check(values)
        try:
            full = plain(self.type, typed(self.type, {**self.defaults, **values}))
        except ConfigError as error:
            return values, error.problems
        return full, unknown_fields(values, full)

    def provide(self, runs: Sequence[Run]) -> None:
        """See :class:`ablate.task.task.Task`: the function is imported and looked at."""
        self._load()

    def _load(self) -> Callable[..., Any]:
        try:
            return load_function(self.place, self.project.roots)
        except ConfigError as error:
            raise ConfigError([f"tasks.{self.name}.{problem}" for problem in error.problems]) from None


def _json_data(values: Any) -> Any:
    if isinstance(values, float) and not math.isfinite(values):
        raise ConfigError(f"a default is {values}: settings are finite numbers")
    if isinstance(values, Mapping):
        return {str(key): _json_data(value) for key, value in values.items()}
    return [_json_data(value) for value in values] if isinstance(values, list | tuple) else values
