"""What every task has in common that a table of the user's own project declares: metrics, defaults, steps, code."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from ablate.task.code import Code
from ablate.task.errors import ConfigError
from ablate.task.fields import Fields, problems_of
from ablate.task.identity import digest_of, lookup
from ablate.task.metric import Goal, Metric, Split, problem_of_name
from ablate.task.plain_run import PlainRun, trajectory_identity
from ablate.task.plain_values import as_default, merged, plain_values, read_yaml, unknown_fields
from ablate.task.project import Project
from ablate.task.record import Guess, Record
from ablate.task.run import Run
from ablate.task.searching import Searching
from ablate.task.task import Configuration

MAX_SEED = 2**31

Table = TypeVar("Table", bound="TaskTable")


class MetricTable(Fields):
    """One metric; see :class:`ablate.task.metric.Metric`."""

    goal: Goal
    label: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    split: Split | None = None
    axis: str = ""
    cost: bool = False
    """Whether it says what a run costs: a figure draws the primary metric against it."""
    exact: bool = False
    """Whether it follows from the setting and not from the seed, such as a number of parameters: nothing is tested."""
    guess: float | None = None
    """What guessing scores, such as the share of the most frequent class: runs that do no better are at chance, and no
    evidence. Leave it out where it differs from setting to setting."""
    samples: Annotated[int, Field(ge=1)] | None = None
    """Samples on which a share (low 0, high 1) is measured: how far guessing strays by luck is known then."""

    @model_validator(mode="after")
    def _is_a_range(self) -> "MetricTable":
        low, high = (-math.inf if self.low is None else self.low), (math.inf if self.high is None else self.high)
        if low >= high:
            raise ValueError(f"low = {low:g}: must be below high, which is {high:g}")
        if self.guess is not None and not low <= self.guess <= high:
            raise ValueError(f"guess = {self.guess:g}: must lie from low to high, {low:g} to {high:g}")
        if self.samples is not None and self.guess is None:
            raise ValueError(f"samples = {self.samples}: says how far guessing strays; give guess, too")
        return self

    def metric(self, name: str) -> Metric:
        """The metric of this name."""
        return Metric(name, **self.model_dump(exclude={"guess", "samples"}))


class TaskTable(Fields):
    """The keys that every kind of task has."""

    kind: str
    metrics: Annotated[dict[str, MetricTable], Field(min_length=1)]
    """All metrics that the code may report, by name. The last is the primary one of studies that name none."""
    defaults: dict[str, Any] | str = Field(default_factory=dict)
    """The baseline's fields with their values, nested; or a YAML file that holds them."""
    step: str = "step"
    """What one step is called, such as ``epoch``."""
    steps: str | None = None
    """The field that holds the number of steps to the end; it gives progress, costs and races their length."""
    shorter_is_prefix: bool = False
    """Whether a run of fewer steps is the beginning of a longer one, whose record then serves for both."""
    cost: str | None = None
    """The field to which a run's time is proportional; None: ``steps``, or else all runs cost the same."""
    timeout: Annotated[float, Field(gt=0)] | None = None
    """Seconds that a run may take."""
    files: list[str] = Field(default_factory=list)
    """Further files that can change a result: names, patterns, folders; relative to the project."""
    version: Annotated[str, Field(min_length=1)] | None = None
    """Set by the author in place of a hash over the code: to be changed whenever results may change."""


def parse_table(kind: type[Table], name: str, table: Mapping[str, Any]) -> Table:
    """A task's table in its typed form.

    Raises:
        ConfigError: Lists every problem.
    """
    try:
        return kind.model_validate(dict(table))
    except ValidationError as error:
        problems = problems_of(error, f"tasks.{name}.", tagged=())
        raise ConfigError([_with_known_keys(problem, kind) for problem in problems]) from None


def _with_known_keys(problem: str, kind: type[BaseModel]) -> str:
    return f"{problem}; keys are {', '.join(kind.model_fields)}" if problem.endswith("no such field") else problem


