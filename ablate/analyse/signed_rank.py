"""How probable it is that two levels are practically the same: the Bayesian signed rank test.

Benavoli et al. 2017 (*JMLR* 18, *Time for a Change*, section 4.2; ``baycomp.SignedRankTest``): the differences of the
seeds, with one of 0 before them that weighs half as much as a seed, are weighted by a Dirichlet distribution; for each
draw the weight of all means of two differences below, within and above the region of practical equivalence is summed,
and the probability of each is how often its sum is the largest. Where TOST says how rarely chance would speak for
equivalence, this says how probable equivalence is after these runs; it decides nothing here.
"""

from dataclasses import dataclass

import numpy as np

from ablate.analyse.bootstrap import Floats

PRIOR = 0.5
"""Weight of the difference of 0 before all data, in seeds."""
DRAWS = 10_000


@dataclass(frozen=True)
class Practically:
    """Probabilities that a difference is practically negative, none and positive; their sum is 1."""

    below: float
    same: float
    above: float


def signed_rank(differences: Floats, margin: float, seed: int = 0) -> Practically:
    """The posterior probabilities of a paired difference.

    Args:
        differences: [n], n >= 1.
        margin: half of the width of the region of practical equivalence, > 0.
        seed: of the draws.
    """
    values = np.concatenate([[0.0], differences])
    sums = values[:, None] + values
    weights = np.random.default_rng(seed).dirichlet([PRIOR, *[1.0] * len(differences)], DRAWS)
    above, below = (_share(weights, np.heaviside(side - 2 * margin, 0.5)) for side in (sums, -sums))
    shares = np.stack([below, 1 - below - above, above])
    counts = np.bincount(shares.argmax(axis=0), minlength=3) / DRAWS
    return Practically(*counts.tolist())


def _share(weights: Floats, counted: Floats) -> Floats:
    """The weight of the pairs that count, [draws]."""
    return np.asarray(((weights @ counted) * weights).sum(axis=1))
