"""When a sweep leaves off before everything is trained."""

from dataclasses import dataclass, replace
from typing import Self


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
