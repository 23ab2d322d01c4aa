"""Reading ``study.search.space`` from a study file.

Each entry maps a dotted path (or configuration group) to one of

- ``[sgd, adam]`` or ``{choices: [...]}``: kinds; also named choices that set several fields, ``{choices: {name:
  {path: value}}}``
- ``{low: 0.01, high: 1, log: true}`` or ``{low: 8, high: 64, step: 8}``: a range, both ends included, of integers
  where both ends are integers
- either with ``when: {optimizer: sgd}``: only where that other factor has this value, or one of these
- a list of such mappings with ``when``: the same field with different ranges under different conditions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ablate.plan.design import label_of
from ablate.plan.levels import named_as
from ablate.search.space import Factor, Space
from ablate.task.errors import ConfigError
from ablate.task.searching import Searching

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

MAX_FACTORS = 50
"""Most factors of a space; one with several ranges counts as several."""
MAX_CHOICES = 200
"""Most choices of all factors of a space together; each is tried out before anything is trained."""
MAX_INTEGER = 2**53
MAX_FLOAT = 1e300
"""The largest end of a range, in either direction; samplers compute with differences of them."""


def parse_space(values: Mapping[str, Any], searching: Searching) -> Space:
    """The typed form of ``study.search.space``.

    Args:
        values: Plain data.
        searching: How the task is searched.

    Raises:
        ConfigError: Lists every problem.
    """
    factors, problems = [], []
    for path, spec in values.items():
        several = isinstance(spec, list) and bool(spec) and all(isinstance(entry, Mapping) for entry in spec)
        alternatives = spec if several else [spec]
        for alternative in alternatives:
            try:
                factors.append(_factor(str(path), alternative, searching, several=len(alternatives) > 1))
            except ConfigError as error:
                problems += error.problems
    if problems:
        raise ConfigError(problems)
    choices = sum(len(getattr(factor.distribution, "choices", ())) for factor in factors)
    if len(factors) > MAX_FACTORS or choices > MAX_CHOICES:
        raise ConfigError(
            f"study.search.space: has {len(factors):,} factors with {choices:,} choices; at most {MAX_FACTORS} with "
            f"{MAX_CHOICES}"
        )
    return Space(_ordered([_with_names(factor, factors) for factor in factors]))


def _factor(path: str, spec: Any, searching: Searching, *, several: bool) -> Factor:
    place = f"study.search.space.{path}"
    if (reason := searching.refused(path)) is not None:
        raise ConfigError(f"{place}: {reason}")
    if isinstance(spec, list):
        spec = {"choices": spec}
    if not isinstance(spec, Mapping):
        raise ConfigError(
            f"{place} = {spec!r}: must be a list of choices, {{choices: [...]}} or {{low: ..., high: ...}}"
        )
    spec = dict(spec)
    when = spec.pop("when", None) or {}
    if not isinstance(when, Mapping):
        raise ConfigError(f"{place}.when = {when!r}: must map other factors to values, such as {{optimizer: sgd}}")
    conditions = {str(k): tuple(v) if isinstance(v, list) else (v,) for k, v in when.items()}
    if several and not conditions:
        raise ConfigError(f"{place}: with several ranges, each needs a condition (when)")
    condition = ", ".join(f"{k}={'|'.join(map(label_of, v))}" for k, v in conditions.items())
    name = f"{path} ({condition})" if several else path
    unknown = spec.keys() - {"choices", "low", "high", "log", "step"}
    if unknown or ("choices" in spec) == ("low" in spec or "high" in spec):
        extra = f"; {', '.join(sorted(unknown))} is unknown" if unknown else ""
        raise ConfigError(f"{place}: needs either choices, or low and high (and log or step){extra}")
    factor = (
        _choices(name, path, conditions, spec, place)
        if "choices" in spec
        else Factor(name, path, conditions, _range(spec, place))
    )
    composite = factor.composite or {}
    changed = [other for changes in composite.values() for other, _ in changes] if composite else [path]
    refused = [f"{place}: {other}: {why}" for other in changed if (why := searching.refused(other)) is not None]
    if refused:
        raise ConfigError(refused)
    return replace(factor, shapes=any(map(searching.shapes, changed)))


def _with_names(factor: Factor, factors: Sequence[Factor]) -> Factor:
    """A factor whose conditions call named choices by their names, whatever the file's words look like."""
    names = {other.path: tuple(other.composite) for other in factors if other.composite is not None}
    when = {
        path: tuple(named_as(value, names[path]) for value in allowed) if path in names else allowed
        for path, allowed in factor.when.items()
    }
    return replace(factor, when=when)


