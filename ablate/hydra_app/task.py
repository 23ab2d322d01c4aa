"""A task that is a Hydra application of somebody's own, unmodified."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

import ablate
from ablate.hydra_app.application import Application
from ablate.hydra_app.composing import Composing
from ablate.hydra_app.overrides import folder_override, override_of, text_of
from ablate.program.process_table import ProcessTable
from ablate.program.reading import ReadTable
from ablate.task.code import Code, read_code
from ablate.task.declaration import DeclaredTask, parse_table
from ablate.task.errors import ConfigError
from ablate.task.identity import lookup, without
from ablate.task.modules import find_module, named_modules
from ablate.task.plain_run import PlainRun
from ablate.task.project import Project
from ablate.task.run import Run
from ablate.task.task import Composed

RETURNED = ".ablate-returned.jsonl"
"""This file in a run's folder holds what the function returned."""
SEED = 0
"""Settings are composed with this seed; values that follow the seed are those of this one."""


class HydraTable(ProcessTable):
    """``[tool.ablate.tasks.NAME]`` with ``kind = "hydra"``."""

    script: str | None = None
    """File relative to the project, executed as ``python SCRIPT``."""
    module: str | None = None
    """Executed as ``python -m MODULE``."""
    function: Annotated[str, Field(pattern=r"^[\w.]+:\w+$")] | None = None
    """``module:name`` of what ``@hydra.main`` made, called without arguments."""
    config_path: str | None = None
    """Folder relative to the project; None: as ``@hydra.main`` says."""
    config_name: str | None = None
    """None: as ``@hydra.main`` says."""
    seed: Annotated[str, Field(pattern=r"^\+{0,2}[A-Za-z_][\w.]*$")] = "seed"
    """Field that takes the seed; with ``+`` where the configuration leaves it out."""
    returns: str | list[str] | None = None
    """Metrics that the returned number, or numbers, are; None: the only metric there is, or a mapping's own names."""
    read: ReadTable | list[ReadTable] = Field(default_factory=list)
    """What further metrics are read from; see the program task."""
    overrides: list[str] = Field(default_factory=list)
    """Overrides that every run has, such as ``trainer.progress_bar=false``."""
    ignore: list[str] = Field(default_factory=list)
    """Fields that cannot change a result (folders, loggers): no part of the identity."""

    @property
    def returned(self) -> list[str]:
        """The names of what is returned; empty: a mapping names it."""
        if self.returns is None:
            return list(self.metrics) if len(self.metrics) == 1 and not self.reads else []
        return [self.returns] if isinstance(self.returns, str) else list(self.returns)


def declared(name: str, table: Mapping[str, Any], project: Project) -> "HydraTask":
    """The task of a table.

    Raises:
        ConfigError: Lists every problem of the table.
    """
    return HydraTask(name, parse_table(HydraTable, name, table), project)


