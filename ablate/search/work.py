"""What runs cost in the units in which a task counts work: from the data and the curve of each run."""

from dataclasses import dataclass
from typing import Literal

from ablate.task.record import Result
from ablate.task.run import Run
from ablate.task.searching import Searching

WorkUnit = Literal["samples", "cost", "steps", "runs"]


@dataclass(frozen=True)
class Work:
    """One unit."""

    unit: WorkUnit

    @property
    def title(self) -> str:
        """Its amounts, for people."""
        return "training samples" if self.unit == "samples" else self.unit

    def of(self, run: Run) -> float:
        """The work of a run that goes to its end; 1 in runs, and in steps where a run does not say how many it has."""
        if self.unit in ("samples", "cost"):
            return run.samples
        return run.length or 1 if self.unit == "steps" else 1.0

    def done(self, run: Run, result: Result) -> float:
        """What a run has done of it: the share of its steps.

        A run that failed counts as a whole one, so that a search over settings that all fail comes to an end.
        """
        whole, length = self.of(run), run.length
        if length is None or result.status in ("complete", "failed"):
            return whole
        steps = min(result.curves[-1].step, length) if result.curves else 0
        return whole * steps // length if isinstance(whole, int) else whole * steps / length


def own_unit(searching: Searching, run: Run) -> Work:
    """The unit in which a task counts by itself: its own, else steps where it knows them, else runs."""
    if searching.cost in ("samples", "cost"):
        return Work("samples" if searching.cost == "samples" else "cost")
    return Work("steps" if run.length is not None else "runs")
