"""Proposals of a search that tries settings at short lengths first. Pure: from the trials so far to the next one.

A short run that goes to its own end (with its schedule in full) says more of a long one than the beginning of that long
one does. So one factor of the space, such as the epochs, may be its *fidelity*: settings begin at its lowest rung, and
about one in ``reduction`` goes on to each next one (as in asynchronous successive halving, Li et al. 2020). Which one
that is, and which setting is tried next, is told by one Gaussian process over settings *and* lengths (as in MOBSTER,
Klein et al. 2020): by what it expects them to improve at full length. That what helps a short run may hurt a long one
(and the other way round, such as moved images) is thereby learnt, not assumed away.

The last third of the budget is spent at full length only, on settings known or new.

The process sees values by rank, as normal quantiles, so that neither the metric's unit nor a diverged run matters.
"""

import hashlib
import json
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ablate.search.budget import RUNS
from ablate.search.settings import Search
from ablate.search.space import Factor, Params, Space, exact
from ablate.task.errors import ConfigError

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial
    from sklearn.gaussian_process import GaussianProcessRegressor

Floats = NDArray[np.float64]

AT_RANDOM = 12
"""Settings that are proposed before anything is learnt."""
EXPLORED = 2 / 3
"""Share of the budget after which everything is trained at full length."""
NEW, PARENTS, CHILDREN = 1000, 6, 100
"""Candidates at random; the best settings so far, and how many variations of each are candidates, too."""
STEP = 0.15
"""Standard deviation of a small change, as a share of a factor's range."""
NO_VALUE = -math.inf


@dataclass(frozen=True)
class Ladder:
    """The factor that is a space's fidelity, and the lengths at which settings are trained."""

    factor: Factor
    rungs: tuple[int, ...]
    """Shortest first; the last is the full length."""

    @property
    def full(self) -> int:
        """The full length."""
        return self.rungs[-1]

    def settings(self, runs: float, reduction: float) -> int:
        """About how many settings a budget tries.

        Args:
            runs: The budget, in runs at full length.
            reduction: One in so many goes on from each rung.
        """
        cost = sum(rung / self.full * reduction**-place for place, rung in enumerate(self.rungs))
        return math.floor(EXPLORED * runs / cost + (1 - EXPLORED) * runs)


def ladder_of(search: Search, space: Space) -> Ladder | None:
    """The rungs of a search: the highest value of its fidelity, and by ``reduction`` less, down to the lowest.

    Raises:
        ConfigError: The fidelity is no factor of the space, or none that has an order and is always there.
    """
    if search.fidelity is None:
        return None
    from optuna.distributions import IntDistribution

    place = f"study.search.fidelity = {search.fidelity}"
    factors = [factor for factor in space.factors if factor.path == search.fidelity]
    if not factors:
        known = ", ".join(sorted({factor.path for factor in space.factors}))
        raise ConfigError(f"{place}: is no factor of the space; there are {known}")
    factor = factors[0]
    if not isinstance(factor.distribution, IntDistribution) or factor.when or factor.distribution.low < 1:
        raise ConfigError(
            f"{place}: must be a range of whole numbers from 1 up, without a condition, such as {{low: 2, high: 50}}"
        )
    low, high, step = factor.distribution.low, factor.distribution.high, factor.distribution.step
    rungs, length = [high], high / search.racing.reduction
    while length >= low - 0.5:
        rung = low + round((length - low) / step) * step
        if not low <= rung < rungs[-1]:
            break
        rungs.append(rung)
        length /= search.racing.reduction
    return Ladder(factor, tuple(reversed(rungs)))


@dataclass(frozen=True)
class _Tried:
    """A setting at a length."""

    params: Params
    """Without the fidelity."""
    length: int
    value: float | None
    """Higher is better; :data:`NO_VALUE`: it ended without; None: it is being trained."""

    @property
    def key(self) -> str:
        return _key(self.params)


