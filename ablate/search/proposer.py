"""Proposals of a search that has a fidelity. Pure: from the trials so far to the next one.

One Gaussian process over settings *and* lengths (:mod:`ablate.search.surrogate`; as in MOBSTER, Klein et al. 2020, but
with effects that add up) learns from runs of all lengths, so that what helps short runs and hurts long ones, or the
other way round, is learnt and not assumed away. What goes on and what is tried next is what it expects to improve most
on the best at full length (expected improvement, Jones et al. 1998).

The process sees values by rank, as normal quantiles, so that neither the metric's unit nor a diverged run matters.
"""

import hashlib
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ablate.search.budget import RUNS
from ablate.search.fidelity import EXPLORED, Ladder
from ablate.search.settings import Search
from ablate.search.space import Factor, Params, Space, key_of
from ablate.search.surrogate import Floats, Points, Process

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

AT_RANDOM = 16
"""Settings that are proposed before anything is learnt."""
DRAWS, NEW, PARENTS, CHILDREN = 200, 100, 6, 10
"""Candidates that are best by one draw of all effects each; at random; and variations of each of the best so far."""
CHANGED = 2
"""Factors in which a variation differs from its parents, in the mean."""
GRID = 11
"""Places along a range at which effects are drawn."""
STEP = 0.15
"""Standard deviation of a small change, as a share of a factor's range."""
MOST_DRAWN = 100
"""Random settings among which one is looked for that was not tried and is valid."""
MOST_CASES = 64
"""Combinations of those factors that others depend on, of which each is gone through where there are no more."""
UNIT = math.log(20)
"""What counts as one along the length: a factor, by its logarithm."""
NO_VALUE = -math.inf


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
        return key_of(self.params)


@dataclass(frozen=True)
class _Known:
    """What is known of settings when one is proposed."""

    tried: Sequence[_Tried]
    """By the search itself."""
    elsewhere: Sequence[_Tried]
    """Before it, at lengths that it has not tried them at."""

    @cached_property
    def ended(self) -> list[_Tried]:
        """What there are values of, or that there is none."""
        return [*self.elsewhere, *(t for t in self.tried if t.value is not None)]

    @cached_property
    def in_training(self) -> list[_Tried]:
        """What is being trained."""
        return [t for t in self.tried if t.value is None]

    @cached_property
    def had(self) -> dict[str, Params]:
        """Settings that the search has tried."""
        return {t.key: t.params for t in self.tried}

    @cached_property
    def others(self) -> dict[str, Params]:
        """Settings that are only known from before."""
        return {t.key: t.params for t in self.elsewhere if t.key not in self.had}

    @cached_property
    def reached(self) -> dict[str, int]:
        """The longest length of each setting that the search has tried."""
        return {key: max(t.length for t in self.tried if t.key == key) for key in self.had}

    @cached_property
    def lost(self) -> set[str]:
        """Settings that ended without a value, at whatever length."""
        return {t.key for t in self.tried if t.value == NO_VALUE}


