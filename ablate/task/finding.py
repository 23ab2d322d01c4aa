"""Finding tasks and parts: built in, by entry points of installed packages, or declared by the user's own project.

Study files only name parts. Nothing is imported before it is used, and one that is broken disturbs nothing else.
"""

import importlib
import importlib.metadata
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from ablate.task.errors import ConfigError
from ablate.task.executor import LOCAL
from ablate.task.project import GROUPS, Declared, Project, read_project
from ablate.task.task import Task

BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "tasks": {"images": "ablate.images.task:IMAGES"},
    "executors": {
        LOCAL: "ablate.execute.pool:Pool",
        "slurm": "ablate.execute.slurm:Slurm",
        "ray": "ablate.execute.ray_executor:Ray",
    },
}
"""Where the object of each group and name stands. These names are taken: nobody else's part can have them."""

KINDS: Mapping[str, str] = {
    "function": "ablate.function.task:declared",
    "program": "ablate.program.task:declared",
    "hydra": "ablate.hydra_app.task:declared",
}
"""What makes a task of ``(name, table, project)``, by the ``kind`` that the table of the task declares."""


CHECKS: Mapping[str, str] = dict.fromkeys(
    ("networks", "datasets", "metrics", "losses", "augmentations"), "ablate.images.parts:part_class"
)
"""What loads a part of ``(group, name)`` as its task does, and looks whether it is one, by group."""

_MISSING = object()


@dataclass(frozen=True)
class Found:
    """A part that a name stands for, not loaded yet."""

    group: str
    name: str
    origin: str
    """Where it is declared, for people: ``built in``, a package with its version, or a file with its line."""
    place: str = ""
    """``module:object``; empty: a table describes it."""
    table: Mapping[str, Any] = field(default_factory=dict)
    project: Project | None = None
    """Whose declaration it is."""
    problem: str | None = None
    """Why it cannot be used; None: nothing is known against it."""

    @property
    def kind(self) -> str:
        """``built in``, ``entry point``, ``declared``, or the kind of a task that a table describes."""
        if self.table:
            return str(self.table.get("kind", "?"))
        return "built in" if self.origin == "built in" else "declared" if self.project else "entry point"

    def load(self) -> Any:
        """The object.

        Raises:
            ConfigError: It cannot be loaded; says where it is declared.
        """
        if self.problem is not None:
            raise ConfigError(self.problem)
        if self.project is not None:
            self.project.make_importable()
        if self.place:
            found = load_object(self.place, f"{self.name} ({self.origin})")
            if self.group == "tasks":
                self._check_task(found)
            return found
        assert self.project is not None
        try:
            return _made(self.name, self.project)
        except ConfigError as error:
            raise ConfigError([f"{self.origin}: {problem}" for problem in error.problems]) from None

    def _check_task(self, found: Any) -> None:
        what = f"task {self.name!r} ({self.origin}): {self.place}"
        if isinstance(found, type):
            raise ConfigError(f"{what}: is a class; declare an object of it")
        lacking = [name for name in vars(Task) if not name.startswith("_") and not _has(found, name)]
        if lacking:
            raise ConfigError(f"{what}: is no task: it has no {', '.join(lacking)}; see ablate.task.task.Task")


def _has(found: Any, name: str) -> bool:
    """Whether an object has an attribute, which may be a property that nobody has to evaluate for that."""
    return hasattr(type(found), name) or hasattr(found, name)


_OFFERED: dict[str, Task] = {}


def offer_task(task: Task) -> None:
    """Make a task known that no file declares, for as long as this process lives."""
    _OFFERED[task.name] = task


def find_task(name: str) -> Task:
    """The task of this name.

    Raises:
        ConfigError: There is none, or it cannot be loaded; says which there are.
    """
    if name in _OFFERED:
        return _OFFERED[name]
    task: Task = find_part("tasks", name).load()
    return task


def find_part(group: str, name: str) -> Found:
    """The part of this name, not loaded.

    Raises:
        ConfigError: There is none; says which there are, and what is wrong with the project's own file.
    """
    if name in BUILT_IN.get(group, {}):
        return Found(group, name, "built in", BUILT_IN[group][name])
    for found in find_parts(group):
        if found.name == name:
            return found
    known = ", ".join(found.name for found in find_parts(group)) or "(none)"
    thing = group[:-1]
    unread = "".join(f"; {problem}" for problem in read_project().problems)
    raise ConfigError(f"{thing} = {name!r}: there is no such {thing}; {group} are {known}{unread}")


