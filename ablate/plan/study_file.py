"""A study file that may come from a stranger: what it may say is listed here, and everything else is refused."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ablate.plan.links import link_problems
from ablate.plan.sources import study_path
from ablate.plan.study_yaml import load_study_yaml
from ablate.plan.suggestions import MOST_HINTS, did_you_mean
from ablate.task.errors import ConfigError

DEFAULT_TASK = "images"

STUDY_KEYS = (
    "task",
    "question",
    "design",
    "factors",
    "includes",
    "seeds",
    "metrics",
    "labels",
    "published",
    "remarks",
    "claims",
    "curves",
    "correction",
    "search",
)
"""What the study node may hold."""

CODE_KEYS = ("_target_", "_partial_", "_args_", "_recursive_", "_convert_")
"""Keys with which Hydra's applications name code to call."""


@dataclass(frozen=True)
class StudyFile:
    """A study file, read and checked as far as it can be without its task."""

    name: str
    node: Mapping[str, Any]
    """``study``, without the task's name."""
    task: str | None
    """The task that the file names; None: it names none."""
    choices: Mapping[str, str] = field(default_factory=dict)
    """Configuration group to option, of a ``defaults`` list."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """All else: the baseline's differences from the task's configuration."""


def read_study_file(name: str) -> StudyFile:
    """A study file's content.

    Args:
        name: The name of the study, as :func:`ablate.plan.sources.study_names` has it.

    Raises:
        ConfigError: There is none of that name, it is no YAML, or it says what a study file may not; lists every
            problem.
    """
    file = study_path(name)
    values = load_study_yaml(file)
    problems: list[str] = []
    node = values.pop("study", None)
    if not isinstance(node, Mapping):
        problems.append("the file has no study: node" if node is None else f"study = {node!r}: must be a mapping")
        node = {}
    for number, key in enumerate(key for key in node if key not in STUDY_KEYS):
        hint = did_you_mean(key, STUDY_KEYS) if number < MOST_HINTS else ""
        problems.append(f"study.{key}: there is no such field{hint}")
    task = node.get("task")
    if task is not None and (not isinstance(task, str) or not task):
        problems.append(f"study.task = {task!r}: must be a task's name")
    choices, wrong = _choices(values.pop("defaults", None))
    problems += wrong
    problems += [f"{key}: a study file says nothing about Hydra" for key in values if key.split("/")[0] == "hydra"]
    problems += code_problems(node, "study")
    problems += code_problems(values)
    problems += link_problems(node, "study")
    problems += link_problems(values)
    if problems:
        raise ConfigError([f"study {name}: {problem}" for problem in problems])
    return StudyFile(name, {k: v for k, v in node.items() if k != "task"}, task, choices, values)


def code_problems(values: Any, place: str = "") -> Iterator[str]:
    """Keys, and dotted paths that serve as keys, that name code to call."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            here = f"{place}.{key}" if place else str(key)
            if any(part in CODE_KEYS for part in str(key).split(".")):
                yield f"{here} = {value!r}: configuration is data and cannot name code"
            yield from code_problems(value, here)
    elif isinstance(values, list | tuple):
        for index, value in enumerate(values):
            yield from code_problems(value, f"{place}.{index}")


def _choices(defaults: Any) -> tuple[dict[str, str], list[str]]:
    """The options that a ``defaults`` list chooses."""
    choices: dict[str, str] = {}
    if defaults is None:
        return choices, []
    usage = "must be a list of choices such as {override /model: alexnet}"
    if not isinstance(defaults, list):
        return choices, [f"defaults = {defaults!r}: {usage}"]
    problems = []
    for entry in defaults:
        if entry == "_self_":
            continue
        if not isinstance(entry, Mapping) or len(entry) != 1:
            problems.append(f"defaults: {entry!r}: {usage}")
            continue
        ((key, option),) = entry.items()
        group = key.removeprefix("override ").strip().removeprefix("/")
        if not isinstance(option, str) or "@" in group or group.startswith(("hydra", ".")) or "${" in option + group:
            problems.append(f"defaults: {key}: {option!r}: {usage}")
        else:
            choices[group] = option
    return choices, problems
