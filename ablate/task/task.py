"""A task: what a run does, how its configuration is checked and what it measures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeGuard, runtime_checkable

from ablate.task.metric import Metric
from ablate.task.record import Guess, Record
from ablate.task.run import Run


@dataclass(frozen=True)
class Configuration:
    """Where the values of a task's runs are composed from: a folder of Hydra's configuration files, or plain values."""

    folder: Path | None = None
    """Holds the primary configuration and its groups; None: :attr:`defaults` are all there is."""
    name: str = "config"
    """Name of the primary configuration's file in :attr:`folder`, without its ending."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Nested plain values, where there is no folder."""
    groups: tuple[str, ...] = ()
    """Configuration groups whose options may be levels of a factor of that name."""
    options: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    """Values of the options for which :attr:`folder` has no file, by group and option."""
    overrides: tuple[str, ...] = ()
    """Hydra overrides that always apply."""


@dataclass(frozen=True)
class Composed:
    """A setting as a task that composes itself makes it of overrides."""

    values: Mapping[str, Any]
    """Nested plain data, links followed; what differs from run to run (folders, times) by its name."""
    choices: Mapping[str, str | None]
    """The option that each configuration group has."""


class Task(Protocol):
    """What a run does. Tasks are found by name (see :mod:`ablate.task.finding`); their modules import no torch."""

    @property
    def name(self) -> str:
        """The task's name in study files and records."""

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Everything that it can measure, by name, in the order of tables."""

    @property
    def default_metrics(self) -> tuple[str, ...]:
        """Metrics of a study that names none; the last is the primary one."""

    @property
    def step(self) -> str:
        """Return what one step is called: ``epoch``, ``step``."""

    @property
    def configuration(self) -> Configuration:
        """Say where values come from before a study file and a command line change them."""

    @property
    def code(self) -> str:
        """Say where its code comes from, for people: a package with its version, or a file."""

    def parse(self, values: Mapping[str, Any]) -> Run:
        """Turn composed values (with ``seed`` at the top) into a run; touches no disk.

        Raises:
            ConfigError: Lists every problem.
        """

    def prepare(self, runs: Sequence[Run]) -> list[Run]:
        """The runs with what only the disk knows: digests of content and code, numbers of samples.

        Args:
            runs: One of each setting.

        Returns:
            As many, in order.

        Raises:
            ConfigError: Lists everything that is not where the configuration says.
        """

    def provide(self, runs: Sequence[Run]) -> None:
        """Get and verify what training needs, before anything is trained.

        Raises:
            ConfigError: Something cannot be had or is damaged.
        """

    def trajectory_of(self, identity: Mapping[str, Any]) -> str:
        """``Run.trajectory`` from a run's identity alone, which is all that a record keeps."""

    def length_of(self, identity: Mapping[str, Any]) -> int | None:
        """Last step of a complete run, from its identity alone; None: that is not known."""

    def guesses(self, record: Record) -> Mapping[str, Guess]:
        """Return what guessing scores on the data of a record, by metric; empty where it is not known."""

    def changed_code(self, record: Record) -> str | None:
        """Say how the code behind a record differs from today's, by file; None: it does not.

        A record whose digest is still that of a run can be told of as well: its author gives versions by hand, and
        changed the code without a new one.
        """


class LeavesMore(Task, Protocol):
    """A task whose runs can leave more than records (see :class:`ablate.task.engine.KeepsMore`)."""

    def why_not_kept(self, run: Run, what: str) -> str | None:
        """Say why a run leaves none of this at its end, however it goes; None: it does.

        Args:
            run: The run.
            what: Such as ``weights``, ``state`` or ``correctness``.
        """


def leaves_more(task: Task) -> TypeGuard[LeavesMore]:
    """Say whether a task's runs leave anything beside records."""
    return hasattr(task, "why_not_kept")


@runtime_checkable
class MeasuresSome(Protocol):
    """What a task has beside :class:`Task` whose runs do not all measure every metric."""

    def why_not_measured(self, run: Run, metric: str) -> str | None:
        """Say why a run never measures a metric, and what is allowed; None: it does.

        Args:
            run: The run.
            metric: One of the task's.
        """


class ComposesItself(Task, Protocol):
    """A task whose settings are overrides of a configuration of its own (see :mod:`ablate.hydra_app`)."""

    composes_itself: bool
    """True."""

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """Every configuration group, with its options."""

    def compose(self, overrides: Sequence[str]) -> Composed:
        """The configuration with some overrides, in Hydra's grammar.

        Raises:
            ConfigError: They are refused, or a mandatory value is missing.
        """

    def override(self, path: str, value: Any) -> str:
        """A change of a value, or the choice of a group's option, as an override.

        Raises:
            ConfigError: A study must not change it.
        """

    def configure(self, overrides: Sequence[str]) -> Run:
        """A setting as a run with seed 0.

        Raises:
            ConfigError: Lists every problem.
        """


def composes_itself(task: Task) -> TypeGuard[ComposesItself]:
    """Say whether settings of a task are overrides; nothing of the application is started for the answer."""
    return bool(getattr(task, "composes_itself", False))
