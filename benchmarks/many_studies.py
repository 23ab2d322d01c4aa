"""What :mod:`ablate.analyse` does with one study, for many simulated ones at once, as it takes hours one by one.

Nothing here decides by itself: each use holds some of its studies against the analysis (:func:`hold`), and the tests
more of them.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ablate.analyse import sequential
from ablate.analyse.bootstrap import Floats
from ablate.analyse.max_t import Scale
from ablate.analyse.sequential import Looks, Path
from ablate.analyse.sign_flip import sign_vectors

STATES = ("undecided", "told", "within")
_ROUNDING = 1e-9


class Followed:
    """What :func:`ablate.analyse.sequential.follow` finds of each study; [studies, levels]."""

    def __init__(self, differences: Floats, looks: Looks, seed: int) -> None:
        """Follow studies of which all runs are there.

        Args:
            differences: [studies, levels, seeds], NaN where there is no value.
            looks: as they were fixed.
            seed: of the sign vectors, the same for all studies.
        """
        self.looks = looks
        shape = differences.shape[:2]
        self.settled = np.zeros(shape, dtype=np.int64)
        """A place of ``STATES``."""
        self.counts = np.zeros(shape, dtype=np.int64)
        self.low, self.high = np.full((2, *shape), np.nan)
        signs = np.random.default_rng(seed).choice([-1.0, 1.0], (sequential.VECTORS + 1, looks.at[-1]))
        signs[0] = 1.0
        observed: list[Floats] = []
        centred: list[Floats] = []
        for seeds in looks.at:
            running = self.settled == 0
            if not running.any():
                break
            values = differences[..., :seeds]
            self.counts[running] = seeds
            for parts, is_centred in ((observed, False), (centred, True)):
                parts.append(parts[-1].copy() if parts else np.zeros((*shape, len(signs))))
                parts[-1][running] = _statistics(values[running], signs, centred=is_centred)
            told = self._told(observed, running)
            limit = _limits(centred, np.ones(shape, dtype=bool), looks)[-1]
            self._settle(values, limit, running, told)

    def _told(self, observed: list[Floats], running: NDArray[np.bool_]) -> NDArray[np.bool_]:
        rows = self.settled != STATES.index("told")
        found = np.zeros_like(rows)
        studies = np.flatnonzero(running.any(axis=1))
        while len(studies):
            parts = [part[studies] for part in observed]
            limits = _limits(parts, rows[studies], self.looks)
            beyond = np.any([p[..., 0] >= one[:, None] for p, one in zip(parts, limits, strict=True)], axis=0)
            beyond &= rows[studies] & running[studies]
            found[studies] |= beyond
            rows[studies] &= ~beyond
            studies = studies[beyond.any(axis=1) & rows[studies].any(axis=1)]
        return found

    def _settle(self, values: Floats, limit: Floats, running: NDArray[np.bool_], told: NDArray[np.bool_]) -> None:
        known = np.isfinite(values)
        n = known.sum(axis=2)
        mean = np.where(known, values, 0.0).sum(axis=2) / n
        spread = np.sqrt((np.where(known, values - mean[..., None], 0.0) ** 2).sum(axis=2) / (n - 1))
        of_limit = np.where(np.isfinite(limit), limit, 0.0)[:, None].repeat(values.shape[1], axis=1)
        level = 2 * special.stdtr(
            n - 1, -np.sqrt((n - 1) * np.expm1(of_limit / Scale(n.ravel()).factor.reshape(n.shape)))
        )
        half = np.where(np.isfinite(limit)[:, None], -special.stdtrit(n - 1, level / 2) * spread / np.sqrt(n), np.nan)
        low, high = mean - half, mean + half
        cut = told & (low <= 0) & (high >= 0)
        beside = np.nextafter(0.0, mean)
        low, high = np.where(cut & (mean > 0), beside, low), np.where(cut & (mean < 0), beside, high)
        alike = ~told & np.isfinite(low)
        low, high = np.where(alike, np.minimum(low, 0.0), low), np.where(alike, np.maximum(high, 0.0), high)
        within = alike & (-self.looks.margin < low) & (high < self.looks.margin)
        self.low[running], self.high[running] = low[running], high[running]
        self.settled[running & told] = STATES.index("told")
        self.settled[running & within] = STATES.index("within")

    def hold(self, study: int, path: Path) -> None:
        """Refuse to go on where the analysis finds something else in a study."""
        same = path.settled == tuple(STATES[state] for state in self.settled[study])
        same &= path.counts == tuple(self.counts[study])
        same &= np.allclose(path.low, self.low[study], equal_nan=True, atol=1e-9)
        same &= np.allclose(path.high, self.high[study], equal_nan=True, atol=1e-9)
        same &= ((path.low > 0) == (self.low[study] > 0)).all() and ((path.high < 0) == (self.high[study] < 0)).all()
        if not same:
            raise AssertionError(f"study {study}: {path} is {self.settled[study]}, {self.counts[study]} here")


def told_together(differences: Floats, seed: int, alpha: float) -> NDArray[np.bool_]:
    """Which levels :func:`ablate.analyse.max_t.together` tells from the baseline; [studies, levels].

    Args:
        differences: [studies, levels, seeds], NaN where there is no value.
        seed: of the random sign vectors, the same for all studies.
        alpha: of all levels of a study together.
    """
    signs, exact = sign_vectors(differences.shape[2], seed)
    found = _statistics(differences.reshape(-1, differences.shape[2]), signs).reshape(*differences.shape[:2], -1)
    norms = np.nansum(differences**2, axis=2)
    observed = _statistics(differences.reshape(-1, differences.shape[2]), np.ones((1, differences.shape[2])))
    observed = observed.reshape(differences.shape[:2])
    order = np.argsort(-observed, axis=1, kind="stable")
    least = np.take_along_axis(observed, order, axis=1) * (1 - _ROUNDING) - 1e-300
    largest = np.take_along_axis(found, order[..., None], axis=1)
    np.maximum.accumulate(largest[:, ::-1], axis=1, out=largest[:, ::-1])
    counts = (largest >= least[..., None]).sum(axis=2)
    shares = counts / len(signs) if exact else (counts + 1) / (len(signs) + 1)
    p = np.empty(observed.shape)
    np.put_along_axis(p, order, np.maximum.accumulate(shares, axis=1), axis=1)
    return np.asarray((p <= alpha) & (norms > 0))


def _statistics(values: Floats, signs: Floats, *, centred: bool = False) -> Floats:
    """Of [rows, seeds] under all sign vectors; [rows, vectors]."""
    known = np.isfinite(values)
    counts = known.sum(axis=1)
    values = np.where(known, values, 0.0)
    if centred:
        values = np.where(known, values - (values.sum(axis=1) / np.maximum(counts, 1))[:, None], 0.0)
    norms = np.sqrt((values**2).sum(axis=1))
    return Scale(np.maximum(counts, 2)).of(values @ signs[:, : values.shape[1]].T, norms)


def _limits(parts: list[Floats], rows: NDArray[np.bool_], looks: Looks) -> list[Floats]:
    """Of each look what a statistic of these levels [studies, levels] must reach; [studies]."""
    count = parts[0].shape[2]
    alive, found = np.ones((len(rows), count), dtype=bool), []
    studies = np.arange(len(rows))
    for look, part in enumerate(parts):
        spent = math.floor(looks.spent(look) * count + _ROUNDING)
        allowed = np.maximum(spent - (~alive).sum(axis=1), 0)
        largest = np.where(alive, np.where(rows[..., None], part, -np.inf).max(axis=1), -np.inf)
        first = -np.sort(np.partition(-largest, spent, axis=1)[:, : spent + 1], axis=1)
        beyond = first[studies, allowed]
        above = (first > (beyond + _ROUNDING * (1 + np.abs(beyond)))[:, None]).sum(axis=1)
        above = np.where(allowed > 0, above, 0)
        least = first[studies, np.maximum(above, 1) - 1]
        limit = np.where(above > 0, least - _ROUNDING * (1 + np.abs(least)), np.inf)
        found.append(limit)
        alive &= largest < limit[:, None]
    return found
