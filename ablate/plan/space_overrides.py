"""Overrides of a search's space: its entries are named by paths with dots, which Hydra takes for nested keys."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ablate.task.errors import ConfigError

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

SPACE = "study.search.space"
KEYS = ("choices", "low", "high", "log", "step", "when")
"""The keys that an entry may have."""


def is_of_space(override: "Override") -> bool:
    """Whether an override changes a search's space."""
    return override.key_or_group == SPACE or override.key_or_group.startswith(f"{SPACE}.")


def override_space(node: Mapping[str, Any] | None, overrides: "Sequence[Override]") -> Mapping[str, Any] | None:
    """A study node with a command line's changes to ``search.space`` made.

    ``study.search.space.PATH=ENTRY`` replaces the entry of that path, or adds one (a ``+`` may be there or not),
    ``study.search.space.PATH.low=0.1`` changes a key of an entry, ``~study.search.space.PATH`` leaves one out, and
    ``study.search.space={PATH: ENTRY}`` does the first for several.

    Args:
        node: ``study`` as composed without these overrides.
        overrides: The overrides in the order of the command line.

    Raises:
        ConfigError: Names the override.
    """
    for override in overrides:
        search = node.get("search") if node is not None else None
        if node is None or not isinstance(search, Mapping) or not isinstance(search.get("space"), Mapping):
            raise ConfigError(f"{override.input_line}: the study has no search")
        node = {**node, "search": {**search, "space": _changed(search["space"], override)}}
    return node


def _changed(space: Mapping[str, Any], override: "Override") -> Mapping[str, Any]:
    path = override.key_or_group.removeprefix(SPACE).removeprefix(".")
    entry, _, key = path.rpartition(".")
    if override.is_sweep_override():
        raise ConfigError(
            f"{override.input_line}: must be a list, [...], {{choices: [...]}} or {{low: ..., high: ...}}"
        )
    if override.is_delete():
        if path not in space:
            raise ConfigError(f"{override.input_line}: is no factor of the space; factors are {', '.join(space)}")
        return {name: spec for name, spec in space.items() if name != path}
    value = override.value()
    if path:
        if path in space or entry not in space or key not in KEYS:
            return {**space, path: value}
        if not isinstance(space[entry], Mapping):
            raise ConfigError(f"{override.input_line}: the entry is a list; give all of it: {SPACE}.{entry}=...")
        return {**space, entry: {**space[entry], key: value}}
    if not isinstance(value, Mapping):
        raise ConfigError(f"{override.input_line}: must map factors to their choices or ranges")
    return {**space, **value}
