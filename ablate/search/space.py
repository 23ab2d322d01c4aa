"""The search space: factors with ranges or choices, some of them only where others have certain values."""

import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ablate.plan.design import is_same
from ablate.task.errors import ConfigError
from ablate.task.identity import lookup
from ablate.task.run import Run

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

Params = dict[str, Any]
"""Optuna's parameter names to values; a factor whose condition does not hold has none."""

Build = Callable[[Sequence[tuple[str, Any]]], Run]
"""Changes to the baseline to a run with seed 0; raises ConfigError."""

MOST_GRID = 10_000
"""Settings of a grid."""
MOST_COMBINATIONS = 10 * MOST_GRID
"""Most combinations of all values, of which conditions leave fewer settings."""


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
    """The changes that each label stands for, where choices are no plain values."""
    shapes: bool = False
    """Whether settings that differ in this factor cannot be trained as one cohort."""

    def changes(self, value: Any) -> tuple[tuple[str, Any], ...]:
        """What a value changes in the baseline."""
        if self.composite is not None:
            return self.composite[value]
        return ((self.path, exact(self.distribution, value)),)

    @property
    def count(self) -> int:
        """How many values there are.

        Raises:
            ConfigError: It is a continuous range.
        """
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        match self.distribution:
            case CategoricalDistribution(choices=choices):
                return len(choices)
            case IntDistribution(log=False, low=low, high=high, step=step):
                return (high - low) // step + 1
            case FloatDistribution(step=float(step), low=low, high=high):
                return round((high - low) / step) + 1
        raise ConfigError(f"study.search.space.{self.path}: a grid needs choices or a step")

    @cached_property
    def levels(self) -> tuple[Any, ...]:
        """Every value, in order.

        Raises:
            ConfigError: It is a continuous range.
        """
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if isinstance(self.distribution, CategoricalDistribution):
            return tuple(self.distribution.choices)
        count = self.count
        assert isinstance(self.distribution, FloatDistribution | IntDistribution)
        low, step = self.distribution.low, self.distribution.step or 0
        return tuple(exact(self.distribution, low + i * step) for i in range(count))

    @property
    def has_choices(self) -> bool:
        """Whether its values are choices, and no range."""
        from optuna.distributions import CategoricalDistribution

        return isinstance(self.distribution, CategoricalDistribution)

    def place(self, value: Any) -> float:
        """Where a value lies in its range, from 0 to 1 (by logarithms if the range is); or the number of a choice."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if not isinstance(self.distribution, FloatDistribution | IntDistribution):
            return float(self.distribution.to_internal_repr(value))
        low, high = self.distribution.low, self.distribution.high
        if self.distribution.log:
            return math.log(value / low) / math.log(high / low)
        return float(value - low) / (high - low)

    def value_at(self, place: float) -> Any:
        """The value at a place of :meth:`place`, or the nearest that there is."""
        from optuna.distributions import FloatDistribution, IntDistribution

        found = self.distribution
        if not isinstance(found, FloatDistribution | IntDistribution):
            return found.to_external_repr(place)
        low, high = found.low, found.high
        value = low * (high / low) ** place if found.log else low + place * (high - low)
        if found.step is not None and not found.log:
            value = low + round((value - low) / found.step) * found.step
        value = min(max(value, low), high)
        return round(value) if isinstance(found, IntDistribution) else exact(found, value)

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values that decide whether it is valid: all choices, or both ends of a range."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if isinstance(self.distribution, CategoricalDistribution):
            return tuple(self.distribution.choices)
        assert isinstance(self.distribution, FloatDistribution | IntDistribution)
        return self.distribution.low, self.distribution.high


def key_of(params: Params, fidelity: str | None = None) -> str:
    """A text that is the same for equal settings alone.

    Args:
        params: The setting.
        fidelity: The parameter that is the length at which a setting is tried, and no part of it; None: there is none.
    """
    return json.dumps({name: value for name, value in params.items() if name != fidelity}, sort_keys=True)


def exact(distribution: "BaseDistribution", value: Any) -> Any:
    """A value in decimals where a range goes in steps: 0.3 and never 0.30000000000000004, which is another setting."""
    from optuna.distributions import FloatDistribution

    if not isinstance(distribution, FloatDistribution) or distribution.step is None or not isinstance(value, float):
        return value
    low, by = Decimal(str(distribution.low)), Decimal(str(distribution.step))
    return float(low + round((Decimal(value) - low) / by) * by)


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
                    value = trial.suggest_float(factor.name, low, high, step=step, log=log)
                    params[factor.name] = exact(factor.distribution, value)
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
                size *= factor.count
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(problems)
        if size > MOST_COMBINATIONS:
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

    def exact(self, params: Params) -> Params:
        """Parameters, as Optuna keeps them, with every value as it is trained."""
        return {name: exact(self._by_name[name].distribution, value) for name, value in params.items()}

    def nearest(self, run: Run, chosen: Mapping[str, Any]) -> Params:
        """The parameters of the setting in the space that is most like a given one.

        Args:
            run: The given one.
            chosen: The option that each configuration group has.

        Returns:
            Without those whose value lies outside the space: they are left to the sampler.
        """
        params: Params = {}
        for factor in self.factors:
            if self.holds(factor, params):
                params.update((factor.name, value) for value in _matching(factor, run, chosen))
        return params

    @cached_property
    def _by_name(self) -> dict[str, Factor]:
        return {factor.name: factor for factor in self.factors}


def _matching(factor: Factor, run: Run, chosen: Mapping[str, Any]) -> list[Any]:
    """The value of a factor that a run has, if any; of named choices, the one that says most."""

    def has(path: str) -> Any:
        if path in chosen:
            return chosen[path]
        try:
            return lookup(run.config, path)
        except KeyError:
            return None

    choices = getattr(factor.distribution, "choices", None)
    if choices is None:
        value = has(factor.path)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return [value] if is_number and factor.distribution._contains(value) else []
    fitting = [c for c in choices if all(is_same(_plain(has(p)), _plain(v)) for p, v in factor.changes(c))]
    return [max(fitting, key=lambda choice: len(factor.changes(choice)))] if fitting else []


def _plain(value: Any) -> Any:
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else value
