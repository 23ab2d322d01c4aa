"""The search space: factors with ranges or choices, some of them only where others have certain values."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ablate.images.run import RunConfig
from ablate.images.task import GROUPS
from ablate.task.errors import ConfigError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

Params = dict[str, Any]
"""Optuna's parameter names to values; a factor whose condition does not hold has none."""

Build = Callable[[Sequence[tuple[str, Any]]], RunConfig]
"""Changes to the baseline to a run with seed 0; raises ConfigError."""

MOST_GRID = 10_000
"""Settings of a grid."""

NO_SHAPE = ("optimizer.", "schedule", "train.epochs", "train.label_smoothing", "train.init", "model.dropout")
"""Paths that do not shape a training step: settings that differ in these only make one cohort
(``RunConfig.cohort_key``)."""


@dataclass(frozen=True)
class Factor:
    """One factor under one condition: a parameter of Optuna's."""

    name: str
    """Its path, with the condition where the path has several."""
    path: str
    when: Mapping[str, tuple[Any, ...]]
    """Other factors' paths to the values at which this one is varied."""
    distribution: "BaseDistribution"
    composite: Mapping[str, tuple[tuple[str, Any], ...]] | None = None
    """For choices that are no plain values: label to the changes that it stands for."""

    def changes(self, value: Any) -> tuple[tuple[str, Any], ...]:
        """What a value changes in the baseline."""
        return self.composite[value] if self.composite is not None else ((self.path, value),)

    @property
    def shapes(self) -> bool:
        """Whether settings that differ in this factor cannot be trained as one cohort."""
        changed = (
            [path for value in self.composite for path, _ in self.changes(value)] if self.composite else [self.path]
        )
        free = all(path.startswith(NO_SHAPE) and path != "optimizer.nesterov" for path in changed)
        return not free

    @cached_property
    def levels(self) -> tuple[Any, ...]:
        """Every value, in order.

        Raises:
            ConfigError: It is a continuous range.
        """
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        match self.distribution:
            case CategoricalDistribution():
                return tuple(self.distribution.choices)
            case IntDistribution() if not self.distribution.log:
                return tuple(range(self.distribution.low, self.distribution.high + 1, self.distribution.step))
            case FloatDistribution(step=float(step), low=low, high=high):
                return tuple(low + i * step for i in range(round((high - low) / step) + 1))
        raise ConfigError(f"study.search.space.{self.path}: a grid needs choices or a step")

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values that decide whether it is valid: all choices, or both ends of a range."""
        choices = getattr(self.distribution, "choices", None)
        return tuple(choices) if choices is not None else (self.distribution.low, self.distribution.high)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Space:
    """Factors in an order in which each comes after those that its condition names."""

    factors: tuple[Factor, ...]

    def suggest(self, trial: "Trial") -> Params:
        """Let Optuna propose a value for every factor whose condition holds."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        params: Params = {}
        for factor in self.factors:
            if not self.holds(factor, params):
                continue
            match factor.distribution:
                case CategoricalDistribution(choices=choices):
                    params[factor.name] = trial.suggest_categorical(factor.name, choices)
                case IntDistribution(low=low, high=high, step=step, log=log):
                    params[factor.name] = trial.suggest_int(factor.name, low, high, step=step, log=log)
                case FloatDistribution(low=low, high=high, step=step, log=log):
                    params[factor.name] = trial.suggest_float(factor.name, low, high, step=step, log=log)
        return params

    def holds(self, factor: Factor, params: Params) -> bool:
        """Whether a factor's condition holds."""
        values = {self._by_name[name].path: value for name, value in params.items()}
        return all(path in values and values[path] in allowed for path, allowed in factor.when.items())

    def changes(self, params: Params) -> list[tuple[str, Any]]:
        """The changes to the baseline that parameters stand for."""
        return [change for name, value in params.items() for change in self._by_name[name].changes(value)]

    def shape(self, params: Params) -> Params:
        """The part of the parameters that decides which cohort a setting can be trained in."""
        return {name: value for name, value in params.items() if self._by_name[name].shapes}

    def grid(self) -> list[Params]:
        """Every setting of the space, conditions applied, the last factor varying fastest.

        Raises:
            ConfigError: A range is continuous, or there are too many settings.
        """
        problems, size = [], 1
        for factor in self.factors:
            try:
                size *= len(factor.levels)
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(problems)
        if size > 100 * MOST_GRID:
            raise ConfigError(f"study.search.space: a grid of up to {size} settings; at most {MOST_GRID}")
        found: dict[tuple[tuple[str, Any], ...], Params] = {}
        for values in itertools.product(*(factor.levels for factor in self.factors)):
            params: Params = {}
            for factor, value in zip(self.factors, values, strict=True):
                if self.holds(factor, params):
                    params[factor.name] = value
            found.setdefault(tuple(params.items()), params)
        if len(found) > MOST_GRID:
            raise ConfigError(f"study.search.space: a grid of {len(found)} settings; at most {MOST_GRID}")
        return list(found.values())

    def nearest(self, config: RunConfig) -> Params:
        """The parameters of the setting in the space that is most like a given one.

        Returns:
            Without those whose value lies outside the space: they are left to the sampler.
        """
        params: Params = {}
        for factor in self.factors:
            if self.holds(factor, params):
                params.update((factor.name, value) for value in self._matching(factor, config))
        return params

    @cached_property
    def _by_name(self) -> dict[str, Factor]:
        return {factor.name: factor for factor in self.factors}

    def _matching(self, factor: Factor, config: RunConfig) -> list[Any]:
        """The value of a factor that a configuration has, if any; of named choices, the one that says most."""
        choices = getattr(factor.distribution, "choices", None)
        if choices is None:
            value = _lookup(config, factor.path)
            return [value] if isinstance(value, int | float) and factor.distribution._contains(value) else []
        fitting = [c for c in choices if all(_lookup(config, path) == value for path, value in factor.changes(c))]
        return [max(fitting, key=lambda choice: len(factor.changes(choice)))] if fitting else []


def _lookup(config: RunConfig, path: str) -> Any:
    """A field's value; of a configuration group its option's name; None where there is no such field."""
    node: Any = config
    for part in path.split("."):
        node = getattr(node, part, None)
    return getattr(node, "name", node) if path in GROUPS else node