@dataclass
class Proposer:
    """Proposes one setting after the other.

    Args:
        space: The factors.
        ladder: Its fidelity.
        search: Seed, direction, reduction.
    """

    space: Space
    ladder: Ladder
    search: Search
    _learnt: tuple[list[_Tried], Any] | None = field(default=None, repr=False)

    @property
    def shortest(self) -> Params:
        """The parameter that puts a setting on the lowest rung."""
        return {self.ladder.factor.name: self.ladder.rungs[0]}

    def is_whole(self, params: Params) -> bool:
        """Whether a setting is trained at full length."""
        return bool(params[self.ladder.factor.name] == self.ladder.full)

    def propose(
        self,
        trials: "Sequence[FrozenTrial]",
        share: float,
        shape: Params,
        evidence: Sequence[tuple[Params, float]] = (),
    ) -> Params:
        """The next setting.

        Args:
            trials: All so far, those that are being trained among them.
            share: The share of the budget that is spent or put aside, from 0 to 1.
            shape: Parameters that a setting which is new must have.
            evidence: Settings with their values that are known from elsewhere; they may be tried as new ones.

        Returns:
            A value for every factor whose condition holds, the fidelity among them.
        """
        rng = np.random.default_rng(_state(self.search.seed, len(trials)))
        tried = [found for trial in trials if (found := self._tried(trial)) is not None]
        known = [t for t in tried if t.value is not None]
        elsewhere = [self._seen(params, value) for params, value in evidence]
        if len(known) + len(elsewhere) < AT_RANDOM:
            return self._at(self._random(rng, shape), self.ladder.rungs[0])
        model = _Believer(self._fit([*elsewhere, *known]), [t for t in tried if t.value is None], self._encoded)
        had = {t.key: t.params for t in tried}
        others = {t.key: t.params for t in elsewhere if t.key not in had}
        reached = {key: max(t.length for t in tried if t.key == key) for key in had}
        full = self.ladder.full
        if share >= EXPLORED:
            lost = {t.key for t in known if t.value == NO_VALUE}
            open_ones = [params for key, params in had.items() if reached[key] < full and key not in lost]
            choices = [*open_ones, *self._candidates(rng, model, had, others, {})]
            return self._at(self._best(model, had, choices), full)
        for lower, upper in reversed(list(zip(self.ladder.rungs, self.ladder.rungs[1:], strict=False))):
            ended = {t.key: t.value for t in known if t.length == lower}
            going_on = {t.key for t in tried if t.length >= upper}
            ready = [had[key] for key, value in ended.items() if reached[key] == lower and value != NO_VALUE]
            if ready and (len(going_on) + 1) * self.search.racing.reduction <= len(ended.keys() | going_on):
                return self._at(self._best(model, had, ready), upper)
        new = self._candidates(rng, model, had, others, shape)
        return self._at(self._best(model, had or others, new), self.ladder.rungs[0])

    def _tried(self, trial: "FrozenTrial") -> _Tried | None:
        """None: it was no valid setting, or waits to be asked for."""
        name = self.ladder.factor.name
        if trial.state.name == "WAITING" or name not in trial.params:
            return None
        is_running = trial.state.name == "RUNNING"
        if not is_running and not trial.user_attrs.get(RUNS):
            return None
        if trial.state.name == "COMPLETE":
            return self._seen(trial.params, trial.values[0])
        return replace(self._seen(trial.params, 0.0), value=None if is_running else NO_VALUE)

    def _seen(self, params: Params, value: float) -> _Tried:
        name = self.ladder.factor.name
        setting = {n: v for n, v in params.items() if n != name}
        return _Tried(setting, int(params[name]), value if self.search.higher_is_better else -value)

    def _at(self, params: Params, length: int) -> Params:
        name = self.ladder.factor.name
        return {
            f.name: length if f.name == name else params[f.name]
            for f in self.space.factors
            if f.name == name or f.name in params
        }

    # Candidates

    def _candidates(
        self,
        rng: np.random.Generator,
        model: "_Believer",
        had: Mapping[str, Params],
        others: Mapping[str, Params],
        shape: Params,
    ) -> list[Params]:
        """Settings that were not tried: known from elsewhere, random ones, and variations of the best."""
        seen = [*had.values(), *others.values()]
        means, _ = model.at(self._encoded(seen, self.ladder.full))
        parents = [seen[i] for i in np.argsort(-means)[:PARENTS]]
        found = [params for params in others.values() if shape.items() <= params.items()]
        found += [self._random(rng, shape) for _ in range(NEW)]
        found += [self._random(rng, shape, parent) for parent in parents for _ in range(CHILDREN)]
        return [params for params in found if _key(params) not in had]

    def _random(self, rng: np.random.Generator, shape: Params, parent: Params | None = None) -> Params:
        """A random setting, or one that differs from another in about two factors."""
        params: Params = {}
        for factor in self.space.factors:
            if factor.name == self.ladder.factor.name or not self.space.holds(factor, params):
                continue
            old = None if parent is None else parent.get(factor.name)
            if factor.name in shape:
                params[factor.name] = shape[factor.name]
            elif old is None or rng.random() < 2 / len(self.space.factors):
                near = None if old is None or rng.random() < 0.5 else old
                params[factor.name] = _drawn(factor, rng, near)
            else:
                params[factor.name] = old
        return params

    def _best(self, model: "_Believer", had: Mapping[str, Params], choices: Sequence[Params]) -> Params:
        """The one with the largest expected improvement at full length on the best mean of those tried."""
        best = float(np.max(model.at(self._encoded(had.values(), self.ladder.full))[0]))
        means, deviations = model.at(self._encoded(choices, self.ladder.full))
        return choices[int(np.argmax(_expected_improvement(means, deviations, best)))]

    # The model

    def _fit(self, known: list[_Tried]) -> "GaussianProcessRegressor":
        """The process, fitted anew only where something was learnt."""
        if self._learnt is None or self._learnt[0] != known:
            inputs = np.vstack([self._encoded([t.params], t.length) for t in known])
            self._learnt = (known, _fitted(inputs, _normal_scores([t.value for t in known if t.value is not None])))
        return self._learnt[1]

    def _encoded(self, settings: Iterable[Params], length: int) -> Floats:
        """A row a setting: ranges from 0 to 1 (0.5: not there), an indicator a choice, and the length."""
        low = self.ladder.rungs[0]
        span = math.log(self.ladder.full / low) or 1.0
        at = math.log(length / low) / span
        return np.array([[*self._row(params), at] for params in settings])

    def _row(self, params: Params) -> list[float]:
        row: list[float] = []
        for factor in self._factors:
            choices = getattr(factor.distribution, "choices", None)
            value = params.get(factor.name)
            if choices is None:
                row.append(0.5 if value is None else _to_unit(factor, value))
            else:
                row += [math.sqrt(0.5) * (factor.name in params and choice == value) for choice in choices]
        return row

    @cached_property
    def _factors(self) -> list[Factor]:
        return [factor for factor in self.space.factors if factor.name != self.ladder.factor.name]