@dataclass
class Proposer:
    """Proposes one setting after the other.

    Args:
        space: The factors.
        ladder: Its fidelity.
        search: Seed, direction, reduction.
        is_valid: Whether a setting, the fidelity among its parameters, can be trained.
    """

    space: Space
    ladder: Ladder
    search: Search
    is_valid: Callable[[Params], bool] = lambda params: True
    _learnt: tuple[list[_Tried], Process] | None = field(default=None, repr=False)

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
    ) -> Params | None:
        """The next setting.

        Args:
            trials: All so far, those that are being trained among them.
            share: The share of the budget that is spent or put aside, from 0 to 1.
            shape: Parameters that a setting which is new must have.
            evidence: Settings with their values that are known from elsewhere; they may be tried as new ones.

        Returns:
            A value for every factor whose condition holds, the fidelity among them; None: nothing is left to try. Only
            where nothing was tried yet, and no valid setting is found, is it none.
        """
        rng = np.random.default_rng(_state(self.search.seed, len(trials)))
        tried = [found for trial in trials if (found := self._tried(trial)) is not None]
        had = {(t.key, t.length) for t in tried if t.value is not None}
        elsewhere = [t for one in evidence if ((t := self._seen(*one)).key, t.length) not in had]
        known, is_late = _Known(tried, elsewhere), share >= EXPLORED
        if not known.ended or (len(known.ended) < AT_RANDOM and not is_late):
            length = self.ladder.full if is_late else self.ladder.rungs[0]
            if (new := self._fresh(rng, shape, known, length)) is not None or known.in_training:
                return new
            if not known.ended:
                return self._at(self._random(rng, shape), length)
        process = self._fit(known.ended)
        if known.in_training:
            process = process.believing(self._points(known.in_training))
        return self._late(rng, process, known) if is_late else self._early(rng, process, known, shape)

    def _late(self, rng: np.random.Generator, process: Process, known: _Known) -> Params | None:
        """At full length: one that was tried at less, or a new one."""
        full = self.ladder.full
        open_ones = [p for key, p in known.had.items() if known.reached[key] < full and key not in known.lost]
        return self._best(process, known, [*open_ones, *self._candidates(rng, process, known, {})], full)

    def _early(self, rng: np.random.Generator, process: Process, known: _Known, shape: Params) -> Params | None:
        """The next rung for one that was tried, as soon as enough were; else a new one, as long as there are any."""
        waiting = []
        for lower, upper in reversed(list(zip(self.ladder.rungs, self.ladder.rungs[1:], strict=False))):
            ended = {t.key for t in known.tried if t.length == lower and t.value is not None}
            going_on = {t.key for t in known.tried if t.length >= upper}
            ready = [
                params
                for key, params in known.had.items()
                if key in ended and known.reached[key] == lower and key not in known.lost
            ]
            waiting.append((ready, upper))
            if ready and (len(going_on) + 1) * self.search.racing.reduction <= len(ended | going_on):
                return self._best(process, known, ready, upper)
        for wanted in (shape, {}):
            new = self._candidates(rng, process, known, wanted)
            if (best := self._best(process, known, new, self.ladder.rungs[0])) is not None:
                return best
        return next((self._best(process, known, ready, upper) for ready, upper in waiting if ready), None)

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

    def _candidates(self, rng: np.random.Generator, process: Process, known: _Known, shape: Params) -> list[Params]:
        """Settings that were not tried: known from elsewhere, likely optima, random ones, variations of the best."""
        seen = [*known.had.values(), *known.others.values()]
        means, _ = process.at(self._whole(seen))
        parents = [seen[i] for i in np.argsort(-means, kind="stable")[:PARENTS]]
        found = [params for params in known.others.values() if shape.items() <= params.items()]
        found += self._likely_optima(rng, process, shape)
        found += [self._random(rng, shape) for _ in range(NEW)]
        for parent in parents:
            for _ in range(CHILDREN):
                found.append(self._random(rng, shape, parent, parents[int(rng.integers(len(parents)))]))
        return [params for params in found if key_of(params) not in known.had]

    def _likely_optima(self, rng: np.random.Generator, process: Process, shape: Params) -> list[Params]:
        """Settings that are best if effects add up, each by a draw of all effects (Thompson sampling by factors)."""
        places = [
            np.arange(factor.count, dtype=np.float64) if factor.has_choices else np.linspace(0.0, 1.0, GRID)
            for factor in self._factors
        ]
        drawn = process.effects(places, rng, DRAWS)
        found = []
        for draw in range(DRAWS):
            worth = {f.name: (p, effects[draw]) for f, p, effects in zip(self._factors, places, drawn, strict=True)}
            cases = [self._optimum(worth, {**case, **shape}, rng) for case in self._cases(rng)]
            found.append(max(cases, key=lambda case: case[0])[1])
        return found

    def _optimum(
        self, worth: Mapping[str, tuple[Floats, Floats]], fixed: Params, rng: np.random.Generator
    ) -> tuple[float, Params]:
        """What the best setting with fixed values of some factors is worth, and that setting."""
        total, params = 0.0, Params()
        for factor in self._factors:
            if not self.space.holds(factor, params):
                continue
            places, values = worth[factor.name]
            if factor.name in fixed:
                params[factor.name] = fixed[factor.name]
                total += float(np.interp(factor.place(fixed[factor.name]), places, values))
            else:
                best = int(np.argmax(values))
                between = 0.0 if factor.has_choices else rng.uniform(-0.5, 0.5) / (GRID - 1)
                params[factor.name] = factor.value_at(min(max(float(places[best]) + between, 0.0), 1.0 * places[-1]))
                total += float(values[best])
        return total, params

    def _cases(self, rng: np.random.Generator) -> list[Params]:
        """Values of the factors that others depend on, in every combination, or in some where those are too many."""
        needed = {path for factor in self._factors for path in factor.when}
        deciding = [f for f in self._factors if f.path in needed and f.has_choices]
        if math.prod(f.count for f in deciding) > MOST_CASES:
            return [{f.name: self._drawn(f, rng) for f in deciding} for _ in range(MOST_CASES)]
        combinations = itertools.product(*(f.levels for f in deciding))
        return [dict(zip([f.name for f in deciding], values, strict=True)) for values in combinations]

    def _random(
        self, rng: np.random.Generator, shape: Params, parent: Params | None = None, other: Params | None = None
    ) -> Params:
        """A random setting, or a variation: each value of one of two others, but for about :data:`CHANGED` factors."""
        params: Params = {}
        for factor in self._factors:
            if not self.space.holds(factor, params):
                continue
            old = None
            if parent is not None:
                source = parent if other is None or rng.random() < 0.5 else other
                old = source.get(factor.name, parent.get(factor.name))
            if factor.name in shape:
                params[factor.name] = shape[factor.name]
            elif old is None or rng.random() < CHANGED / len(self._factors):
                params[factor.name] = self._drawn(factor, rng, None if rng.random() < 0.5 else old)
            else:
                params[factor.name] = old
        return params

    def _fresh(self, rng: np.random.Generator, shape: Params, known: _Known, length: int) -> Params | None:
        """A random setting at a length that is valid and was not tried; None: none was found."""
        for _ in range(MOST_DRAWN):
            params = self._random(rng, shape)
            if key_of(params) not in known.had and self.is_valid(self._at(params, length)):
                return self._at(params, length)
        return None

    def _drawn(self, factor: Factor, rng: np.random.Generator, near: Any = None) -> Any:
        """A value of a factor: any, or of a range one that is near another."""
        if factor.has_choices:
            return factor.value_at(float(rng.integers(factor.count)))
        place = rng.random() if near is None else factor.place(near) + STEP * rng.normal()
        return factor.value_at(min(max(float(place), 0.0), 1.0))

    def _best(self, process: Process, known: _Known, choices: Sequence[Params], length: int) -> Params | None:
        """The valid one with the largest expected improvement on the best mean of those tried, at a length, if any."""
        if not choices:
            return None
        best = float(np.max(process.at(self._whole((known.had or known.others).values()))[0]))
        improvements = _expected_improvement(*process.at(self._whole(choices)), best)
        ranked = (self._at(choices[i], length) for i in np.argsort(-improvements, kind="stable"))
        return next(filter(self.is_valid, ranked), None)

    # The process

    def _fit(self, known: list[_Tried]) -> Process:
        """The process, fitted anew only where something was learnt."""
        if self._learnt is None or self._learnt[0] != known:
            scores = _normal_scores([t.value for t in known if t.value is not None])
            self._learnt = (known, Process.fitted([f.has_choices for f in self._factors], self._points(known), scores))
        return self._learnt[1]

    def _whole(self, settings: Iterable[Params]) -> Points:
        """Settings at full length."""
        return self._points([_Tried(params, self.ladder.full, None) for params in settings])

    def _points(self, tried: Sequence[_Tried]) -> Points:
        present = np.array([[f.name in t.params for f in self._factors] for t in tried], dtype=bool)
        values = [[f.place(t.params[f.name]) if f.name in t.params else 0.0 for f in self._factors] for t in tried]
        at = [1.0 - math.log(self.ladder.full / t.length) / UNIT for t in tried]
        return Points(np.array(values, dtype=np.float64), present, np.array(at))

    @cached_property
    def _factors(self) -> list[Factor]:
        return [factor for factor in self.space.factors if factor.name != self.ladder.factor.name]


def _normal_scores(values: Sequence[float]) -> Floats:
    """Normal quantiles of the ranks; ties have their mean rank."""
    from scipy.stats import norm, rankdata

    ranks = rankdata(values)
    return np.asarray(norm.ppf((ranks - 0.5) / len(ranks)), dtype=np.float64)


def _expected_improvement(means: Floats, deviations: Floats, best: float) -> Floats:
    from scipy.stats import norm

    z = (means - best) / deviations
    return np.asarray(deviations * (z * norm.cdf(z) + norm.pdf(z)), dtype=np.float64)


def _state(seed: int, number: int) -> int:
    return int.from_bytes(hashlib.sha256(f"fidelity/{seed}/{number}".encode()).digest()[:8])
