"""The search: batch after batch, proposed, raced and told, until the budget is spent.

Optuna's study is the only state. A batch is proposed as a whole before any of it is trained and told after all of it
is, its stop rules are kept with its trials, and the sampler is reseeded for every proposal; so a search that is
killed at any moment and started again makes the proposals that it would have made, and finds what it had trained in
the store.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ablate.search.budget import RESERVED, RUNS, Prices, Purse
from ablate.search.evaluate import Evaluate
from ablate.search.proposer import Proposer
from ablate.search.racing import contenders, first_seeds, seed_counts, stop_rule
from ablate.search.sampler import make_sampler
from ablate.search.settings import Search
from ablate.search.space import Build, Params, Space, key_of
from ablate.search.storage import alone, give_back, quiet, running, take
from ablate.search.trial import (
    BATCH,
    GRANTS,
    LIMITS,
    NEW,
    STATUS,
    Pending,
    finished_values,
    laps_of,
    refuse,
    rule_of,
    tell,
)
from ablate.store import Owner, Store
from ablate.task import numbers
from ablate.task.errors import ConfigError
from ablate.task.metric import Metric
from ablate.task.record import StopRule
from ablate.task.run import Run

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

MOST_INVALID = 200
"""Proposals in a row that are no valid settings."""

BATCH_SHARE = 1 / 16
"""Share of the budget that a batch of at least two settings takes at most, where settings have several lengths."""

STALE_BATCHES = 3
"""After so many batches without a new run the space counts as exhausted."""

POLL_SECONDS = 1.0
"""Seconds between two looks at trials of other searchers."""

MOST_WITHOUT_VALUE = 32
"""Settings that have all failed or diverged after which a search is left."""
BEGUN, EVIDENCE = "begun", "evidence"
"""Attributes of a study: its first settings have been queued, and what was known then."""


class AllFailedError(Exception):
    """Every setting that a search has tried has failed, or diverged.

    Args:
        settings: How many.
        error: The error of one of them; its last line says why.
        diverged: How many of them have diverged.
    """

    def __init__(self, settings: int, error: str, diverged: int = 0) -> None:
        last = error.splitlines()[-1] if error else "no reason is known"
        what = f"failed ({diverged} diverged)" if 0 < diverged < settings else "diverged" if diverged else "failed"
        reason = "" if diverged == settings else f", the last with: {last}"
        super().__init__(f"all {settings} settings so far have {what}{reason}")


@dataclass
class Searcher:
    """One process at work on a search; several may share a study."""

    study: "Study"
    search: Search
    metric: Metric
    """The metric that is optimised."""
    space: Space
    build: Build
    """Changes to a setting, the search's fixed ones applied."""
    purse: Purse
    prices: Prices
    start: Sequence[Params]
    """Settings to begin with, each perhaps in part."""
    store: Store
    owner: Owner
    evaluate: Evaluate
    kind_of: Callable[[Run], str] = lambda run: ""
    """Values along the steps are compared between runs of one kind."""
    proposer: Proposer | None = None
    """Proposes every setting where the search has a fidelity."""
    evidence: Callable[[], list[tuple[Params, float]]] = list
    """What is known of settings before the search begins."""
    say: Callable[[str], None] = print
    wait: Callable[[], None] = lambda: time.sleep(POLL_SECONDS)
    """Seconds between two looks at what other searchers are still at work on."""

    def run(self) -> None:
        """Search until the budget is spent or the space exhausted; also goes on with what a dead searcher left.

        Ends when no other searcher is at work either: what those leave of their share, or die over, can still be used,
        and only then is it known which settings are best.

        Raises:
            ConfigError: Hardly any proposal is a valid setting.
            AllFailedError: So far every setting has failed, a whole batch of them.
        """
        try:
            while (batch := self._ask()) or running(self.study):
                if batch:
                    self._finish(batch)
                else:
                    self.wait()
        finally:
            self.store.release(self.owner)

    def _finish(self, batch: Sequence[Pending]) -> None:
        self._train(batch)
        with alone(self.store, self.owner, f"ask {self.study.study_name}"), quiet():
            for pending in batch:
                tell(self.study, pending, self.search, self.purse)
        give_back(self.study, [pending.number for pending in batch], self.store, self.owner)
        self._report(batch)
        self._give_up_on_failures(batch)

    def _give_up_on_failures(self, batch: Sequence[Pending]) -> None:
        """Leave a search of which nothing with a value has come, before it spends all of its budget on more of that."""
        ended = [trial.user_attrs[STATUS] for trial in self._trials() if trial.user_attrs.get(RUNS)]
        failed, valueless = ended.count("failed"), sum(status in ("failed", "diverged") for status in ended)
        enough = 1 if self.proposer is None else 2 * self.search.racing.least  # batches of few long runs say little
        is_failing = all(pending.status == "failed" for pending in batch) and failed == len(ended) >= enough
        if is_failing or valueless == len(ended) >= MOST_WITHOUT_VALUE:
            errors = [o.result.error for o in batch[0].outcomes.values() if o.result.error]
            raise AllFailedError(len(ended), errors[0].strip() if errors else "", diverged=len(ended) - failed)

    # Proposing

    def _ask(self) -> list[Pending]:
        known = self.evidence() if BEGUN not in self.study.user_attrs else []
        with alone(self.store, self.owner, f"ask {self.study.study_name}"), quiet():
            if BEGUN not in self.study.user_attrs:
                shortest = self.proposer.shortest if self.proposer is not None else {}
                for params in self.start:
                    self.study.enqueue_trial({**params, **shortest}, skip_if_exists=True)
                self.study.set_user_attr(EVIDENCE, known)
                self.study.set_user_attr(BEGUN, True)
            batch, is_whole = self._adopt()
            if self._exhausted():
                return batch
            while not is_whole and not self._is_full(batch) and self.purse.left() >= self.prices.dearest:
                pending = self._propose(batch)
                if pending is None:
                    break
                batch.append(pending)
            return batch

    def _is_full(self, batch: Sequence[Pending]) -> bool:
        """Whether a batch is trained as it is: few long runs are, so that the next proposals know of them."""
        if len(batch) >= self._size(batch):
            return True
        reserved = sum(pending.trial.user_attrs.get(RESERVED, 0.0) for pending in batch)
        return self.proposer is not None and len(batch) > 1 and reserved >= BATCH_SHARE * self.purse.total

    def _size(self, batch: Sequence[Pending]) -> int:
        """Settings of the batch being proposed: few while there are none that it could be raced against."""
        races, size = self.search.races, self.search.batch
        of_batch = batch[0].trial.user_attrs[BATCH] if batch else None
        earlier = any(t.user_attrs.get(RUNS) for t in self._trials() if t.user_attrs.get(BATCH) != of_batch)
        return size if earlier or not races.steps else min(size, 2 * races.least)

    def _adopt(self) -> tuple[list[Pending], bool]:
        """Trials of dead searchers, and whether the batch they belong to had been proposed to its end."""
        by_number = {trial.number: trial for trial in running(self.study)}
        taken = take(self.study, list(by_number), self.store, self.owner)
        if not taken:
            return [], False
        of_batch = min(by_number[n].user_attrs.get(BATCH, n) for n in taken)
        batch = []
        for number in taken:
            trial = self._resumed(by_number[number])
            trial.set_user_attr(BATCH, of_batch)
            pending = self._settle(trial)
            if pending is not None:
                batch.append(pending)
        told = [t for t in self._trials() if t.user_attrs.get(BATCH) == of_batch and t.user_attrs.get(RUNS)]
        has_begun = any(LIMITS in pending.trial.user_attrs for pending in batch)
        return batch, bool(told) or has_begun

    def _resumed(self, trial: "FrozenTrial") -> "Trial":
        """A trial that another searcher has asked for, with its sampler's random state where that one left it."""
        from optuna.trial import Trial

        sampler = make_sampler(self.search.sampler, self.search.seed, trial.number)
        self.study.sampler = sampler
        resumed, fixed = Trial(self.study, trial._trial_id), trial.system_attrs.get("fixed_params", {})
        for name, distribution in trial.distributions.items():
            if name not in resumed.relative_params and name not in fixed and not distribution.single():
                sampler.sample_independent(self.study, trial, name, distribution)
        return resumed

    def _propose(self, batch: Sequence[Pending]) -> Pending | None:
        """One more setting, or None where a grid or a space with a fidelity has no more."""
        leader = batch[len(batch) - len(batch) % self.search.family] if len(batch) % self.search.family else None
        for _ in range(MOST_INVALID):
            number = sum(trial.state.name != "WAITING" for trial in self._trials())
            if not self._queue(leader):
                return None
            self.study.sampler = make_sampler(self.search.sampler, self.search.seed, number)
            trial = self.study.ask()
            take(self.study, [trial.number], self.store, self.owner)
            trial.set_user_attr(BATCH, batch[0].trial.user_attrs[BATCH] if batch else trial.number)
            pending = self._settle(trial)
            if pending is not None:
                return pending
        raise ConfigError(
            f"study.search.space: {MOST_INVALID} proposals in a row were no valid settings; the last: "
            f"{trial.user_attrs['problem']}"
        )

    def _settle(self, trial: "Trial") -> Pending | None:
        """Complete a proposal; None where it is no valid setting."""
        params = self.space.suggest(trial)
        try:
            config = self.build(self.space.changes(params))
        except ConfigError as error:
            refuse(self.study, trial, error.problems[0], self.search)
            give_back(self.study, [trial.number], self.store, self.owner)
            return None
        pending = Pending(trial, params, config, self.metric, self.kind_of(config))
        trial.set_user_attr(RESERVED, first_seeds(self.search) * self.purse.cost(pending.config))
        return pending

    def _queue(self, leader: Pending | None) -> bool:
        """Fix what the next proposal must have: a grid's next setting, or what shapes the steps of its family."""
        from optuna.trial import TrialState

        if self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            return True
        if self.search.sampler == "grid":
            tried = [t.params or t.system_attrs.get("fixed_params", {}) for t in self._trials()]
            had = {key_of(self.space.exact(params)) for params in tried}
            params = next((p for p in self.space.grid() if key_of(p) not in had), None)
            if params is None:
                return False
            self.study.enqueue_trial(params)
        elif self.proposer is not None:
            shape = self.space.shape(leader.params) if leader is not None else {}
            left = self.purse.left()
            # After one more short run none at full length might be left to pay.
            share = 1.0 - left / self.purse.total if left - self.prices.brief >= self.prices.dearest else 1.0
            known = self.study.user_attrs.get(EVIDENCE, [])
            params = self.proposer.propose(self._trials(), share, shape, known)
            if params is None:
                return False
            self.study.enqueue_trial(params)
        elif leader is not None and (shape := self.space.shape(leader.params)):
            self.study.enqueue_trial(shape)
        return True

    def _exhausted(self) -> bool:
        """Whether the last trials were all repetitions of earlier ones."""
        last = [t for t in self._trials() if NEW in t.user_attrs][-STALE_BATCHES * self.search.batch :]
        return len(last) == STALE_BATCHES * self.search.batch and not any(t.user_attrs[NEW] for t in last)

    # Training

    def _train(self, batch: Sequence[Pending]) -> None:
        """Train the first seed of all, further ones of the contenders."""
        number = batch[0].trial.user_attrs[BATCH]
        earlier = [t for t in self._trials() if t.user_attrs.get(BATCH) != number]
        rules = self._rules(batch, earlier)
        finished, done = finished_values(earlier, self.search), 0
        going_on = list(batch)
        whole = [p for p in batch if self.proposer is None or self.proposer.is_whole(p.params)]
        for count in seed_counts(len(self.search.seeds), self.search.races):
            seeds = self.search.seeds[done:count]
            if done:
                going_on = self._granted([p for p in going_on if p in whole], finished, count, len(seeds))
            self._train_seeds(going_on, seeds, rules if not done else {})
            done = count

    def _train_seeds(self, batch: Sequence[Pending], seeds: Sequence[int], rules: dict[str, StopRule]) -> None:
        if not batch:
            return
        runs = {(p.number, seed): p.run(seed) for p in batch for seed in seeds}
        outcomes = self.evaluate(runs.values(), rules)
        for pending in batch:
            for seed in seeds:
                pending.outcomes[seed] = outcomes[runs[pending.number, seed].digest]
            pending.trial.set_user_attr(RESERVED, pending.spent(self.purse))

    def _rules(self, batch: Sequence[Pending], earlier: "Sequence[FrozenTrial]") -> dict[str, StopRule]:
        """The stop rules of a batch, by run: those that its trials were started with, else new ones, kept there."""
        search, first = self.search, self.search.seeds[0]
        laps, rules = laps_of(earlier), dict[str, StopRule]()
        started = {t.user_attrs[RUNS].get(str(first)): t.user_attrs for t in earlier if t.user_attrs.get(RUNS)}
        for pending in batch:
            run = pending.run(first)
            attributes = started.get(run.digest, pending.trial.user_attrs)
            if LIMITS in attributes:
                rule = rule_of(attributes, self.metric, run.length)
            else:
                rule = stop_rule(run.length, pending.kind, search.races, self.metric, laps)
            pending.trial.set_user_attr(LIMITS, [list(limit) for limit in rule.limits] if rule is not None else [])
            if rule is not None:
                rules.setdefault(run.digest, rule)
        return rules

    def _granted(
        self, batch: Sequence[Pending], finished: dict[int, list[float]], count: int, seeds: int
    ) -> list[Pending]:
        """Those that go on to ``count`` seeds, which are kept with the trials before any of them is told."""
        settled = [pending for pending in batch if pending.status in ("complete", "diverged")]
        alive = [pending for pending in settled if all(map(math.isfinite, pending.values()))]
        grants = [pending.trial.user_attrs.get(GRANTS, {}) for pending in alive]
        if all(str(count) in grant for grant in grants):
            return [pending for pending, grant in zip(alive, grants, strict=True) if grant[str(count)]]
        chosen = self._affordable(self._contenders(alive, finished), seeds)
        for pending, grant in zip(alive, grants, strict=True):
            pending.trial.set_user_attr(GRANTS, grant | {str(count): pending in chosen})
        return [pending for pending in alive if pending in chosen]

    def _contenders(self, alive: Sequence[Pending], finished: dict[int, list[float]]) -> list[Pending]:
        races, by_number = self.search.races, {pending.number: pending for pending in alive}
        if not races.seeds:
            return list(alive)
        values = {number: pending.values() for number, pending in by_number.items()}
        ranked = contenders(values, finished, races, higher=self.search.higher_is_better)
        return [by_number[number] for number in ranked]

    def _affordable(self, ranked: Sequence[Pending], seeds: int) -> list[Pending]:
        """The best of them, as many as the budget allows; what they need is put aside."""
        chosen = []
        with alone(self.store, self.owner, f"ask {self.study.study_name}"):
            for pending in ranked:
                cost = seeds * self.purse.cost(pending.config)
                if cost <= self.purse.left():
                    pending.trial.set_user_attr(RESERVED, pending.spent(self.purse) + cost)
                    chosen.append(pending)
        return chosen

    def _report(self, batch: Sequence[Pending]) -> None:
        counts = {
            status: sum(p.status == status for p in batch) for status in ("complete", "stopped", "diverged", "failed")
        }
        ended = ", ".join(f"{number} {status}" for status, number in counts.items() if number)
        best = ""
        if self.search.against is None:
            ranked = finished_values(self._trials(), self.search)
            if ranked:
                means = {number: sum(values) / len(values) for number, values in ranked.items()}
                pick = max if self.search.higher_is_better else min
                number = pick(means, key=lambda n: means[n])
                digits = numbers.decimals(means.values())
                best = f"; best: trial {number} with {self.search.metric} {numbers.number(means[number], digits)}"
        purse = self.purse
        spent = f"spent {amount(purse.spent())} of {amount(purse.total)} {purse.unit}"
        self.say(f"{len(batch)} settings: {ended}{best}; {spent}")

    def _trials(self) -> "list[FrozenTrial]":
        return list(self.study.get_trials(deepcopy=False))


def amount(value: float) -> str:
    """An amount of a budget for people."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"