class DeclaredTask(ABC):
    """A task whose runs are :class:`PlainRun`; kinds of tasks derive from it.

    Args:
        name: As declared.
        table: As declared, typed.
        project: Whose it is.
    """

    engine = ""
    """``module:class`` of the engine."""

    def __init__(self, name: str, table: TaskTable, project: Project) -> None:
        self.name, self.table, self.project = name, table, project
        problems = [problem for metric in table.metrics if (problem := problem_of_name(metric)) is not None]
        if problems:
            raise ConfigError([f"tasks.{name}.metrics: {problem}" for problem in problems])
        self.metrics: Mapping[str, Metric] = {
            metric: described.metric(metric) for metric, described in table.metrics.items()
        }
        self.default_metrics = tuple(self.metrics)
        self.step = table.step
        self.searching = Searching(cost="cost" if table.cost is not None else "")

    # What kinds of tasks say for themselves

    @property
    @abstractmethod
    def version(self) -> Code:
        """The code behind the task."""

    @property
    @abstractmethod
    def details(self) -> Mapping[str, Any]:
        """What the engine has to know."""

    @abstractmethod
    def provide(self, runs: Sequence[Run]) -> None:
        """See :class:`ablate.task.task.Task`."""

    def version_for(self, values: Mapping[str, Any]) -> Code:
        """The code behind a setting, where that differs from setting to setting."""
        return self.version

    def check(self, values: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """The setting as it counts, and what is wrong with it."""
        return as_default({**self.defaults, **values}, self.defaults), unknown_fields(values, self.defaults)

    @cached_property
    def own_defaults(self) -> Mapping[str, Any]:
        """Defaults that the code itself has."""
        return {}

    # What they share

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """The code's own defaults, and over them the table's."""
        given: Any = self.table.defaults
        if isinstance(given, str):
            given = read_yaml(self.project.folder / given, given)
        return merged(self.own_defaults, given)

    @property
    def configuration(self) -> Configuration:
        """See :class:`ablate.task.task.Task`."""
        return Configuration(defaults=self.defaults)

    @property
    def code(self) -> str:
        """See :class:`ablate.task.task.Task`."""
        return str(self.project.folder)

    def parse(self, values: Mapping[str, Any]) -> PlainRun:
        """See :class:`ablate.task.task.Task`."""
        setting = {str(key): value for key, value in values.items() if key != "seed"}
        seed = values.get("seed", 0)
        problems = []
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < MAX_SEED:
            problems.append(f"seed = {seed!r}: must be a whole number from 0 to {MAX_SEED - 1}")
        plain, found = plain_values(setting)
        problems += found
        if not problems:
            plain, found = self.check(plain)
            problems += found
        length, samples, found = self._length(plain) if not problems else (None, 1, [])
        if problems + found:
            raise ConfigError(problems + found)
        return PlainRun(
            task=self.name,
            engine=self.engine,
            config=plain,
            seed=seed,
            code=self.version.identity,
            details=self.details,
            length=length,
            samples=samples,
            length_path=self.table.steps if self.table.shorter_is_prefix else None,
        )

    def prepare(self, runs: Sequence[Run]) -> list[Run]:
        """See :class:`ablate.task.task.Task`: the version of the code is in the runs already."""
        return list(runs)

    def trajectory_of(self, identity: Mapping[str, Any]) -> str:
        """See :class:`ablate.task.task.Task`."""
        if self.table.shorter_is_prefix and self.table.steps is not None:
            return digest_of(trajectory_identity(identity, self.table.steps))
        return digest_of(identity)

    def length_of(self, identity: Mapping[str, Any]) -> int | None:
        """See :class:`ablate.task.task.Task`."""
        return None

    def guesses(self, record: Record) -> Mapping[str, Guess]:
        """See :class:`ablate.task.task.Task`: of somebody else's data what the table says is known."""
        return {
            name: Guess(metric.guess, metric.samples)
            for name, metric in self.table.metrics.items()
            if metric.guess is not None
        }

    def changed_code(self, record: Record) -> str | None:
        """See :class:`ablate.task.task.Task`."""
        notes, version = record.result.notes.get("code"), self.version_for(record.config.get("config", {}))
        if not isinstance(notes, Mapping):
            return None if record.config.get("code") == version.identity else "it is not known in which file"
        changes = version.changes_since(notes)
        return ", ".join(changes) if changes else None

    def _length(self, values: Mapping[str, Any]) -> tuple[int | None, int, list[str]]:
        """Steps, cost, problems."""
        found: dict[str, int] = {}
        problems = []
        for key in ("steps", "cost"):
            path = getattr(self.table, key)
            if path is None:
                continue
            try:
                value = lookup(values, path)
            except KeyError:
                problems.append(f"tasks.{self.name}.{key} = {path!r}: there is no such field")
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 1 or value != int(value):
                problems.append(f"{path} = {value!r}: must be a whole number of at least 1: it is the run's {key}")
                continue
            found[key] = int(value)
        return found.get("steps"), found.get("cost", found.get("steps", 1)), problems
