"""What members have measured so far, told to people who wait: soon after they begin, and after every epoch."""

import time
from collections.abc import Callable, Mapping, Sequence

from ablate.images.engine.cohort import FusedCohort, PartialEpoch
from ablate.task.engine import OnInterim

FIRST_SECONDS, AGAIN_SECONDS = 2.0, 5.0
"""Of training, until the running accuracy of the first epoch is told, and until it is told again."""
TOLD = ("test_acc", "val_acc", "train_acc")
"""After an epoch, the first of these that is measured."""


class Interim:
    """The interim accuracies of a cohort.

    Args:
        cohort: Not trained yet.
        runs: Its members' positions among the engine's runs.
        tell: Takes them; None: nobody waits.
    """

    def __init__(self, cohort: FusedCohort, runs: Sequence[int], tell: OnInterim | None) -> None:
        self._cohort, self._runs, self._tell = cohort, runs, tell
        self._due: float | None = None
        """When the next one is, in the first epoch; None: training has not begun."""

    def after_step(self, part: Callable[[], PartialEpoch]) -> None:
        """A step has been trained: now and then, each member's accuracy on what it has seen, always before its update.

        Nothing else is read back from the device before an epoch's end, and in later epochs nothing is.
        """
        if self._tell is None or self._cohort.epoch:
            return
        if self._due is None:
            self._due = time.monotonic() + FIRST_SECONDS
        elif time.monotonic() >= self._due:
            self._due = time.monotonic() + AGAIN_SECONDS
            at = part()
            correct = (at.sums[1] / (at.step * self._cohort.batches.batch_size)).tolist()
            self._tell(TOLD[-1], {self._runs[k]: c for k, c in zip(self._cohort.members, correct, strict=True)})

    def after_epoch(self, values: Mapping[int, Mapping[str, float]]) -> None:
        """An epoch has been trained and measured.

        Args:
            values: By position of those that finished it.
        """
        if self._tell is not None and values:
            metric = next(name for name in TOLD if name in next(iter(values.values())))
            self._tell(metric, {i: measured[metric] for i, measured in values.items()})
