"""How and where runs are executed: nothing here can change a result, so nothing here is part of a run's identity."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from ablate.task.checkpoint import FOLDER
from ablate.task.errors import ConfigError
from ablate.task.executor import LOCAL, ExecutorChoice
from ablate.task.executor_options import executor_options
from ablate.task.fields import Fields, problems_of
from ablate.task.finding import find_part
from ablate.task.project import read_project

PREFIX = "launch."
"""Before a key of ours, where a task has one of the same name."""

STORE_VARIABLE = "ABLATE_STORE"
"""Environment variable with the store of command lines that name none: no password stands in a command line."""

NUMBER = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,9})?")

OF_EXECUTOR = "executor."
"""Before an option of the executor that is chosen, such as ``executor.partition=gpu``."""


class Launch(Fields):
    """Where records and reports lie, and what trains; said on the command line, never by a study file."""

    results: Annotated[str, Field(min_length=1)] = "results"
    """Folder for everything that is written; a leading ``~`` is the home folder."""
    store: Annotated[str, Field(min_length=1)] | None = None
    """SQLite file or SQLAlchemy URL; where none is given, what the environment variable ``ABLATE_STORE`` says, then
    ``store`` in ``ablate.toml`` or ``[tool.ablate]`` of ``pyproject.toml``; null: ``ablate.db`` in ``results``."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda|cuda:\d+)$")] = "auto"
    workers: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Worker processes; null: one a core, on CUDA one a GPU."""
    cohort_size: Annotated[int, Field(ge=1)] | None = None
    """Most runs trained together; null: bounded by measurement and memory."""
    keep: tuple[Literal["weights", "state", "correctness"], ...] = ()
    """What a run that trains now leaves in the folder of results beside its record: its ``weights``; these and what a
    run of more epochs goes on from (``state``); which test samples it gets right (``correctness``)."""
    checkpoint_minutes: Annotated[float, Field(ge=0.0)] = 10.0
    """How often a cohort in training leaves what it can go on from when it is cut off; one that takes less leaves
    nothing. 0: never."""
    executor: Annotated[str, Field(min_length=1)] = LOCAL
    """Where engines run, by name; ``ablate plugins`` lists which there are."""
    executor_options: dict[str, str] = Field(default_factory=dict)
    """The executor options by name, as they were given: ``executor.NAME=VALUE``."""

    @field_validator("results", "store")
    @classmethod
    def _at_home(cls, place: str | None) -> str | None:
        if place is None or not place.startswith("~"):
            return place
        try:
            return str(Path(place).expanduser())
        except RuntimeError:
            raise ValueError(f"{place}: there is no such home folder") from None

    @model_validator(mode="after")
    def _store_has_a_folder(self) -> Self:
        """A folder is made for results alone: a store in one that is not there is more often a slip of the pen."""
        path = self.store.removeprefix("sqlite:///") if self.store is not None else ""
        if path and "://" not in path:
            folder = Path(path).parent
            if not folder.is_dir() and not folder.absolute().is_relative_to(Path(self.results).absolute()):
                raise ValueError(
                    f"store = {self.store}: there is no folder {folder}; must be a file in one that is there"
                )
        return self

    @model_validator(mode="after")
    def _states_need_checkpoints(self) -> Self:
        if "state" in self.keep and not self.checkpoint_minutes:
            raise ValueError("keep = state: goes together with checkpoints; leave out checkpoint_minutes=0")
        return self

    @property
    def store_location(self) -> str:
        """The store's file or URL."""
        return self.store if self.store is not None else str(Path(self.results) / "ablate.db")

    @property
    def choice(self) -> ExecutorChoice:
        """The executor with what was said about it."""
        return ExecutorChoice(self.executor, self.executor_options, Path(self.results))

    @property
    def kept(self) -> dict[str, str]:
        """What is kept beside records, and the folder of each; states lie with checkpoints."""
        found = ["weights"] if {"weights", "state"} & set(self.keep) else []
        found += ["correctness"] if "correctness" in self.keep else []
        return {what: str(Path(self.results) / what) for what in found}

    @property
    def keeps(self) -> tuple[str, ...]:
        """What complete runs leave beside their records, states among it."""
        return (*self.kept, *(("state",) if "state" in self.keep else ()))

    @property
    def checkpoints_folder(self) -> Path | None:
        """Where checkpoints are kept; None: they are not."""
        return Path(self.results) / FOLDER if self.checkpoint_minutes else None

    @property
    def interim_folder(self) -> Path:
        """Where sweeps tell what runs in training have measured so far, beside their checkpoints."""
        return Path(self.results) / ".interim"


LAUNCH_KEYS = tuple(name for name in Launch.model_fields if name != "executor_options")


def launch_key(word: str) -> str | None:
    """The launch setting that a word of the command line may be about; ``launch.results=x`` is about nothing else."""
    key = word.partition("=")[0].lstrip("+").removeprefix(PREFIX)
    return key if "=" in word and (key in LAUNCH_KEYS or key.startswith(OF_EXECUTOR)) else None


def split_launch(words: Sequence[str], is_of_task: Callable[[str], bool]) -> tuple[Launch, list[str]]:
    """Take the launch settings out of a command line.

    Args:
        words: ``key=value`` among others. A value is taken as it stands, whatever characters it has; in quotes, without
            them.
        is_of_task: Whether the task has a configuration key of this name, to which the bare word then belongs.

    Returns:
        The settings, the last of each key, and all other words in order.

    Raises:
        ConfigError: Lists every problem.
    """
    given: dict[str, Any] = {"executor_options": {}}
    rest, problems = [], []
    for word in words:
        name, _, text = word.partition("=")
        key = launch_key(word)
        is_ours = name.lstrip("+").startswith(PREFIX)
        if key is not None and (is_ours or not is_of_task(key)):
            if key.startswith(OF_EXECUTOR):
                given["executor_options"][key.removeprefix(OF_EXECUTOR)] = _value(key, text)
            else:
                given[key] = _value(key, text)
        elif is_ours:
            problems.append(f"{word}: there is no such setting; they are {', '.join(PREFIX + k for k in LAUNCH_KEYS)}")
        else:
            rest.append(word)
    if "store" not in given:
        given["store"], found = _stated_store()
        problems += found
    try:
        launch = Launch.model_validate(given)
        check_options(launch.choice)
    except ValidationError as error:
        problems += problems_of(error)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)
    return launch, rest


def check_options(choice: ExecutorChoice) -> None:
    """See that there is such an executor and that it has these options.

    Raises:
        ConfigError: Lists every problem.
    """
    found = find_part("executors", choice.name)
    if choice.options:
        executor_options(found.load(), choice)


def _value(key: str, text: str) -> Any:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    if key == "checkpoint_minutes" and NUMBER.fullmatch(text):
        return float(text)
    if key in ("workers", "cohort_size") and text.isascii() and text.removeprefix("-").isdigit() and len(text) < 20:
        return int(text)
    if key == "keep":
        inner = text[1:-1] if text[:1] + text[-1:] == "[]" else text
        return tuple(dict.fromkeys(word.strip() for word in inner.split(",") if word.strip() not in ("", "records")))
    return None if text == "null" and key in ("store", "workers", "cohort_size") else text


def _stated_store() -> tuple[str | None, list[str]]:
    """The store of a command line that names none, and what is wrong with it."""
    if stated := os.environ.get(STORE_VARIABLE):
        return stated, []
    place, value = read_project().store or ("", None)
    if value is not None and (not isinstance(value, str) or not value):
        return None, [f"{place} = {value!r}: must be a text, an SQLite file or a server's URL"]
    return value, []
