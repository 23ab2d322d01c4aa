"""How far levels and claims got in a study that adds seeds look by look."""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["supported", "refuted", "undecided"]


@dataclass(frozen=True)
class Course:
    """How far a level got in a study that adds seeds look by look."""

    look: int
    """The look at which it was settled, else the last one made, counted from 1; 0: none was made."""
    looks: int
    """Looks that were made of the study."""
    seeds: int
    """The seeds that count for it: those up to its look."""
    settled: Literal["told", "within", "undecided"]
    """``told`` from the baseline, ``within`` the margin of it, or neither."""


@dataclass(frozen=True)
class ClaimLook:
    """A look at a claim."""

    seeds: int
    """How many each of the ``levels`` had."""
    levels: tuple[str, ...]
    """The labels of those that were in question still, and had so many seeds."""
    outcome: Outcome
    p: float | None
    """p of the hypothesis that the claim is false, over this look and all before it."""
    p_against: float | None
