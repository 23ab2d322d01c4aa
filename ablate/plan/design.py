"""From a study and its baseline to settings: one-at-a-time, grid, leave-one-out."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablate.images.run import RunConfig, parse_run
from ablate.plan.application import ApplicationBaseline
from ablate.plan.baseline import Baseline
from ablate.plan.links import resolve_links
from ablate.plan.study import Study
from ablate.task.errors import ConfigError
from ablate.task.identity import lookup
from ablate.task.run import Run

GROUPS = ("model", "data", "optimizer", "schedule", "train")
"""Configuration groups: a factor of this name has the group's options as levels."""

Values = dict[str, Any]
ComposeGroup = Callable[[str, str], Mapping[str, Any]]
"""``(group, option)`` to that option's values, as Hydra composes them."""


@dataclass(frozen=True)
class Setting:
    """One level of one factor as a full configuration without a seed."""

    factor: str
    level: Any
    label: str
    order: int
    """Position of the level among its factor's."""
    is_baseline: bool
    config: Run
    """With seed 0."""

    def run(self, seed: int) -> Run:
        """This setting with a seed."""
        return self.config if seed == self.config.seed else self.config.with_seed(seed)


def expand(study: Study, baseline: Baseline | ApplicationBaseline) -> list[Setting]:
    """All settings of a study, level by level; the baseline is a level of every factor.

    Args:
        study: What varies.
        baseline: What every level departs from.

    Returns:
        Settings in the order of the factors and of their levels.

    Raises:
        ConfigError: Lists the problems of every level that is no valid configuration.
    """
    builder = _Builder(baseline)
    rows = list({"one-at-a-time": _one_at_a_time, "grid": _grid, "leave-one-out": _leave_one_out}[study.design](study))
    groups: dict[str, list[tuple[Any, str, Run]]] = {}
    for factor, level, label, changes in rows:
        config = builder.build(label if study.design == "grid" else f"{factor} = {label}", changes)
        if config is not None:
            is_field = factor not in study.level_names and factor not in baseline.groups
            if study.design == "one-at-a-time" and is_field:
                level = _typed(config, factor)
                label = label_of(level)
            groups.setdefault(factor, []).append((level, label, config))
    builder.raise_problems()
    settings = []
    for factor, levels in groups.items():
        if study.design != "grid" and not any(config.digest == baseline.run.digest for _, _, config in levels):
            value = baseline.chosen.get(factor) if factor in baseline.groups else _lookup(baseline.run.config, factor)
            levels = _with_baseline(levels, value, baseline.run)
        settings += [
            Setting(factor, level, label, order, config.digest == baseline.run.digest, config)
            for order, (level, label, config) in enumerate(levels)
        ]
    return settings


def configure(
    baseline: Mapping[str, Any], changes: Sequence[tuple[str, Any]], compose_group: ComposeGroup
) -> RunConfig:
    """The baseline with changes, with seed 0.

    Args:
        baseline: Nested values.
        changes: Dotted path, or configuration group, to value; options of groups are set first.
        compose_group: Gives the values of another option of a configuration group.

    Raises:
        ConfigError: Lists every problem.
    """
    values: Values = {**baseline, "seed": 0}
    for path, value in sorted(changes, key=lambda change: change[0] not in GROUPS):
        _change(values, path, value, compose_group)
    return parse_run(resolve_links(values))


Row = tuple[str, Any, str, list[tuple[str, Any]]]
"""factor, level, label, changes to the baseline."""


def _one_at_a_time(study: Study) -> Iterator[Row]:
    for factor in study.factors:
        for level, label, changes in _levels(study, factor):
            yield factor, level, label, changes


def _grid(study: Study) -> Iterator[Row]:
    name = " x ".join(study.factors)
    for combination in itertools.product(*(list(_levels(study, factor)) for factor in study.factors)):
        parts = [
            label if len(study.factors) == 1 else f"{study.label(f)} {label}"
            for f, (_, label, _) in zip(study.factors, combination, strict=True)
        ]
        levels = [level for level, _, _ in combination]
        yield (
            name,
            levels[0] if len(levels) == 1 else tuple(levels),
            ", ".join(parts),
            [change for _, _, changes in combination for change in changes],
        )


def _leave_one_out(study: Study) -> Iterator[Row]:
    off = []
    yield "without", "nothing", "nothing (baseline)", []
    for factor in study.factors:
        for _, label, changes in _levels(study, factor):
            off += changes
            name = label if factor in study.level_names else study.label(factor)
            yield "without", factor, name, changes
    if len(study.factors) > 1:
        yield "without", "all", "all of them", off


def _levels(study: Study, factor: str) -> Iterator[tuple[Any, str, list[tuple[str, Any]]]]:
    names = study.level_names.get(factor)
    for index, level in enumerate(study.factors[factor]):
        if names is not None:
            yield names[index], names[index], list(level.items())
        else:
            yield level, label_of(level), [(factor, level)]


def label_of(level: Any) -> str:
    """A level as it is printed."""
    if isinstance(level, bool) or level is None:
        return {True: "on", False: "off", None: "none"}[level]
    if isinstance(level, tuple | list):
        return "-".join(label_of(v) for v in level)
    return str(level)


def _with_baseline(levels: list[tuple[Any, str, Run]], value: Any, config: Run) -> list[tuple[Any, str, Run]]:
    """The baseline among its factor's levels: by size where they are numbers in order, else first."""
    entry = (value, "baseline" if value is None or isinstance(value, Mapping) else label_of(value), config)
    numbers = [level for level, _, _ in levels]
    if _is_number(value) and all(map(_is_number, numbers)) and numbers == sorted(numbers):
        return sorted([*levels, entry], key=lambda item: item[0])
    return [entry, *levels]


def _typed(config: Run, path: str) -> Any:
    """A field's validated value, so that the level 1 of a learning rate is 1.0 everywhere."""
    value = lookup(config.config, path)
    return tuple(value) if isinstance(value, list) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _lookup(values: Mapping[str, Any], path: str) -> Any:
    node: Any = values
    for part in path.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return None
        node = node[part]
    return tuple(node) if isinstance(node, list) else node


def _change(values: Values, path: str, value: Any, compose_group: ComposeGroup) -> None:
    if path in GROUPS:
        if not isinstance(value, str):
            raise ConfigError(f"{path} = {value!r}: the levels of a configuration group are names of its options")
        values[path] = dict(compose_group(path, value))
        return
    node = values
    *parents, last = path.split(".")
    if path == "seed" or not parents:
        raise ConfigError(f"{path}: is no factor; seeds belong to study.seeds, factors are paths such as optimizer.lr")
    for part in parents:
        child = node.get(part)
        if not isinstance(child, Mapping):
            raise ConfigError(f"{path}: there is no such field")
        node[part] = dict(child)
        node = node[part]
    node[last] = value


class _Builder:
    """Applies changes to the baseline and collects the problems of all of them."""

    def __init__(self, baseline: Baseline | ApplicationBaseline) -> None:
        self._baseline = baseline
        self._problems: list[str] = []
        self._built: dict[str, Run] = {baseline.run.digest: baseline.run}

    def build(self, place: str, changes: list[tuple[str, Any]]) -> Run | None:
        try:
            config = self._baseline.configure(changes)
        except ConfigError as error:
            self._problems += [f"{place}: {p}" for p in error.problems]
            return None
        return self._built.setdefault(config.digest, config)

    def raise_problems(self) -> None:
        if self._problems:
            raise ConfigError(list(dict.fromkeys(self._problems)))
