"""A task that is a program: any command line, unmodified."""

import os
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from ablate.program.process_table import ProcessTable
from ablate.program.starting import problem_of_program
from ablate.program.template import Switches, Template
from ablate.task.code import Code, read_code
from ablate.task.declaration import DeclaredTask, parse_table
from ablate.task.errors import ConfigError
from ablate.task.modules import find_module
from ablate.task.project import Project
from ablate.task.run import Run

PYTHON = ("python", "python3")
"""These as the first word mean the interpreter that runs us."""

SOME_FOLDER = "(the run's folder)"


class ProgramTable(ProcessTable):
    """``[tool.ablate.tasks.NAME]`` with ``kind = "program"``."""

    command: Annotated[list[str], Field(min_length=1)]
    """Words, with placeholders, which ``environment`` may have too; see :class:`ablate.program.template.Template`.
    ``cwd = "{folder}"``: it runs in the run's own folder."""
    flags: str = ""
    switches: Switches = "on"
    takes_seed: bool = True
    """False: the program has no random parts, or none that can be seeded; its runs then differ by nothing known."""


def declared(name: str, table: Mapping[str, Any], project: Project) -> "ProgramTask":
    """The task of a table.

    Raises:
        ConfigError: Lists every problem of the table.
    """
    return ProgramTask(name, parse_table(ProgramTable, name, table), project)


class ProgramTask(DeclaredTask):
    """Runs are processes of the user's own program."""

    engine = "ablate.program.engine:ProgramEngine"

    def __init__(self, name: str, table: ProgramTable, project: Project) -> None:
        super().__init__(name, table, project)
        self.program = table
        self.template = Template(table.command, table.flags, table.switches, table.environment)
        problems = self.template.problems(self.defaults)
        if not problems and table.takes_seed and not self.template.uses_seed:
            problems.append(
                "command: {seed} is named nowhere, so that all seeds would be the same run; "
                "name it, or say takes_seed = false"
            )
        problems += _unread(table, list(self.metrics))
        if problems:
            raise ConfigError([f"tasks.{name}.{problem}" for problem in problems])

    @property
    def code(self) -> str:
        """See :class:`ablate.task.task.Task`."""
        return f"{' '.join(self.program.command)} in {self.project.folder}"

    @cached_property
    def version(self) -> Code:
        """The script that the command names, with what it imports from the project, and other files that it names."""
        scripts, modules, named = self._own_code()
        table = self.program
        if not (scripts or modules or named or table.files or table.version or self._has_inline_code):
            raise ConfigError(
                f"tasks.{self.name}: no file of the project is named by the command, so that nothing tells when "
                f"{table.command[0]} changes; list what it is made of (files = [...]), or set version = '...'"
            )
        definition = {"command": list(table.command), **table.definition}
        if table.flags:
            definition["flags"] = table.flags
        if table.switches != "on":
            definition["switches"] = table.switches
        return read_code(
            self.project.folder,
            self.project.roots,
            modules=modules,
            scripts=scripts,
            files=[*table.files, *named],
            version=table.version,
            definition=definition,
        )

    @cached_property
    def details(self) -> Mapping[str, Any]:
        """What the engine has to know."""
        table = self.program
        return {
            **table.details,
            "command": list(table.command),
            "flags": table.flags,
            "switches": table.switches,
            "project": str(self.project.folder),
            "metrics": list(self.metrics),
            "code": self.version.notes,
        }

    def check(self, values: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """The setting, and what of it has no place in the command line."""
        full, problems = super().check(values)
        if not problems:
            reserved = {"seed": "0", "folder": SOME_FOLDER, "project": str(self.project.folder)}
            try:
                words = self.template.words(full, reserved)
                self.template.variables(full, reserved)
            except ConfigError as error:
                return full, error.problems
            problems = [f"the word {word!r}: holds a zero byte" for word in words if "\0" in word]
        return full, problems

    def provide(self, runs: Sequence[Run]) -> None:
        """See :class:`ablate.task.task.Task`: the program is there, and so is what reads its files."""
        table, problems = self.program, []
        folder = self.project.folder / ("." if table.cwd == "{folder}" else table.cwd)
        if not folder.is_dir():
            problems.append(f"cwd = {table.cwd!r}: there is no such folder")
        first = table.command[0].replace("{project}", str(self.project.folder))
        if first not in PYTHON and "{" not in first:
            problem = problem_of_program(first, folder)
            problems += [f"command: {problem}"] if problem is not None else []
        script, module = self._python_code()
        if script is not None and not script.is_file():
            hint = "; in a run's own folder write {project}/..." if table.cwd == "{folder}" else ""
            problems.append(f"command: {script}: there is no such file{hint}")
        if module is not None and not self._is_installed(module):
            problems.append(f"command: -m {module}: there is no such module")
        if problems:
            raise ConfigError([f"tasks.{self.name}.{problem}" for problem in problems])
        table.check_readers()

    def _python_code(self) -> tuple[Path | None, str | None]:
        """The script, or the module after ``-m``, that a Python command executes."""
        words = self.program.command
        if not Path(words[0]).name.startswith("python"):
            return None, None
        for at, word in enumerate(words[1:], start=1):
            if word == "-m" and at + 1 < len(words):
                return None, words[at + 1]
            if word == "-c":
                return None, None
            if not word.startswith("-"):
                return self._file(word), None
        return None, None

    @property
    def _has_inline_code(self) -> bool:
        return "-c" in self.program.command

    def _own_code(self) -> tuple[list[Path], list[str], list[str]]:
        """Python scripts, modules and other files of the project that the command names."""
        script, module = self._python_code()
        scripts = [script] if script is not None and script.is_file() else []
        modules = [module] if module is not None and find_module(module, self.project.roots) else []
        modules += [f"{name}.__main__" for name in modules if find_module(f"{name}.__main__", self.project.roots)]
        others = []
        for word in self.program.command:
            file = self._file(word)
            if file is None or not file.is_file() or not file.is_relative_to(self.project.folder) or file in scripts:
                continue
            if file.suffix == ".py":
                scripts.append(file)
            else:
                others.append(file.relative_to(self.project.folder).as_posix())
        return scripts, modules, others

    def _file(self, word: str) -> Path | None:
        """The file that a word may name; None where it depends on the setting."""
        word = word.replace("{project}", str(self.project.folder))
        if "{" in word or "\0" in word:
            return None
        cwd = Path("/nonexistent") if self.program.cwd == "{folder}" else self.project.folder / self.program.cwd
        return Path(os.path.normpath(cwd / word))

    def _is_installed(self, module: str) -> bool:
        if find_module(module, self.project.roots) is not None or self.program.command[0] not in PYTHON:
            return True
        import importlib.util

        return importlib.util.find_spec(module.partition(".")[0]) is not None


def _unread(table: ProgramTable, metrics: Sequence[str]) -> list[str]:
    """Metrics that nothing reads, and names of metrics that are none."""
    problems = [
        f"read.names.{name}: is no metric of this task; metrics are {', '.join(metrics)}"
        for read in table.reads
        for name in read.names
        if name not in metrics
    ]
    readable = {metric for read in table.reads for metric in read.keys(metrics).values()}
    problems += [
        f"metrics.{name}: no group of the pattern is called {name}" for name in metrics if name not in readable
    ]
    return problems


def interpreter(command: Sequence[str]) -> list[str]:
    """The command with our own interpreter where it asks for Python."""
    return [sys.executable, *command[1:]] if command[0] in PYTHON else list(command)