class HydraTask(DeclaredTask):
    """Runs are processes of the application, each with the overrides of its setting and a folder of its own."""

    engine = "ablate.program.engine:ProgramEngine"
    composes_itself = True

    def __init__(self, name: str, table: HydraTable, project: Project) -> None:
        super().__init__(name, table, project)
        self.app = table
        self._versions: dict[tuple[str, ...], Code] = {}
        problems = []
        ways = [way for way in ("script", "module", "function") if getattr(table, way) is not None]
        if len(ways) != 1:
            problems.append("script: name one of script, module and function: how the application is started")
        elif table.script is not None and not (project.folder / table.script).is_file():
            problems.append(f"script = {table.script!r}: there is no such file in {project.folder}")
        elif table.script is None and find_module(self.module or "", self._roots) is None:
            problems.append(f"{ways[0]}: there is no module {self.module} in {', '.join(map(str, self._roots))}")
        if table.config_path is not None and not (project.folder / table.config_path).is_dir():
            problems.append(f"config_path = {table.config_path!r}: there is no such folder in {project.folder}")
        unknown = [metric for metric in table.returned if metric not in self.metrics]
        problems += [f"returns: {m}: is no metric of this task; metrics are {', '.join(self.metrics)}" for m in unknown]
        if table.defaults:
            problems.append("defaults: are the application's own configuration; what every run has goes to overrides")
        if problems:
            raise ConfigError([f"tasks.{name}.{problem}" for problem in problems])
        self.composing = Composing(self.application)

    # Composition

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """Every configuration group, with its options."""
        return self.composing.groups

    def compose(self, overrides: Sequence[str]) -> Composed:
        """The application's own configuration with some overrides, its seed being :data:`SEED`.

        Raises:
            ConfigError: In the words of Hydra; or the seed's field is not there.
        """
        try:
            return self.composing.compose([*self.app.overrides, *overrides, f"{self.app.seed}={SEED}"])
        except ConfigError as error:
            field = self.app.seed.lstrip("+")
            if f"'{field}'" in str(error) and not any(word.partition("=")[0] == field for word in overrides):
                raise ConfigError(
                    f"tasks.{self.name}.seed = {self.app.seed!r}: {error}; name the field that takes the seed"
                ) from None
            raise

    def override(self, path: str, value: Any) -> str:
        """A change as an override; an option of a group that is not in the defaults list is added to it.

        Raises:
            ConfigError: It is about Hydra itself, or names code.
        """
        if path.lstrip("+~") == self.app.seed.lstrip("+"):
            raise ConfigError(f"{path}: is no factor; seeds belong to study.seeds")
        added = path in self.groups and path not in self.compose(()).choices
        return override_of(f"+{path}" if added else path, value)

    def configure(self, overrides: Sequence[str]) -> PlainRun:
        """A setting as a run with seed 0.

        Args:
            overrides: That make it, in Hydra's grammar.

        Raises:
            ConfigError: Lists every problem.
        """
        values = dict(self.compose(overrides).values)
        for path in (self.app.seed.lstrip("+"), *self.app.ignore):
            values = without(values, path)
        length, samples, problems = self._length(values)
        if problems:
            raise ConfigError(problems)
        version = self.version_for(values)
        return PlainRun(
            task=self.name,
            engine=self.engine,
            config=values,
            seed=SEED,
            code=version.identity,
            details={
                **self.details,
                "code": version.notes,
                "overrides": list(overrides),
                "command": self._command(overrides),
            },
            length=length,
            samples=samples,
            length_path=self.table.steps if self.table.shorter_is_prefix else None,
        )

    @property
    def own_seed(self) -> int:
        """The seed that the configuration has by itself; 0 where it has none."""
        try:
            found = lookup(self.composing.compose(self.app.overrides).values, self.app.seed.lstrip("+"))
        except (KeyError, ConfigError):
            return SEED
        return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else SEED

    def placed(self, run: PlainRun, folder: Path, words: Sequence[str]) -> PlainRun:
        """A run that writes into a folder which is kept, with further overrides that are no part of its setting.

        Args:
            run: A run of this task.
            folder: Absolute.
            words: About Hydra itself, such as ``hydra.job.num=3``.
        """
        command = self._command(run.details["overrides"], words)
        return replace(run, details={**run.details, "command": command, "folder": str(folder)})

    def subfolder(self, run: PlainRun, number: int, pattern: str, words: Sequence[str]) -> str:
        """What ``hydra.sweep.subdir`` is for a run.

        Args:
            run: A run of this task.
            number: Its number in the sweep.
            pattern: As the application's configuration or the sweep's command line has it.
            words: About Hydra itself, that the run is to have.
        """
        if pattern in ("${hydra.job.num}", "${hydra:job.num}"):
            return str(number)
        own = [*words, f"hydra.job.num={number}", f"{self.app.seed}={run.seed}"]
        own.append(f"hydra.sweep.subdir={text_of(pattern)}")
        return self.composing.select([*self.app.overrides, *run.details["overrides"], *own], "hydra.sweep.subdir")

    # As every task

    @cached_property
    def application(self) -> Application:
        """How it is started."""
        table, folder = self.app, self.project.folder
        return Application(
            project=folder / table.cwd,
            script=folder / table.script if table.script is not None else None,
            module=self.module,
            function=table.function.partition(":")[2] if table.function is not None else None,
            config_path=str(folder / table.config_path) if table.config_path is not None else None,
            config_name=table.config_name,
            roots=self._given_roots,
        )

    @property
    def module(self) -> str | None:
        """The module that is executed or imported; None: a script is."""
        return self.app.module or (self.app.function or "").partition(":")[0] or None

    @property
    def code(self) -> str:
        """See :class:`ablate.task.task.Task`."""
        return f"{self.application.name} in {self.project.folder}"

    @cached_property
    def version(self) -> Code:
        """The script or module with what it imports from the project."""
        return self._version_with(())

    def version_for(self, values: Mapping[str, Any]) -> Code:
        """Besides, modules that a setting names, such as ``_target_: src.models.Net``, with what they import."""
        scripts = [self.project.folder / self.app.script] if self.app.script is not None else []
        places = tuple(dict.fromkeys([*(script.parent for script in scripts), *self._roots]))
        return self._version_with(tuple(sorted(named_modules(values, places))))

    def _version_with(self, named: tuple[str, ...]) -> Code:
        if named not in self._versions:
            self._versions[named] = self._read_version(named)
        return self._versions[named]

    def _read_version(self, named: Sequence[str]) -> Code:
        table = self.app
        modules = [*([self.module] if self.module is not None else []), *named]
        return read_code(
            self.project.folder,
            self._roots,
            modules=[*modules, *(f"{m}.__main__" for m in modules if find_module(f"{m}.__main__", self._roots))],
            scripts=[self.project.folder / table.script] if table.script is not None else [],
            files=table.files,
            version=table.version,
            definition={
                "application": table.script or table.module or table.function,
                "returns": table.returned,
                **table.definition,
            },
        )

    @cached_property
    def details(self) -> Mapping[str, Any]:
        """What the engine has to know, but for the command line of the setting."""
        table = self.app
        returned = ReadTable(kind="jsonl", file=RETURNED)
        return {
            **table.details,
            "flags": "",
            "switches": "value",
            "environment": {key: _braced(value) for key, value in self._environment().items()},
            "project": str(self.project.folder),
            "read": [returned.definition, *table.details["read"]],
            "metrics": list(self.metrics),
        }

    def parse(self, values: Mapping[str, Any]) -> PlainRun:
        """Settings of an application are made by :meth:`configure`.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"task {self.name}: is a Hydra application, whose settings are composed from overrides")

    def provide(self, runs: Sequence[Run]) -> None:
        """See :class:`ablate.task.task.Task`: it has been composed, so that it is there."""
        self.app.check_readers()

    @property
    def _roots(self) -> tuple[Path, ...]:
        return self.project.roots

    @property
    def _given_roots(self) -> tuple[Path, ...]:
        """Folders that the project declares; its own folder Python itself puts onto its path where it belongs there."""
        return tuple(root for root in self.project.roots if root != self.project.folder)

    def _command(self, overrides: Sequence[str], words: Sequence[str] = ()) -> list[str]:
        """The command line of a setting, in which the run's seed and folder are still to be put."""
        callback = {"_target_": "ablate.hydra_app.callback.RecordReturn", "names": self.app.returned}
        own = [
            f"{self.app.seed}={{seed}}",
            f"+hydra.callbacks.ablate_returned={_braced(text_of(callback)[:-1])},path:'{{folder}}/{RETURNED}'}}}}",
            folder_override("{folder}"),
            "hydra.mode=RUN",
        ]
        every = [*self.application.words, *self.app.overrides, *overrides, *words]
        return [*map(_braced, every), *own]

    def _environment(self) -> dict[str, str]:
        """Variables of a run's process: this package is found, for the callback that takes down what is returned."""
        own = Path(ablate.__file__).resolve().parents[1]
        places = [str(root) for root in self._given_roots]
        if not {"site-packages", "dist-packages"} & set(own.parts):
            places.append(str(own))
        inherited = os.environ.get("PYTHONPATH")
        joined = os.pathsep.join(dict.fromkeys([*places, *([inherited] if inherited else [])]))
        found = {"PYTHONPATH": joined} if joined else {}
        return {"HYDRA_FULL_ERROR": "1", **found, **self.app.environment}


def _braced(text: str) -> str:
    """Text that a template leaves as it is."""
    return text.replace("{", "{{").replace("}", "}}")
