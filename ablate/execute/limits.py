"""When a sweep leaves off before everything is trained."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from ablate.execute.summary import Failure


@dataclass(frozen=True)
class Limits:
    """What ends a sweep early; the same command goes on from there."""

    fail_fast: bool = False
    """Whether the sweep ends at the first run that fails; what is in training then is given up."""
    hours: float | None = None
    """After so long no cohort is begun; what is in training is brought to its end. None: no limit."""

    def after(self, seconds: float) -> Self:
        """What is left of them after so long."""
        return self if self.hours is None else replace(self, hours=max(0.0, self.hours - seconds / 3600))

    def is_out_of_time(self, seconds: float) -> bool:
        """Whether a sweep that has taken so long begins nothing more."""
        return self.hours is not None and seconds >= self.hours * 3600

    def why_over(self, failures: Sequence[Failure], seconds: float, *, is_training: bool) -> str | None:
        """Why a sweep ends now, for people; None: it goes on.

        Args:
            failures: Of its runs.
            seconds: That it has taken.
            is_training: Whether anything is in training.
        """
        if self.fail_fast and failures:
            return f"a run has failed, and nothing more is trained: {failures[0].description}"
        if self.is_out_of_time(seconds) and not is_training:
            return "the time is over (--max-hours), and nothing more is trained"
        return None
