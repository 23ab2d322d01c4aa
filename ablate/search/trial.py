"""A trial on its way through a search: from a proposed setting to the value that Optuna is told."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ablate.images.metrics import METRICS
from ablate.images.run import RunConfig
from ablate.search.budget import RUNS, SPENT, Purse
from ablate.search.evaluate import Outcome
from ablate.search.racing import Lap, rung_epochs
from ablate.search.settings import Search
from ablate.search.space import Params
from ablate.task.record import Result, StopRule

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

BATCH, LIMITS, VALUES, STATUS, SCHEDULE, EPOCHS = "batch", "limits", "values", "status", "schedule", "epochs"
SAMPLES, SECONDS, PROBLEM, NEW, GRANTS = "samples", "seconds", "problem", "new", "grants"
"""Attributes of a trial, beside those of the budget."""


@dataclass(eq=False)
class Pending:
    """A setting that has been proposed and is being trained."""

    trial: "Trial"
    params: Params
    config: RunConfig
    """With seed 0."""
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    """By seed."""

    @property
    def number(self) -> int:
        """Optuna's."""
        return self.trial.number

    def run(self, seed: int) -> RunConfig:
        """The setting with a seed."""
        return self.config.with_seed(seed)

    def values(self, search: Search) -> list[float]:
        """The metric of each seed so far, in the order of the seeds."""
        return [value_of(outcome.result, search.metric) for outcome in self.outcomes.values()]

    @property
    def status(self) -> str:
        """``failed``, ``stopped``, ``diverged`` if any seed did, else ``complete``."""
        found = {outcome.result.status for outcome in self.outcomes.values()}
        return next((status for status in ("failed", "stopped", "diverged") if status in found), "complete")

    def spent(self, purse: Purse) -> float:
        """What its runs have cost so far; a run that another trial has paid for costs nothing."""
        if not purse.counts_samples:
            return sum(outcome.seconds for outcome in self.outcomes.values())
        known = purse.known_runs(but=self.number)
        trained = {seed: o for seed, o in self.outcomes.items() if self.run(seed).digest not in known}
        return float(sum(_samples(self.run(seed), outcome.result) for seed, outcome in trained.items()))


def value_of(result: Result, metric: str) -> float:
    """A run's metric after its last epoch; one that diverged counts as guessing, or as the worst that there can be."""
    if result.status == "diverged":
        guess, declared = result.guesses.get(metric), METRICS[metric]
        worst = declared.low if declared.goal == "max" else declared.high
        return guess.value if guess is not None else math.nan if worst is None else worst
    value = result.last(metric) if result.curves else None
    return math.nan if value is None else float(value)


def tell(study: "Study", pending: Pending, search: Search, purse: Purse) -> None:
    """Tell Optuna how a setting fared, with everything that the report and the next searcher need.

    A stopped setting is PRUNED with its values at the rungs, one with a failed run is FAIL, all others are COMPLETE
    with the mean over the seeds that they got.
    """
    from optuna.trial import TrialState

    trial, status = pending.trial, pending.status
    for name, value in _attributes(pending, search, purse).items():
        trial.set_user_attr(name, value)
    first = next(iter(pending.outcomes.values())).result
    if search.against is None:
        reported = study.get_trials(deepcopy=False)[pending.number].intermediate_values
        for epoch in {*rung_epochs(pending.config.train.epochs, search.racing)} - {*reported}:
            reached = _at(first, epoch, search.metric)
            if reached is not None and math.isfinite(reached):
                trial.report(reached, epoch)
    values = pending.values(search)
    if status == "failed" or not all(map(math.isfinite, values)):
        study.tell(pending.number, state=TrialState.FAIL)
    elif status == "stopped":
        study.tell(pending.number, state=TrialState.PRUNED)
    else:
        objectives = [math.fsum(values) / len(values)]
        if search.against == "samples":
            objectives.append(float(pending.config.samples))
        elif search.against == "seconds":
            times = [sum(e.seconds for e in outcome.result.curves) for outcome in pending.outcomes.values()]
            objectives.append(math.fsum(times) / len(times))
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
        Lap(t.user_attrs[SCHEDULE], t.user_attrs[EPOCHS], t.intermediate_values)
        for t in trials
        if t.state.is_finished() and SCHEDULE in t.user_attrs
    ]


def finished_values(trials: "Sequence[FrozenTrial]", search: Search) -> dict[int, list[float]]:
    """The values by seed of trials that got all seeds."""
    found = {}
    for trial in trials:
        values: Mapping[str, float] = trial.user_attrs.get(VALUES, {})
        if trial.state.name == "COMPLETE" and len(values) == len(search.seeds):
            found[trial.number] = [values[str(seed)] for seed in search.seeds if str(seed) in values]
    return found


def rule_of(attributes: Mapping[str, Any], metric: str) -> StopRule | None:
    """The stop rule that a trial was started with."""
    limits = attributes.get(LIMITS)
    return (
        StopRule(metric, METRICS[metric].goal, tuple((int(epoch), float(value)) for epoch, value in limits))
        if limits
        else None
    )


def _attributes(pending: Pending, search: Search, purse: Purse) -> dict[str, Any]:
    digests = {str(seed): pending.run(seed).digest for seed in pending.outcomes}
    values = pending.values(search)
    errors = [o.result.error for o in pending.outcomes.values() if o.result.error]
    attributes = {
        RUNS: digests,
        VALUES: {seed: value for seed, value in zip(digests, values, strict=True) if math.isfinite(value)},
        STATUS: pending.status,
        SCHEDULE: pending.config.schedule.name,
        EPOCHS: pending.config.train.epochs,
        SPENT: pending.spent(purse),
        NEW: not set(digests.values()) <= purse.known_runs(but=pending.number),
        SAMPLES: sum(_samples(pending.run(seed), o.result) for seed, o in pending.outcomes.items()),
        SECONDS: sum(e.seconds for o in pending.outcomes.values() for e in o.result.curves),
    }
    return attributes | ({PROBLEM: errors[0].strip().splitlines()[-1]} if errors else {})


def _at(result: Result, epoch: int, metric: str) -> float | None:
    value = result.curves[epoch - 1].values.get(metric) if len(result.curves) >= epoch else None
    return None if value is None else float(value)


def _samples(run: RunConfig, result: Result) -> int:
    return run.samples * len(result.curves) // run.train.epochs