class _Believer:
    """A process that takes its own forecast for the value of what is being trained (kriging believer)."""

    def __init__(self, process: "GaussianProcessRegressor", pending: Sequence[_Tried], encoded: Any) -> None:
        self._process = process
        self._noise = float(process.kernel_.k2.noise_level)
        if pending:
            from sklearn.base import clone

            rows = np.vstack([encoded([t.params], t.length) for t in pending])
            inputs = np.vstack([process.X_train_, rows])
            values = np.concatenate([process.y_train_, process.predict(rows)])
            self._process = clone(process).set_params(kernel=process.kernel_, optimizer=None).fit(inputs, values)

    def at(self, inputs: Floats) -> tuple[Floats, Floats]:
        """Means and standard deviations, those of the noise left out."""
        means, deviations = self._process.predict(inputs, return_std=True)
        return means, np.sqrt(np.maximum(deviations**2 - self._noise, 1e-12))


def _fitted(inputs: Floats, values: Floats) -> "GaussianProcessRegressor":
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    scales = np.ones(inputs.shape[1])
    kernel = ConstantKernel(1.0, (0.1, 10.0)) * Matern(scales, (0.1, 30.0), nu=2.5) + WhiteKernel(0.1, (1e-3, 1.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GaussianProcessRegressor(kernel, random_state=0).fit(inputs, values)


def _normal_scores(values: Sequence[float]) -> Floats:
    """Normal quantiles of the ranks; ties have their mean rank."""
    from scipy.stats import norm, rankdata

    ranks = rankdata(values)
    return np.asarray(norm.ppf((ranks - 0.5) / len(ranks)), dtype=np.float64)


def _expected_improvement(means: Floats, deviations: Floats, best: float) -> Floats:
    from scipy.stats import norm

    z = (means - best) / deviations
    return np.asarray(deviations * (z * norm.cdf(z) + norm.pdf(z)), dtype=np.float64)


def _range_of(factor: Factor) -> tuple[float, float, bool, float | None]:
    """Both ends of a range, whether it is logarithmic, and its step."""
    from optuna.distributions import FloatDistribution, IntDistribution

    found = factor.distribution
    assert isinstance(found, FloatDistribution | IntDistribution)
    return found.low, found.high, found.log, found.step


def _to_unit(factor: Factor, value: float) -> float:
    low, high, log, _ = _range_of(factor)
    if low == high:
        return 0.5
    if log:
        return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
    return (value - low) / (high - low)


def _drawn(factor: Factor, rng: np.random.Generator, near: Any = None) -> Any:
    """A value of a factor: any, or of a range one that is near another."""
    choices = getattr(factor.distribution, "choices", None)
    if choices is not None:
        return choices[int(rng.integers(len(choices)))]
    at = rng.random() if near is None else float(np.clip(_to_unit(factor, near) + STEP * rng.normal(), 0.0, 1.0))
    low, high, log, step = _range_of(factor)
    value = math.exp(math.log(low) + at * (math.log(high) - math.log(low))) if log else low + at * (high - low)
    if step is not None and not log:
        value = low + round((value - low) / step) * step
    value = min(max(value, low), high)
    return round(value) if isinstance(low, int) else exact(factor.distribution, value)


def _state(seed: int, number: int) -> int:
    return int.from_bytes(hashlib.sha256(f"fidelity/{seed}/{number}".encode()).digest()[:8])


def _key(params: Params) -> str:
    return json.dumps(params, sort_keys=True)
