"""A trial on its way through a search: from a proposed setting to the value that Optuna is told."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ablate.search.budget import RUNS, SPENT, WORK, Purse
from ablate.search.evaluate import Outcome
from ablate.search.racing import Lap, rung_steps
from ablate.search.settings import Search
from ablate.search.space import Params
from ablate.search.work import Work
from ablate.task.metric import Metric
from ablate.task.record import Result, StopRule
from ablate.task.run import Run

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

BATCH, LIMITS, VALUES, STATUS, KIND, LENGTH = "batch", "limits", "values", "status", "schedule", "epochs"
SECONDS, PROBLEM, NEW, GRANTS = "seconds", "problem", "new", "grants"
"""Attributes of a trial, beside those of the budget; two are called as when all tasks had schedules and epochs."""


@dataclass(eq=False)
class Pending:
    """A setting that has been proposed and is being trained."""

    trial: "Trial"
    params: Params
    config: Run
    """The configuration with seed 0."""
    metric: Metric
    """The metric that is optimised."""
    kind: str = ""
    """Values along the steps are compared with those of the same kind."""
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    """The outcomes by seed."""

    @property
    def number(self) -> int:
        """Optuna's."""
        return self.trial.number

    def run(self, seed: int) -> Run:
        """The setting with a seed."""
        return self.config.with_seed(seed)

    def values(self) -> list[float]:
        """The metric of each seed so far, in the order of the seeds."""
        return [value_of(outcome.result, self.metric) for outcome in self.outcomes.values()]

    @property
    def status(self) -> str:
        """``failed``, ``stopped``, ``diverged`` if any seed did, else ``complete``."""
        found = {outcome.result.status for outcome in self.outcomes.values()}
        return next((status for status in ("failed", "stopped", "diverged") if status in found), "complete")

    def spent(self, purse: Purse) -> float:
        """What its runs have cost so far; a run that another trial has paid for costs nothing."""
        if purse.work is None:
            return sum(outcome.seconds for outcome in self.outcomes.values())
        known = purse.known_runs(but=self.number)
        trained = {seed: o for seed, o in self.outcomes.items() if self.run(seed).digest not in known}
        return float(sum(purse.done(self.run(seed), o.result, o.seconds) for seed, o in trained.items()))


def value_of(result: Result, metric: Metric) -> float:
    """A run's last value; one that diverged counts as guessing, or as the worst that there can be.

    Returns:
        NaN where there is none, and where a run diverged whose metric knows neither guessing nor a worst value.
    """
    if result.status == "diverged":
        guess, worst = result.guesses.get(metric.name), metric.low if metric.goal == "max" else metric.high
        return guess.value if guess is not None else math.nan if worst is None else worst
    value = result.last(metric.name)
    return math.nan if value is None else float(value)


def tell(study: "Study", pending: Pending, search: Search, purse: Purse) -> None:
    """Tell Optuna how a setting fared, with everything that the report and the next searcher need.

    A stopped setting is PRUNED with its values at the rungs, and so is one that diverged where that is no value; one
    with a failed run is FAIL, all others are COMPLETE with the mean over the seeds that they got.
    """
    from optuna.trial import TrialState

    trial, status = pending.trial, pending.status
    for name, value in _attributes(pending, search, purse).items():
        trial.set_user_attr(name, value)
    first = next(iter(pending.outcomes.values())).result
    if search.against is None and pending.config.length is not None:
        reported = study.get_trials(deepcopy=False)[pending.number].intermediate_values
        reached = (_reached(first, rung, search.metric) for rung in rung_steps(pending.config.length, search.racing))
        for step, value in dict(found for found in reached if found is not None).items():
            if step not in reported and math.isfinite(value):
                trial.report(value, step)
    values = pending.values()
    is_known = all(map(math.isfinite, values))
    if status == "stopped" or (status == "diverged" and not is_known and search.against is None):
        study.tell(pending.number, state=TrialState.PRUNED)
    elif status == "failed" or not is_known:
        study.tell(pending.number, state=TrialState.FAIL)
    else:
        objectives = [math.fsum(values) / len(values)]
        if search.against == "seconds":
            times = [outcome.result.seconds for outcome in pending.outcomes.values()]
            objectives.append(math.fsum(times) / len(times))
        elif search.against is not None:
            objectives.append(float(Work(search.against).of(pending.config)))
        study.tell(pending.number, objectives, state=TrialState.COMPLETE)


def refuse(study: "Study", trial: "Trial", problem: str, search: Search) -> None:
    """Tell Optuna that a proposal is no valid setting: it cost nothing, and is to be avoided."""
    from optuna.trial import TrialState

    trial.set_user_attr(PROBLEM, problem)
    trial.set_user_attr(STATUS, "invalid")
    study.tell(trial.number, state=TrialState.PRUNED if search.against is None else TrialState.FAIL)


def laps_of(trials: "Sequence[FrozenTrial]") -> list[Lap]:
    """How far the first seeds of finished trials came."""
    return [
        Lap(t.user_attrs[KIND], t.user_attrs[LENGTH], t.intermediate_values)
        for t in trials
        if t.state.is_finished() and t.user_attrs.get(LENGTH) is not None
    ]


def finished_values(trials: "Sequence[FrozenTrial]", search: Search) -> dict[int, list[float]]:
    """The values by seed of trials that got all seeds."""
    found = {}
    for trial in trials:
        values: Mapping[str, float] = trial.user_attrs.get(VALUES, {})
        if trial.state.name == "COMPLETE" and len(values) == len(search.seeds):
            found[trial.number] = [values[str(seed)] for seed in search.seeds if str(seed) in values]
    return found


def rule_of(attributes: Mapping[str, Any], metric: Metric, length: int | None) -> StopRule | None:
    """The stop rule that a trial was started with."""
    limits = tuple((int(step), float(value)) for step, value in attributes.get(LIMITS, ()))
    return StopRule(metric.name, metric.goal, limits, length) if limits else None


def _attributes(pending: Pending, search: Search, purse: Purse) -> dict[str, Any]:
    digests = {str(seed): pending.run(seed).digest for seed in pending.outcomes}
    values = pending.values()
    errors = [o.result.error for o in pending.outcomes.values() if o.result.error]
    attributes = {
        RUNS: digests,
        VALUES: {seed: value for seed, value in zip(digests, values, strict=True) if math.isfinite(value)},
        STATUS: pending.status,
        KIND: pending.kind,
        LENGTH: pending.config.length,
        SPENT: pending.spent(purse),
        NEW: not set(digests.values()) <= purse.known_runs(but=pending.number),
        WORK: sum(purse.own.done(pending.run(seed), o.result) for seed, o in pending.outcomes.items()),
        SECONDS: sum(o.result.seconds for o in pending.outcomes.values()),
    }
    return attributes | ({PROBLEM: errors[0].strip().splitlines()[-1]} if errors else {})


def _reached(result: Result, rung: int, metric: str) -> tuple[int, float] | None:
    """The first step from a rung on at which a metric was measured, and its value."""
    return next(((m.step, m.values[metric]) for m in result.curves if m.step >= rung and metric in m.values), None)