def _choices(name: str, path: str, when: Mapping[str, tuple[Any, ...]], spec: Mapping[str, Any], place: str) -> Factor:
    from optuna.distributions import CategoricalDistribution

    choices = spec["choices"]
    if not isinstance(choices, list | Mapping) or not choices:
        raise ConfigError(f"{place}.choices = {choices!r}: must be a list of at least one value, or named choices")
    if isinstance(choices, Mapping):
        bad = [str(k) for k, v in choices.items() if not isinstance(v, Mapping)]
        if bad:
            raise ConfigError(f"{place}.choices.{', '.join(bad)}: a named choice maps paths to values")
        composite = {str(k): tuple((str(p), _native(v)) for p, v in c.items()) for k, c in choices.items()}
        return Factor(name, path, when, CategoricalDistribution(tuple(composite)), composite)
    if any(isinstance(value, Mapping) for value in choices):
        raise ConfigError(f"{place}.choices: one that sets several fields needs a name, {{NAME: {{path: value}}}}")
    if any(isinstance(value, list) for value in choices):
        composite = {label_of(value): ((path, _native(value)),) for value in choices}
        return Factor(name, path, when, CategoricalDistribution(tuple(composite)), composite)
    if len({(type(value), value) for value in choices}) < len(choices):
        raise ConfigError(f"{place}.choices = {choices}: a choice is listed twice")
    return Factor(name, path, when, CategoricalDistribution(tuple(choices)))


def _range(spec: Mapping[str, Any], place: str) -> "BaseDistribution":
    from optuna.distributions import FloatDistribution, IntDistribution

    low: Any = spec.get("low")
    high: Any = spec.get("high")
    step: Any = spec.get("step")
    log = spec.get("log")
    bad = [key for key, v in (("low", low), ("high", high)) if not _is_usable(v)]
    if bad:
        allowed = f"whole numbers up to {MAX_INTEGER:,}, others up to {MAX_FLOAT:g}"
        raise ConfigError(f"{place}: {' and '.join(bad)} must be a number ({allowed})")
    if log not in (None, True, False):
        raise ConfigError(f"{place}.log = {log!r}: must be true or false")
    if low >= high:
        raise ConfigError(f"{place}: low = {low}, high = {high}: is an empty range; low must be below high")
    if log and low <= 0:
        raise ConfigError(f"{place}: low = {low}: a logarithmic range must start above 0")
    if step is not None and not (_is_usable(step) and 0 < step <= high - low):
        raise ConfigError(f"{place}.step = {step!r}: must be a number above 0 that fits into the range")
    if step is not None and log:
        raise ConfigError(f"{place}: has both log and step; one of them")
    if all(type(value) is int for value in (low, high) + (() if step is None else (step,))):
        if (high - low) % (step or 1):
            raise ConfigError(f"{place}.step = {step}: does not lead from {low} to {high}")
        return IntDistribution(low, high, log=bool(log), step=step or 1)
    if step is not None and abs((high - low) / step - round((high - low) / step)) > 1e-9:
        raise ConfigError(f"{place}.step = {step}: does not lead from {low} to {high}")
    return FloatDistribution(float(low), float(high), log=bool(log), step=None if step is None else float(step))


def _is_usable(value: Any) -> bool:
    """Whether a value is a number with which a sampler can compute."""
    return (type(value) is int and abs(value) <= MAX_INTEGER) or (type(value) is float and abs(value) <= MAX_FLOAT)


def _ordered(factors: Sequence[Factor]) -> tuple[Factor, ...]:
    """Each factor after those that its condition names; otherwise in the order of the file."""
    left, placed, problems = list(factors), list[Factor](), []
    paths = {factor.path for factor in factors}
    for factor in factors:
        for path, allowed in factor.when.items():
            others = [other for other in factors if other.path == path]
            known = [value for other in others for value in getattr(other.distribution, "choices", ())]
            place = f"study.search.space.{factor.path}.when.{path}"
            if path not in paths:
                problems.append(f"{place}: is no factor of the space; factors are {', '.join(sorted(paths))}")
            elif not known:
                problems.append(f"{place}: is a range; a condition needs a factor with choices")
            else:
                problems += [
                    f"{place} = {value!r}: is no choice of {path}; choices are {', '.join(map(str, known))}"
                    for value in allowed
                    if value not in known
                ]
    if problems:
        raise ConfigError(problems)
    while left:
        ready = [f for f in left if not set(f.when) & {other.path for other in left}]
        if not ready:
            raise ConfigError(f"study.search.space: conditions go in a circle: {', '.join(f.name for f in left)}")
        placed.append(ready[0])
        left.remove(ready[0])
    return tuple(placed)


def _native(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