def find_parts(group: str, folder: Path | None = None) -> list[Found]:
    """All parts of a kind: built-in ones first, then those of installed packages, then the project's own.

    Args:
        group: One of :data:`ablate.task.project.GROUPS`.
        folder: The project's folder; None: the working folder.

    Returns:
        One of each name. Where several parts have one name, that entry is broken and says where they come from.
    """
    project = read_project(folder)
    built_in = [Found(group, name, "built in", place) for name, place in BUILT_IN.get(group, {}).items()]
    declared = [_declared(group, part, project) for part in project.parts.get(group, ())]
    found: dict[str, Found] = {}
    for part in [*built_in, *_installed(group), *declared]:
        first = found.get(part.name)
        if first is None:
            found[part.name] = part
        elif first.origin == "built in":
            message = f"{part.origin}: {group[:-1]} {part.name!r}: this name is taken by a built-in one; choose another"
            found[f"{part.name} ({part.origin})"] = replace(part, problem=message)
        elif (first.place, first.origin) != (part.place, part.origin) or part.table:
            both = f"{first.origin} and {part.origin}"
            message = f"{group[:-1]} {part.name!r}: two parts have this name: {both}; rename one of them"
            found[part.name] = replace(first, origin=both, problem=message)
    return list(found.values())


def _declared(group: str, part: Declared, project: Project) -> Found:
    value, origin = part.value, part.origin
    if isinstance(value, str):
        problem = None
        if not _is_place(value):
            problem = f"{origin}: {group}.{part.name} = {value!r}: must be 'module:object'"
        return Found(group, part.name, origin, value, project=project, problem=problem)
    if group == "tasks" and isinstance(value, Mapping):
        problem = None
        if value.get("kind") not in KINDS:
            kinds = ", ".join(KINDS)
            problem = f"{origin}: tasks.{part.name}.kind = {value.get('kind')!r}: must be one of {kinds}"
        return Found(group, part.name, origin, table=value or {"kind": None}, project=project, problem=problem)
    allowed = "'module:object'" + (" or a table with a kind" if group == "tasks" else "")
    message = f"{origin}: {group}.{part.name} = {value!r}: must be {allowed}"
    return Found(group, part.name, origin, project=project, problem=message, place="?")


def _is_place(text: str) -> bool:
    module, colon, name = text.partition(":")
    return bool(colon) and all(part.isidentifier() for part in [*module.split("."), *name.split(".")])


@cache
def _installed(group: str) -> tuple[Found, ...]:
    """Parts of installed packages; their code is not imported."""
    assert group in GROUPS
    found = []
    for entry in _entry_points().select(group=f"ablate.{group}"):
        distribution = entry.dist
        origin = f"{distribution.name} {distribution.version}" if distribution is not None else "an installed package"
        found.append(Found(group, entry.name, f"{origin} (entry point ablate.{group})", entry.value))
    return tuple(found)


@cache
def _entry_points() -> Any:
    """Of all groups at once, as each search reads the metadata of every installed package."""
    return importlib.metadata.entry_points()


@cache
def load_object(place: str, what: str = "") -> Any:
    """What stands at ``module:name``.

    Args:
        place: Module and name, both dotted.
        what: Put before the message, such as the part's name and origin.

    Raises:
        ConfigError: The module cannot be imported, or has no such name.
    """
    module, _, name = place.partition(":")
    prefix = f"{what}: " if what else ""
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part, _MISSING)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit, and whatever else somebody's code raises
        raise ConfigError(f"{prefix}{place}: cannot be loaded: {_in_words(error)}") from error
    if found is _MISSING:
        raise ConfigError(f"{prefix}{place}: cannot be loaded: {module} has no {name!r}")
    return found


def _in_words(error: BaseException) -> str:
    """Kind, message and, where it was raised by a file, its place."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen") and "importlib" not in frame.filename and frame.filename != __file__
    ]
    at = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{at}"


@cache
def _made(name: str, project: Project) -> Any:
    """The task that a table of the project describes."""
    table = next(part.value for part in project.parts["tasks"] if part.name == name)
    return load_object(KINDS[table["kind"]])(name, table, project)
