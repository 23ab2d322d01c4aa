"""The words of a command line, sorted by whose they are: the study's fields, its seeds, the configuration's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from ablate.task.errors import ConfigError

STUDIES = "sweeps"
"""``sweeps=a,b`` names studies, as ``ablate sweep a b`` does."""
TASK = "task"


@dataclass(frozen=True)
class CommandLine:
    """What was asked for, before any configuration is read."""

    studies: tuple[str, ...]
    words: tuple[str, ...]
    """All others, as written."""


@dataclass(frozen=True)
class Overrides:
    """What changes a study and its configuration."""

    study: tuple[Override, ...]
    """``study.KEY=...``."""
    seed: tuple[Override, ...]
    """``seed=0,1,2``."""
    choices: tuple[Override, ...]
    """Options of the configuration's groups."""
    fields: tuple[Override, ...]
    """Of the configuration, with one value."""
    sweeps: tuple[Override, ...]
    """Of the configuration's fields or groups, with several."""


def parse_command_line(words: Sequence[str]) -> CommandLine:
    """Take out the names of studies, which no grammar reads: ``null`` and ``10`` are names like any other."""
    studies: list[str] = []
    rest = []
    for word in words:
        key, _, names = word.partition("=")
        if key.lstrip("+") == STUDIES:
            studies += [name.strip().strip("'\"") for name in names.split(",")]
        else:
            rest.append(word)
    return CommandLine(tuple(dict.fromkeys(studies)), tuple(rest))


def parse_overrides(words: Sequence[str]) -> list[Override]:
    """Hydra's grammar, with the override named in the error.

    Raises:
        ConfigError: Lists every word that is none, and those that are about Hydra itself.
    """
    parser, parsed, problems = OverridesParser.create(), [], []
    for word in words:
        try:
            override = parser.parse_override(word)
        except (HydraException, RecursionError) as error:
            lines = str(error).splitlines() or [type(error).__name__]
            problems.append(f"{word}: is no override such as optimizer.lr=0.5: {lines[0]}")
            continue
        if override.key_or_group.replace("/", ".").split(".")[0] == "hydra":
            problems.append(f"{word}: Hydra's own settings have no meaning here: runs write nothing but records")
        else:
            parsed.append(override)
    if problems:
        raise ConfigError(problems)
    return parsed


def sort_overrides(parsed: Sequence[Override], is_group: Callable[[str], bool]) -> Overrides:
    """Sort by whose they are.

    Args:
        parsed: Without studies and launch settings.
        is_group: Whether the task's configuration has a group of this name.
    """
    sorted_: dict[str, list[Override]] = {name: [] for name in ("study", "seed", "choices", "fields", "sweeps")}
    for override in parsed:
        key = override.key_or_group
        if key.partition(".")[0] in ("study", "seed"):
            name = key.partition(".")[0]
        elif override.is_sweep_override():
            name = "sweeps"
        else:
            name = "choices" if is_group(key) else "fields"
        sorted_[name].append(override)
    return Overrides(**{name: tuple(found) for name, found in sorted_.items()})


def values_of(override: Override) -> list[Any]:
    """The values of a choice, range or glob sweep, or the one value of a plain override."""
    if not override.is_sweep_override():
        return [plain(override.value())]
    if override.sweep_string_iterator is None:
        return []
    return [
        plain(OverridesParser.create().parse_override(f"x={text}").value()) for text in override.sweep_string_iterator()
    ]


def plain(value: Any) -> Any:
    """A value of Hydra's grammar as plain data."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    return value.text if hasattr(value, "text") else value
