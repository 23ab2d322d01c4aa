"""Overrides of a study's own fields, whose keys are often paths with dots, which Hydra takes for nested keys."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ablate.plan.command_line import plain
from ablate.plan.space_overrides import is_of_space, override_space
from ablate.plan.study_file import STUDY_KEYS
from ablate.plan.suggestions import did_you_mean
from ablate.task.errors import ConfigError

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

BY_PATH = ("factors", "labels", "fixed", "compare")
"""Fields that map factors, or names, to something: what follows them is one key, dots and all."""


def override_study(node: Mapping[str, Any] | None, overrides: "Sequence[Override]") -> Mapping[str, Any] | None:
    """A study node with a command line's changes made.

    ``study.seeds=[0,1]`` and ``study.published.repeats=1`` change a field, ``study.factors.optimizer.lr=[0.1,0.2]`` the
    levels of a factor, ``~study.claims`` leaves one out. A mapping is merged into what is there. For
    ``study.search.space`` see :func:`ablate.plan.space_overrides.override_space`.

    Args:
        node: ``study`` as its file has it; None: there is no study.
        overrides: The overrides in the order of the command line.

    Raises:
        ConfigError: Lists every override that fits nothing.
    """
    problems: list[str] = []
    for override in overrides:
        try:
            if node is None:
                raise ConfigError(f"{override.input_line}: there is no study; name one")
            node = override_space(node, [override]) if is_of_space(override) else _changed(node, override)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return node


def _changed(node: Mapping[str, Any], override: "Override") -> Mapping[str, Any]:
    line, path = str(override.input_line), override.key_or_group.removeprefix("study").removeprefix(".")
    key = path.partition(".")[0]
    if key not in STUDY_KEYS or key == "task":
        named = f"study.{key}" if key else "study"
        raise ConfigError(f"{line}: {named} is no field of a study{did_you_mean(key, STUDY_KEYS)}")
    if override.is_sweep_override():
        values = line.partition("=")[2]
        hint = f" (or, for seeds: seed={values})" if key == "seeds" else ""
        raise ConfigError(
            f"{line}: several values make a sweep, which a study's field cannot be; a list is study.{path}=[{values}]"
            f"{hint}"
        )
    return _set(node, path, override)


def _set(given: Any, path: str, override: "Override", *, by_path: bool = False) -> dict[str, Any]:
    """A mapping with the override's value at a path; ``by_path``: what is not there is one key, dots and all."""
    if given is not None and not isinstance(given, Mapping):
        place = override.key_or_group.removesuffix(f".{path}")
        raise ConfigError(f"{override.input_line}: {place} = {given!r} has no fields; give all of it")
    node: dict[str, Any] = dict(given or {})
    # The longest key that is there already counts: factors and levels are named with dots.
    there = [key for key in node if path == key or path.startswith(f"{key}.")]
    key = max(there, key=len) if there else path if by_path else path.partition(".")[0]
    rest = path[len(key) + 1 :]
    if rest:
        node[key] = _set(node.get(key), rest, override, by_path=key in BY_PATH)
    elif override.is_delete():
        if key not in node:
            raise ConfigError(f"{override.input_line}: there is none{did_you_mean(key, node)}")
        del node[key]
    else:
        old, value = node.get(key), plain(override.value())
        node[key] = {**old, **value} if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return node
