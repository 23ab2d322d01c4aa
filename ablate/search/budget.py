"""What a search has spent, in the unit of its budget."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ablate.search.settings import Budget
from ablate.search.work import Work
from ablate.task.record import Result
from ablate.task.run import Run

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

SPENT, RESERVED, RUNS = "spent", "reserved", "runs"
"""Attributes of a trial: what it cost, what is put aside for it while it runs, and its runs by seed."""
WORK = "samples"
"""Attribute of a trial: the work of its runs, in the task's own unit (called as when that was always samples)."""

Seconds = Callable[[Run], tuple[float, bool]]
"""Estimated wall time of training a run, all workers being busy with others like it, and whether it is a mere guess."""


@dataclass(frozen=True)
class Purse:
    """A budget, and what of it is left, as Optuna's trials say: all searchers of a study share one."""

    budget: Budget
    study: "Study"
    own: Work
    """The task's own unit of work."""
    seconds: Seconds

    @property
    def total(self) -> float:
        """The whole budget in its unit, minutes as seconds."""
        return self.budget.total

    @property
    def work(self) -> Work | None:
        """What is counted; None: time."""
        return self.budget.work

    @property
    def unit(self) -> str:
        """The unit of all amounts, for people."""
        return self.work.title if self.work is not None else "s"

    def cost(self, run: Run) -> float:
        """What a run will cost if it is trained to its end."""
        return self.work.of(run) if self.work is not None else self._seconds(run)[0]

    def is_guess(self, run: Run) -> bool:
        """Whether the cost of a run is a guess, as nothing like it was trained on this host."""
        return self.work is None and self._seconds(run)[1]

    def done(self, run: Run, result: Result, seconds: float) -> float:
        """What a run has cost."""
        return self.work.done(run, result) if self.work is not None else seconds

    def left(self) -> float:
        """Neither spent nor put aside."""
        return self.total - sum(map(_claimed, self.study.get_trials(deepcopy=False)))

    def spent(self) -> float:
        """What trials that have ended took."""
        return sum(float(t.user_attrs.get(SPENT, 0.0)) for t in self.study.get_trials(deepcopy=False))

    def known_runs(self, but: int | None = None) -> set[str]:
        """Digests of all runs that trials (other than ``but``) have paid for."""
        trials = self.study.get_trials(deepcopy=False)
        return {digest for trial in trials if trial.number != but for digest in runs_of(trial)}

    def _seconds(self, run: Run) -> tuple[float, bool]:
        """Where the host knows no speed, by the trials of this search that have ended."""
        seconds, is_guess = self.seconds(run)
        if not is_guess:
            return seconds, False
        ended = [t.user_attrs for t in self.study.get_trials(deepcopy=False) if t.user_attrs.get(SPENT)]
        work = sum(float(attributes.get(WORK, 0.0)) for attributes in ended)
        if not work:
            return seconds, True
        return sum(float(attributes[SPENT]) for attributes in ended) / work * self.own.of(run), False


def runs_of(trial: "FrozenTrial") -> Sequence[str]:
    """Digests of a trial's runs, by seed."""
    runs: Mapping[str, str] = trial.user_attrs.get(RUNS, {})
    return list(runs.values())


def _claimed(trial: "FrozenTrial") -> float:
    attributes: Mapping[str, Any] = trial.user_attrs
    return float(attributes.get(SPENT if trial.state.is_finished() else RESERVED, 0.0))


def worked(study: "Study") -> float:
    """The work of all trials that have ended, in the task's own unit."""
    return sum(float(t.user_attrs.get(WORK, 0)) for t in study.get_trials(deepcopy=False) if t.state.is_finished())


@dataclass(frozen=True)
class Prices:
    """What settings cost at first, in the budget's unit: with all seeds that are trained at once."""

    dearest: float
    """The dearest at full length; one is proposed only while that is left."""
    brief: float
    """The dearest at the shortest length; 0 where there is but one length."""
