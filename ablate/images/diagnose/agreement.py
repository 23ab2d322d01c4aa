"""How far two maps of one picture agree; pure NumPy.

A map is an anecdote: another seed's network may look elsewhere. So maps of two levels are compared picture by picture
and seed by seed, beside the agreement that seeds of one level have among themselves.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

TOP = 0.1
"""Share of a map's pixels that count as where the network looks."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """How far maps of the same pictures agree; NaN of a picture where a map is constant and says nothing."""

    rank: Floats
    """``[n]``: Spearman's rank correlation of the pixels, mean over the pictures; a value a seed."""
    overlap: Floats
    """``[n]``: pixels in both maps' top 10 %, as a share of those in either's, mean over the pictures; a value a seed.
    """


def silent(maps: NDArray[np.floating]) -> float:
    """Share of maps ``[..., H, W]`` that are constant: they say nothing, and are in no mean."""
    return float((np.ptp(maps, axis=(-2, -1)) == 0).mean())


def rank_correlation(a: NDArray[np.floating], b: NDArray[np.floating]) -> Floats:
    """Spearman's rank correlation of the pixels of each picture.

    Args:
        a: Maps ``[N, H, W]``.
        b: Of the same pictures, of the same shape.

    Returns:
        ``[N]``; NaN where a map is constant.
    """
    ranks = [rankdata(np.asarray(maps, dtype=np.float64).reshape(len(maps), -1), axis=1) for maps in (a, b)]
    first, second = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
        return np.asarray((first * second).sum(axis=1) / scale, dtype=np.float64)


def overlap_of_top(a: NDArray[np.floating], b: NDArray[np.floating], top: float = TOP) -> Floats:
    """Intersection over union of the pixels where each map is highest.

    Args:
        a: Maps ``[N, H, W]``.
        b: Of the same pictures, of the same shape.
        top: Share of the pixels; those equal to the last that counts do too, but never a map's lowest value.

    Returns:
        ``[N]``; NaN where a map is constant. Maps of pixels drawn at random have ``top / (2 - top)`` (0.05).
    """
    first, second = _top(a, top), _top(b, top)
    with np.errstate(invalid="ignore"):
        shares = (first & second).sum(axis=1) / (first | second).sum(axis=1)
    return np.where(first.any(axis=1) & second.any(axis=1), shares, np.nan)


def _top(maps: NDArray[np.floating], top: float) -> NDArray[np.bool_]:
    flat = np.asarray(maps, dtype=np.float64).reshape(len(maps), -1)
    count = max(1, round(top * flat.shape[1]))
    last = np.partition(flat, -count, axis=1)[:, [-count]]
    return np.asarray((flat >= last) & (flat > flat.min(axis=1, keepdims=True)))


def between_levels(a: NDArray[np.floating], b: NDArray[np.floating]) -> Agreement:
    """How far the maps of two levels agree at the same seeds.

    Args:
        a: ``[seeds, N, H, W]``.
        b: Maps of the other level, the same seeds and pictures.
    """
    return _agreement(list(zip(a, b, strict=True)))


def within_level(maps: NDArray[np.floating]) -> Agreement:
    """How far maps agree for all pairs of seeds of one level, where nothing but the seed differs.

    Pairs share seeds, so that an interval over them would be too narrow: what is returned are the jackknife's
    pseudo-values, whose mean is the mean over the pairs and whose spread is that over the seeds (Arvesen 1969).

    Args:
        maps: ``[seeds, N, H, W]``, at least two seeds.
    """
    n = len(maps)
    pairs = list(combinations(range(n), 2))
    found = _agreement([(maps[i], maps[j]) for i, j in pairs])
    return Agreement(*(_pseudo_values(values, pairs, n) for values in (found.rank, found.overlap)))


def _pseudo_values(values: Floats, pairs: list[tuple[int, int]], n: int) -> Floats:
    if n < 3:
        return values
    without = [values[[left not in pair for pair in pairs]].mean() for left in range(n)]
    pseudo: Floats = n * values.mean() - (n - 1) * np.array(without)
    return pseudo


def _agreement(pairs: list[tuple[NDArray[np.floating], NDArray[np.floating]]]) -> Agreement:
    return Agreement(
        np.array([_mean(rank_correlation(*pair)) for pair in pairs], dtype=np.float64),
        np.array([_mean(overlap_of_top(*pair)) for pair in pairs], dtype=np.float64),
    )


def _mean(values: Floats) -> float:
    """Over the pictures whose maps say something."""
    kept = values[np.isfinite(values)]
    return float(kept.mean()) if len(kept) else float("nan")
