"""Hydra's part of planning: composed configuration and command-line overrides in, studies and baselines out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ablate.plan.design import GROUPS
from ablate.plan.launch import Launch, parse_launch
from ablate.plan.sources import check_study_name, offer_studies
from ablate.plan.space_overrides import is_of_space, override_space
from ablate.plan.study import Study, parse_study
from ablate.task.errors import ConfigError
from ablate.task.packaged import packaged

Compose = Callable[[list[str]], DictConfig]
"""Overrides (no sweeps among them) to composed configuration."""


@dataclass(frozen=True)
class Source:
    """A study with what it departs from."""

    study: Study
    baseline: Mapping[str, Any]
    """Nested values of a run."""
    launch: Launch
    compose_group: Callable[[str, str], Mapping[str, Any]]


@contextmanager
def composer(with_hydra: bool = False) -> Iterator[Compose]:
    """Composition outside a Hydra application; ``with_hydra`` keeps Hydra's own node."""
    GlobalHydra.instance().clear()
    offer_studies()
    with initialize_config_dir(config_dir=str(packaged() / "conf"), version_base="1.3"):
        yield lambda overrides: compose("config", overrides=overrides, return_hydra_config=with_hydra)
    GlobalHydra.instance().clear()


def sources(arguments: Sequence[str], compose: Compose) -> list[Source]:
    """The studies that a command line asks for.

    ``sweeps=a,b`` names studies (each with the studies it includes); other sweeps (``optimizer.lr=0.1,0.2``) replace
    the levels of a study's factor of that name, or else become a further factor; ``seed=0,1,2`` replaces the seeds.
    Without a study, the sweeps make a grid of their own, the study ``multirun``.

    Args:
        arguments: Overrides in Hydra's grammar, without flags.
        compose: How to compose.

    Returns:
        One source a study, included ones before the union that includes them.

    Raises:
        ConfigError: For anything that Hydra, a study file or an override has wrong.
    """
    with hydra_errors():
        parsed = parse_overrides(arguments)
        names = [name for o in parsed if o.key_or_group == "sweeps" for name in _values(o)]
        rest = [o for o in parsed if o.key_or_group != "sweeps"]
        found: dict[str, Source] = {}
        wanted: list[str | None] = [str(name) for name in names if name is not None]
        for name in wanted or [None]:
            for source in _study(name, rest, compose, including=()):
                found[source.study.name] = source
    return list(found.values())


def parse_overrides(arguments: Sequence[str]) -> list[Override]:
    """Hydra's grammar, with the override named in the error.

    Raises:
        ConfigError: Lists every override that cannot be parsed.
    """
    parser, parsed, problems = OverridesParser.create(), [], []
    for argument in arguments:
        try:
            parsed.append(parser.parse_override(argument))
        except HydraException as error:
            problems.append(f"{argument}: is no override such as optimizer.lr=0.5: {str(error).splitlines()[0]}")
    if problems:
        raise ConfigError(problems)
    return parsed


def _study(
    name: str | None, overrides: list[Override], compose: Compose, including: tuple[str, ...]
) -> Iterator[Source]:
    if name is not None:
        check_study_name(name)
        if name in including:
            raise ConfigError(f"study {name}: includes itself by way of {' > '.join(including)}")
    others = [o for o in overrides if not is_of_space(o)]
    plain = [str(o.input_line) for o in others if not o.is_sweep_override()]
    base = [f"sweeps={name}"] if name is not None else []
    values = to_plain(compose([*base, *plain]))
    launch = parse_launch({key: values.pop(key) for key in Launch.model_fields if key in values})
    node = values.pop("study", None)
    if name is not None and not isinstance(node, Mapping):
        raise ConfigError(f"study {name}: the file has no study: node")
    node = override_space(node, [o for o in overrides if is_of_space(o)])
    study = parse_study(name or "multirun", _with_sweeps(node, others))
    refuse_code(values)

    @cache
    def compose_group(group: str, option: str) -> Mapping[str, Any]:
        with hydra_errors():
            chosen = to_plain(compose([*base, *plain, f"{group}={option}"]))[group]
        return dict(chosen)

    for included in study.includes:
        yield from _study(included, overrides, compose, (*including, name or ""))
    yield Source(study, values, launch, compose_group)


def _with_sweeps(node: Mapping[str, Any] | None, overrides: list[Override]) -> dict[str, Any]:
    """The study node with the command line's sweeps and seed in it."""
    own = node is None
    study: dict[str, Any] = {"design": "grid", "seeds": [0], "metrics": None} if node is None else dict(node)
    factors = dict(study.get("factors") or {})
    for override in overrides:
        path = override.key_or_group
        if path == "seed" and (own or override.is_sweep_override() or study.get("factors")):
            study["seeds"] = _values(override)
        elif override.is_sweep_override() and not (study.get("includes") and not study.get("factors")):
            factors[path] = _values(override)
    if own and not factors:
        # One setting is a grid of one level: plain multirun over seeds alone.
        factors = {"baseline": {"baseline": {}}}
    replaced = [path for path in factors if factors[path] is not (study.get("factors") or {}).get(path)]
    return study | {"factors": factors, "replaced": replaced}


def _values(override: Override) -> list[Any]:
    """The values of a choice, range or glob sweep, or the one value of a plain override."""
    if not override.is_sweep_override():
        return [_native(override.value())]
    if override.sweep_string_iterator is None:
        return []
    return [
        _native(OverridesParser.create().parse_override(f"x={text}").value())
        for text in override.sweep_string_iterator()
    ]


def _native(value: Any) -> Any:
    if isinstance(value, list):
        return [_native(v) for v in value]
    return value.text if hasattr(value, "text") else value


def to_plain(config: DictConfig) -> dict[str, Any]:
    """Plain nested data of a composed configuration, interpolations resolved."""
    plain = OmegaConf.to_container(config, resolve=True)
    if not isinstance(plain, dict):
        raise ConfigError("the composed configuration is no mapping")
    values: dict[str, Any] = {str(k): v for k, v in plain.items() if k not in ("sweeps", "hydra")}
    for group in GROUPS:
        if isinstance(values.get(group), dict):
            values[group] = dict(values[group])
    return values


CODE_KEYS = ("_target_", "()", "class")


def refuse_code(values: Any, place: str = "") -> None:
    """Refuse configuration that names code to run: a study file is data.

    Raises:
        ConfigError: Names the key.
    """
    if isinstance(values, Mapping):
        for key, value in values.items():
            here = f"{place}.{key}" if place else str(key)
            if key in CODE_KEYS:
                raise ConfigError(f"{here} = {value!r}: configuration is data and cannot name code")
            refuse_code(value, here)
    elif isinstance(values, list | tuple):
        for index, value in enumerate(values):
            refuse_code(value, f"{place}.{index}")


@contextmanager
def hydra_errors() -> Iterator[None]:
    """Hydra's and OmegaConf's errors as one line for the user."""
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        keep = [line for line in lines if not line.startswith(("full_key:", "object_type=", "reference_type="))]
        raise ConfigError(" ".join(keep[:8])) from None
