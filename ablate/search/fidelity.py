"""The fidelity of a search: a factor, such as the epochs, whose lower values say something of the highest for less.

A short run that goes to its own end (with its schedule in full) says more of a long one than the beginning of that long
one does. Settings begin at the lowest rung, and about one in ``reduction`` goes on to each next one (as in asynchronous
successive halving, Li et al. 2020); which one, :mod:`ablate.search.proposer` says. From a share of the budget on
everything is trained at full length.
"""

import math
from dataclasses import dataclass

from ablate.search.settings import Search
from ablate.search.space import Factor, Space
from ablate.task.errors import ConfigError

EXPLORED = 0.5
"""Share of the budget after which everything is trained at full length."""


@dataclass(frozen=True)
class Ladder:
    """The factor that is a space's fidelity, and the lengths at which settings are trained."""

    factor: Factor
    rungs: tuple[int, ...]
    """Shortest first; the last is the full length."""

    @property
    def full(self) -> int:
        """The full length."""
        return self.rungs[-1]

    def settings(self, runs: float, reduction: float) -> int:
        """About how many settings a budget tries.

        Args:
            runs: The budget, in runs at full length.
            reduction: One in so many goes on from each rung.
        """
        cost = sum(rung / self.full * reduction**-place for place, rung in enumerate(self.rungs))
        return math.floor(EXPLORED * runs / cost + (1 - EXPLORED) * runs)


def ladder_of(search: Search, space: Space) -> Ladder | None:
    """The rungs of a search: the highest value of its fidelity, and by ``reduction`` less, down to the lowest.

    Raises:
        ConfigError: The fidelity is no factor of the space, or none that has an order and is always there.
    """
    if search.fidelity is None:
        return None
    from optuna.distributions import IntDistribution

    place = f"study.search.fidelity = {search.fidelity}"
    factors = [factor for factor in space.factors if factor.path == search.fidelity]
    if not factors:
        known = ", ".join(sorted({factor.path for factor in space.factors}))
        raise ConfigError(f"{place}: is no factor of the space; there are {known}")
    factor = factors[0]
    if not isinstance(factor.distribution, IntDistribution) or factor.when or factor.distribution.low < 1:
        raise ConfigError(
            f"{place}: must be a range of whole numbers from 1 up, without a condition, such as {{low: 2, high: 50}}"
        )
    if len(space.factors) == 1:
        raise ConfigError(f"{place}: is the only factor of the space; a search needs another")
    low, high, step = factor.distribution.low, factor.distribution.high, factor.distribution.step
    rungs, length = [high], high / search.racing.reduction
    while length >= low - 0.5:
        rung = low + round((length - low) / step) * step
        if not low <= rung < rungs[-1]:
            break
        rungs.append(rung)
        length /= search.racing.reduction
    return Ladder(factor, tuple(reversed(rungs)))
