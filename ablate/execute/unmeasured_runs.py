"""Runs whose metrics are not those that their task declares: is it their own fault, or that of the declaration?"""

from collections.abc import Sequence

from ablate.store import Store
from ablate.task.errors import ConfigError
from ablate.task.record import LACKS, Result
from ablate.task.run import Run


class DeclaredMetrics:
    """Believes a declaration as soon as one run has measured all of it, in this sweep or an earlier one.

    Args:
        store: The store with the records of earlier sweeps.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._proven: set[str] = set()

    def check(self, runs: Sequence[Run], results: Sequence[Result]) -> None:
        """Leave off where no run of a task has measured what one of these lacks.

        Args:
            runs: The runs of a cohort.
            results: One each.

        Raises:
            ConfigError: As the result itself says.
        """
        for run, result in zip(runs, results, strict=True):
            lacking = result.notes.get(LACKS)
            if result.status == "complete":
                self._proven.add(run.task)
            elif lacking is not None and run.task not in self._proven:
                if not self._store.has_measured(run.task, lacking):
                    raise ConfigError([f"task {run.task}: {line}" for line in (result.error or "").splitlines()])
                self._proven.add(run.task)
