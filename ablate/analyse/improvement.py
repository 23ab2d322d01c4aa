"""On how many seeds a level does better than the baseline, and evidence that holds whenever seeds are added.

The probability of improvement, P(A > B): how often a run of the level beats the run of the baseline with the same seed
(Bouthillier et al. 2021, *Accounting for Variance in Machine Learning Benchmarks*; Agarwal et al. 2021, *Deep
Reinforcement Learning at the Edge of the Statistical Precipice*, with each seed as a task). Equal values count half, a
diverged run is beaten by every finished one. The interval is Wilson's, of each level by itself: the percentile
bootstrap of the sources says [1, 1] after ten wins of ten. A mean can be better where most runs are worse, and the
other way round: a few runs that collapse, or excel, do it.

Whoever looks at a table and then adds seeds has tested more than once, and p does not know. An e-value does: it is what
a player owns who bets on the sign of every seed's difference, fairly if the levels are alike, having begun with 1;
whenever he stops he owns 1 on average, and 20 or more with a probability of at most 5 % (Ville's inequality; Ramdas et
al. 2020, *Admissible anytime-valid sequential inference must rely on nonnegative martingales*; Howard et al. 2021,
*Annals of Statistics* 49). A seed's stake is tanh(c r), r its difference over the root mean square of those up to it,
as the sign is fair whatever the size is: a product of 1 ± tanh(c r), averaged over both directions and c = 0.5, 1 and
2. The levels told from the baseline are those of e-BH (Wang and Ramdas 2022, *J. R. Statist. Soc. B* 84): of them at
most 5 % are told falsely on average, however levels depend on each other. One level takes seven seeds at least; a
difference of one and a half standard deviations nine on average, one of half of one is found with 40 seeds in 60 % of
studies. Seeds count in ascending order: those that are added need larger numbers.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ablate.analyse.bootstrap import CONFIDENCE, Floats
from ablate.analyse.panel import Panel
from ablate.analyse.power import ALPHA
from ablate.analyse.results import Improvement, Interval
from ablate.analyse.uneven import wilson

STAKES = (0.5, 1.0, 2.0)
_MOST = 15.0
"""Beyond, tanh is 1 to all digits, and one loss would be the end."""


def improvements(panel: Panel, base: int) -> list[Improvement | None]:
    """What each level's runs say against the baseline's, seed by seed; None without a seed that ended at both.

    Args:
        panel: the factor and metric.
        base: row of the baseline.
    """
    known = np.isfinite(panel.values) | panel.diverged
    both = known & known[base]
    ranks = np.where(panel.diverged, -np.inf, panel.values * panel.metric.sign)
    signs = np.where(both, (ranks > ranks[base]).astype(float) - (ranks < ranks[base]), 0.0)
    differences = np.where(both & ~(panel.diverged | panel.diverged[base]), panel.values - panel.values[base], np.nan)
    e = e_values(signs, differences)
    found: list[Improvement | None] = []
    for row, n in enumerate(both.sum(axis=1).tolist()):
        wins, losses = int((signs[row] > 0).sum()), int((signs[row] < 0).sum())
        share = (n + wins - losses) / 2
        interval = Interval(*wilson(share, n), CONFIDENCE, "wilson") if n else None
        found.append(Improvement(n, wins, losses, share / n, interval, float(e[row])) if interval else None)
    return found


def e_values(signs: Floats, differences: Floats) -> Floats:
    """Evidence against "no seed's difference is likelier to be d than -d", [levels].

    Args:
        signs: [levels, seeds] in the order of the seeds: 1 better, -1 worse, 0 equal or not there.
        differences: [levels, seeds], their sizes with any sign; NaN where one run diverged: as much as any seed before.
    """
    known = np.isfinite(differences)
    sizes = np.where(known, np.abs(differences), 0.0)
    scale = np.sqrt(np.cumsum(sizes**2, axis=1) / np.maximum(np.cumsum(known, axis=1), 1))
    sizes = np.divide(sizes, scale, out=np.zeros_like(sizes), where=scale > 0)
    sizes = np.where(known, sizes, np.maximum(1.0, np.maximum.accumulate(sizes, axis=1)))
    owned = np.zeros(len(signs))
    for stake in STAKES:
        bets = np.tanh(np.minimum(stake * sizes, _MOST)) * signs
        owned += np.exp(np.log1p(bets).sum(axis=1)) + np.exp(np.log1p(-bets).sum(axis=1))
    return np.asarray(owned / (2 * len(STAKES)))


def told_by(e: Sequence[float | None], alpha: float = ALPHA) -> NDArray[np.bool_]:
    """The hypotheses that e-BH rejects: the k largest e for the greatest k of which each is at least m / (alpha k).

    Args:
        e: of each hypothesis; None is not tested and not counted.
        alpha: rate of false rejections among all.
    """
    values = np.array([-1.0 if value is None else value for value in e])
    tested = sum(value is not None for value in e)
    ordered = np.sort(values)[::-1]
    enough = np.flatnonzero(ordered * np.arange(1, len(values) + 1) >= tested / alpha)
    return np.asarray(values >= ordered[enough[-1]] if len(enough) else np.zeros(len(values), dtype=bool))
