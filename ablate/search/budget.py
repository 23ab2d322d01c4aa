"""What a search has spent, in the unit of its budget."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ablate.images.run import RunConfig
from ablate.search.settings import Budget

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

SPENT, RESERVED, RUNS = "spent", "reserved", "runs"
"""Attributes of a trial: what it cost, what is put aside for it while it runs, and its runs by seed."""

Seconds = Callable[[RunConfig], float]
"""Estimated wall time of training a run, all workers being busy with others like it."""


@dataclass(frozen=True)
class Purse:
    """A budget, and what of it is left, as Optuna's trials say: all searchers of a study share one."""

    budget: Budget
    study: "Study"
    seconds: Seconds

    @property
    def total(self) -> float:
        """In samples, or in seconds."""
        return self.budget.samples if self.budget.samples is not None else 60.0 * (self.budget.minutes or 0.0)

    @property
    def counts_samples(self) -> bool:
        """The unit: training samples, or else seconds."""
        return self.budget.samples is not None

    def cost(self, run: RunConfig) -> float:
        """What a run will cost if it is trained to its end."""
        return run.samples if self.counts_samples else self.seconds(run)

    def left(self) -> float:
        """Neither spent nor put aside."""
        return self.total - sum(map(_claimed, self.study.get_trials(deepcopy=False)))

    def spent(self) -> float:
        """By trials that have ended."""
        return sum(float(t.user_attrs.get(SPENT, 0.0)) for t in self.study.get_trials(deepcopy=False))

    def known_runs(self, but: int | None = None) -> set[str]:
        """Digests of all runs that trials (other than ``but``) have paid for."""
        trials = self.study.get_trials(deepcopy=False)
        return {digest for trial in trials if trial.number != but for digest in runs_of(trial)}


def runs_of(trial: "FrozenTrial") -> Sequence[str]:
    """Digests of a trial's runs, by seed."""
    runs: Mapping[str, str] = trial.user_attrs.get(RUNS, {})
    return list(runs.values())


def _claimed(trial: "FrozenTrial") -> float:
    attributes: Mapping[str, Any] = trial.user_attrs
    return float(attributes.get(SPENT if trial.state.is_finished() else RESERVED, 0.0))
