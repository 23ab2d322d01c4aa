"""A command line's sweeps and seeds, put into a study's node."""

from collections.abc import Mapping
from typing import Any

from ablate.plan.command_line import Overrides, values_of
from ablate.plan.study_file import StudyFile
from ablate.task.errors import ConfigError


def with_sweeps(node: Mapping[str, Any] | None, overrides: Overrides, file: StudyFile | None) -> dict[str, Any]:
    """The study node with the command line's sweeps and seeds in it, and which factors it has replaced.

    Args:
        node: ``study`` with the command line's other changes made; None: there is no study.
        overrides: Of the command line.
        file: The study's; None: there is none.

    Raises:
        ConfigError: The node's factors are no mapping, or a sweep is none that makes levels.
    """
    own = node is None
    study: dict[str, Any] = {"design": "grid", "seeds": [0], "metrics": None} if node is None else dict(node)
    given = study.get("factors") or {}
    if not isinstance(given, Mapping):
        raise ConfigError(f"study.factors = {given!r}: must map factors to levels")
    is_union = bool(study.get("includes")) and not given
    factors = dict(given)
    for override in overrides.seed:
        if not is_union:
            seeds = values_of(override)
            study["seeds"] = seeds[0] if len(seeds) == 1 and isinstance(seeds[0], list) else seeds
    for override in overrides.sweeps if not is_union else ():
        factors[override.key_or_group] = values_of(override)
    if own and not factors:
        # One setting is a grid of one level: plain multirun over seeds alone.
        factors = {"baseline": {"baseline": {}}}
    stated = file.node if file is not None else {}
    # Another design, or other fixed values, make other levels of every factor.
    same = all(study.get(key) == stated.get(key) for key in ("design", "fixed"))
    levels = stated.get("factors") or {}
    replaced = [path for path in factors if not same or path not in levels or factors[path] != levels[path]]
    return study | {"factors": factors, "replaced": replaced}
