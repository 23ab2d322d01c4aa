"""The words of a command line, sorted by whose they are: the study's fields, its seeds, the configuration's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ablate.plan.levels import stepped
from ablate.task.errors import ConfigError

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

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

    study: "tuple[Override, ...]"
    """``study.KEY=...``."""
    seed: "tuple[Override, ...]"
    """``seed=0,1,2``."""
    choices: "tuple[Override, ...]"
    """Options of the configuration's groups."""
    fields: "tuple[Override, ...]"
    """Changes of the configuration with one value."""
    sweeps: "tuple[Override, ...]"
    """Changes of the configuration's fields or groups with several values."""


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


def parse_overrides(words: Sequence[str]) -> "list[Override]":
    """Hydra's grammar, with the override named in the error.

    Raises:
        ConfigError: Lists every word that is none, and those that are about Hydra itself.
    """
    if not words:
        return []  # to load Hydra takes longer than all else
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

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


def sort_overrides(parsed: "Sequence[Override]", is_group: Callable[[str], bool]) -> Overrides:
    """Sort by whose they are.

    Args:
        parsed: The command line without studies and launch settings.
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


def values_of(override: "Override") -> list[Any]:
    """The values of a choice or range sweep, or the one value of a plain override.

    Raises:
        ConfigError: It is another kind of sweep, or a range that makes fewer than two values.
    """
    from hydra.core.override_parser.types import ChoiceSweep, RangeSweep

    value = override.value()
    if not override.is_sweep_override():
        return [plain(value)]
    line = override.input_line
    if isinstance(value, ChoiceSweep):
        return [plain(item) for item in value.list]
    if not isinstance(value, RangeSweep) or value.start is None or value.stop is None:
        raise ConfigError(f"{line}: levels are a list, {override.key_or_group}=0.1,0.5, or range(START,STOP,STEP)")
    if not value.step:
        raise ConfigError(f"{line}: the step of a range must not be 0")
    try:
        found = stepped(value.start, value.stop, value.step, closed=False)
    except ConfigError as error:
        raise ConfigError(f"{line}: {error}") from None
    if len(found) < 2 and override.key_or_group != "seed":
        raise ConfigError(
            f"{line}: makes {len(found)} level(s) in steps of {value.step}; say the step, as in "
            f"range({value.start},{value.stop},STEP); STOP itself is not reached"
        )
    return list(found)


def plain(value: Any) -> Any:
    """A value of Hydra's grammar as plain data."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {_name(plain(key)): plain(item) for key, item in value.items()}
    return value.text if hasattr(value, "text") else value


def _name(key: Any) -> str:
    """A key as text: what the grammar reads as another type is written as it may have stood there."""
    return str(key).lower() if isinstance(key, bool) else "null" if key is None else str(key)
