"""Seeds that are added look by look: ``study.seeds: {looks: [6, 10, 16, 24, 40], alpha: 0.05, margin: 0.005}``."""

from itertools import pairwise
from typing import Annotated

from pydantic import Field, field_validator

from ablate.plan.visible_differences import fewest_seeds
from ablate.task.fields import Fields

MAX_SEEDS = 100_000
"""Most seeds of a study."""


class Looks(Fields):
    """When a study looks at its seeds; fixed before the first run."""

    looks: Annotated[tuple[Annotated[int, Field(ge=2, le=MAX_SEEDS)], ...], Field(max_length=100)]
    """Numbers of seeds, ascending; the last is the cap."""
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """Probability that any level is told falsely from the baseline, at any look; of each claim by itself, too, that it
    is decided falsely at any look."""
    margin: Annotated[float, Field(ge=0)] = 0.0
    """A level that is known to be within it of the baseline gets no more seeds, nor do two levels for a claim that are
    known to be so near to what it says of them; in the unit of the study's last metric. 0: none is settled so."""

    @field_validator("looks")
    @classmethod
    def _looks(cls, looks: tuple[int, ...]) -> tuple[int, ...]:
        if len(looks) < 2 or any(a >= b for a, b in pairwise(looks)):
            raise ValueError(f"looks = {list(looks)}: must be at least two numbers of seeds, each larger than the last")
        if looks[-1] < (needed := fewest_seeds(1, "max-t")):
            raise ValueError(
                f"looks = {list(looks)}: {looks[-1]} seeds can decide nothing; the last look needs {needed}"
            )
        return looks
