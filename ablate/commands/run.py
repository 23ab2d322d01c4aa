"""``ablate run`` as a Hydra application: its flags, its grammar, its multirun."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import TaskFunction
from omegaconf import DictConfig, OmegaConf

from ablate.commands.exits import user_errors
from ablate.commands.studies import train_arguments
from ablate.plan.compose import CODE_KEYS, composer, hydra_errors, parse_overrides
from ablate.plan.sources import check_study_name, offer_studies
from ablate.task.errors import ConfigError
from ablate.task.packaged import packaged


def run_hydra(arguments: Sequence[str]) -> None:
    """Run Hydra's application with these arguments and flags; ends the process with its exit code."""
    with user_errors():
        _check_studies(arguments)
    offer_studies()
    # Hydra's parser wants all overrides in one piece; flags may stand anywhere here.
    flags = [a for a in arguments if a.startswith("-") or "=" not in a]
    sys.argv = ["ablate run", *flags, *(a for a in arguments if a not in flags)]
    hydra.main(config_path=str(packaged() / "conf"), config_name="config", version_base="1.3")(_run)()


def _run(config: DictConfig) -> None:
    """The job without -m: one run, or a study, which needs no -m."""
    with user_errors():
        train_arguments(list(HydraConfig.get().overrides.task))


def sweep_function(function: TaskFunction, arguments: Sequence[str]) -> None:
    """What ``hydra/sweeper=ablate`` does with a multirun; ends the process with its exit code.

    Args:
        function: Of the Hydra application whose multirun it is.
        arguments: Overrides, sweeps among them.
    """
    if function is not _run:
        with user_errors():
            place = f"{function.__module__}.{getattr(function, '__qualname__', function)}"
            raise ConfigError(f"hydra/sweeper=ablate: {place} is not ablate's own application, which is all it can run")
    train_arguments(arguments)


def _check_studies(arguments: Sequence[str]) -> None:
    """Studies exist and leave alone what Hydra would instantiate: a study file is data.

    Raises:
        ConfigError: Names the study, or the key.
    """
    given = [a for a in arguments if a.startswith("sweeps=")]
    names = [name for override in parse_overrides(given) for name in _names(override)]
    if not names:
        return
    with composer(with_hydra=True) as compose, hydra_errors():
        allowed = _code(OmegaConf.to_container(compose([]).hydra, resolve=False))
        for name in names:
            check_study_name(name)
            named = _code(OmegaConf.to_container(compose([f"sweeps={name}"]).hydra, resolve=False))
            for place, value in named.items():
                if allowed.get(place) != value:
                    raise ConfigError(
                        f"study {name}: hydra.{place} = {value!r}: configuration is data and cannot name code"
                    )


def _names(override: Any) -> list[str]:
    if override.is_sweep_override():
        return list(override.sweep_string_iterator())
    return [] if override.value() is None else [str(override.value())]


def _code(node: Any, place: str = "") -> dict[str, Any]:
    """Every key in Hydra's own configuration that names code, by its path."""
    found: dict[str, Any] = {}
    items = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        here = f"{place}.{key}" if place else str(key)
        found |= {here: value} if key in CODE_KEYS else _code(value, here)
    return found
