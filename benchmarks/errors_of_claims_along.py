"""Errors and costs of claims that are followed look by look; a part of ``python -m benchmarks.errors sequential``."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablate.analyse.bootstrap import Floats
from ablate.analyse.claim_evidence import SIDE
from ablate.analyse.claims_along import follow_claim
from ablate.analyse.equivalence import tost
from ablate.analyse.family import holm
from ablate.analyse.panel import Panel
from ablate.analyse.power import ALPHA
from ablate.analyse.sequential import Looks
from benchmarks.errors_of_claims import (
    CASES,
    FOUR,
    TOGETHER,
    claim_of,
    combined,
    pairs_of,
    pairwise_p,
    panel_of,
    sides,
    simes,
    slopes,
)
from benchmarks.noises import NOISES

LOOKS = Looks((6, 10, 16, 24, 40))
BATCH = 100
"""Studies that share their sign vectors; the first of each batch is followed by the analysis itself, too."""
NULL = [name for name in CASES if not CASES[name].fewer]
TRUE = {
    "better": (1.0, 0.0),
    "best_in, 1 of 4": (0.0, 1.0, 0.0, 0.0),
    "best_in, 3 of 10": (-1.5, -1.0, -0.7, -0.3, 0.3, 0.5, 0.3, -0.3, -0.7, -1.0),
    "peaks_inside, 5": (-0.7, 0.0, 0.3, 0.0, -0.7),
    "monotone, 3": (-1.0, 0.0, 1.0),
    "equivalent at the margin": (0.0, 0.0),
}
"""Where a claim is true: what is added to its levels' means, in standard deviations of a paired difference."""

HEAD = """## Claims

Each claim of such studies is followed by itself, at 5 % over the same looks ({studies:,} studies a row). **equal
means**: all levels have the same mean, so that any decision is false (`equivalent`: they differ by just the margin, and
only *supported* is false; its level is 0.05, that of the others 0.025 a side); `four claims together`: the share of
studies in which any of four claims is said to hold for all claims together (Holm's correction, at 0.05), at whatever
look each ends. **true**: the claim is true, by one standard deviation of a paired difference from level to level
(`best_in, 3 of 10` and `peaks_inside` by 0.6 to 2; `equivalent`: levels are alike, the margin is 0.7). **runs** is the
mean number of runs of a level; **same cost** is the share that a design supports with one number of seeds for all
levels, as many runs rounded up, and **at 40** one with 40 seeds.

{finding}
"""


def cells(studies: int) -> list[dict[str, Any]]:
    """Claim, shape and truth of each row."""
    cases = [(name, "equal means") for name in (*NULL, TOGETHER)] + [(name, "true") for name in NULL]
    return [
        {"claim": name, "means": means, "shape": shape, "studies": studies} for name, means in cases for shape in NOISES
    ]


def measure(claim: str, means: str, shape: str, studies: int, seed: int = 0) -> dict[str, float]:
    """One row: how often a claim is supported and refuted over all looks, and what that costs.

    Args:
        claim: a name of ``CASES``, or ``TOGETHER``.
        means: ``equal means`` or ``true``.
        shape: of the noise of the levels.
        studies: to simulate.
        seed: of the simulation.
    """
    generator, noise = np.random.default_rng([seed, len(claim)]), NOISES[shape]
    outcomes, runs, drawn = [], [], []
    for start in range(0, studies, BATCH):
        size = min(BATCH, studies - start)
        count = 5 if claim == TOGETHER else CASES[claim].count
        values = np.array([noise(generator, count, LOOKS.at[-1]) for _ in range(size)])
        if claim == TOGETHER:
            found = [follow_all(name, values[:, : CASES[name].count], start) for name in FOUR]
            least = np.array([2 * p for _, p, _ in found]).T
            corrected = np.array([holm(row) for row in np.minimum(1.0, least).tolist()], dtype=float)
            outcomes.append(
                ((corrected <= ALPHA) & (np.array([o for o, _, _ in found]).T != 0)).any(axis=1).astype(int)
            )
            continue
        shift = np.array(TRUE[claim]) * 2**0.5 if means == "true" else np.zeros(count)
        shift[0] += claim_of(claim).margin if means == "equal means" else 0.0
        values += shift[:, None]
        outcome, _, counts = follow_all(claim, values, start)
        outcomes.append(outcome)
        runs.append(counts.mean(axis=1))
        drawn.append(values)
    decided = np.concatenate(outcomes)
    row = {
        "supported": float((decided > 0).mean()),
        "refuted": float((decided < 0).mean()) if claim != TOGETHER else math.nan,
        "runs": float(np.concatenate(runs).mean()) if runs else math.nan,
        "same cost": math.nan,
        "at 40": math.nan,
    }
    if means == "true":
        for name, n in (("same cost", math.ceil(row["runs"] - 1e-9)), ("at 40", LOOKS.at[-1])):
            right = [_fixed(claim, values[..., :n], place) for place, values in enumerate(drawn)]
            row[name] = float(np.concatenate(right).mean())
    return row


def follow_all(name: str, values: Floats, seed: int) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64]]:
    """What comes of a claim in each study, look after look, as :mod:`ablate.analyse.claims_along` has it.

    Args:
        name: of ``CASES``.
        values: [studies, levels, seeds].
        seed: of random sign vectors, the same for all studies.

    Returns:
        1: supported, -1: refuted, 0: undecided; the smaller p; and the seeds of each level, [studies, levels].
    """
    studies, levels, _ = values.shape
    outcome, least = np.zeros(studies, dtype=np.int64), np.ones(studies)
    counts, active = np.zeros((studies, levels), dtype=np.int64), np.ones((studies, levels), dtype=bool)
    over = np.ones((studies, levels, levels))
    for n, share in zip(LOOKS.at, LOOKS.shares(), strict=True):
        on = np.flatnonzero(active.any(axis=1))
        counts[on] = np.where(active[on], n, counts[on])
        if share == 0 or not len(on):
            continue
        part = LOOKS.alpha / share
        tests = _tests(name, values[on, :, :n], seed)
        anew = active[on][:, :, None] & active[on][:, None, :]
        over[on] = np.minimum(over[on], np.where(anew, np.minimum(1.0, tests * part), 1.0))
        is_equivalence = CASES[name].kind == "equivalent"
        p, against = (over[on, 0, 1], over[on, 1, 0]) if is_equivalence else combined(name, over[on])
        side = ALPHA if is_equivalence else SIDE
        outcome[on] = (p <= side).astype(np.int64) - (against <= side)
        least[on] = np.minimum(p, against)
        active[on] &= _in_question(name, over[on], active[on]) & (outcome[on] == 0)[:, None]
    _hold(name, values[0], seed, outcome[0], counts[0])
    return outcome, least, counts


def _tests(name: str, values: Floats, seed: int) -> Floats:
    """P of all pairs at one look; of equivalence for it at [0, 1] and against it at [1, 0]."""
    if CASES[name].kind != "equivalent":
        return pairwise_p(values, seed, pairs_of(name))
    found = np.ones((len(values), 2, 2))
    below, above = np.array([tost(row, claim_of(name).margin) for row in values[:, 0] - values[:, 1]]).T
    found[:, 0, 1], found[:, 1, 0] = np.maximum(below, above), np.minimum(1 - below, 1 - above)
    return found


def _in_question(name: str, over: Floats, active: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Levels that go on by the rule of the analysis; [studies, levels]."""
    kind, every = CASES[name].kind, range(over.shape[1])
    found = np.zeros(active.shape, dtype=bool)

    def keep(i: int, j: int, is_open: NDArray[np.bool_]) -> None:
        both = is_open & active[:, i] & active[:, j]
        found[both, i] = found[both, j] = True

    if kind in ("better", "equivalent"):
        keep(0, 1, np.ones(len(over), dtype=bool))
    elif kind == "monotone":
        for i in every[:-1]:
            keep(i, i + 1, over[:, i + 1, i] > SIDE)
    else:
        inside, outside = sides(name, every)
        any_open = np.zeros(len(over), dtype=bool)
        for out in outside:
            is_open = simes(over[:, inside, out]) > SIDE
            any_open |= is_open
            for i in inside:
                keep(i, out, is_open & (over[:, out, i] > SIDE / len(outside)))
        if kind == "peaks_inside":
            pairs: Sequence[tuple[int, int]] = slopes(inside, every)
            likeliest = np.argmin([over[:, i, j] for i, j in pairs], axis=0)
            for place, (i, j) in enumerate(pairs):
                keep(i, j, ~any_open & (likeliest == place))
    return found


def _hold(name: str, values: Floats, seed: int, outcome: int, counts: NDArray[np.int64]) -> None:
    """Hold a study against the analysis."""

    def observe(wanted: Sequence[int]) -> Panel:
        part = values.copy()
        for row, n in enumerate(wanted):
            part[row, n:] = np.nan
        return panel_of(part)

    path = follow_claim(claim_of(name), observe, tuple(range(len(values))), LOOKS, seed=seed)
    expected = ("refuted", "undecided", "supported")[outcome + 1]
    if (path.verdict.outcome, path.counts) != (expected, tuple(counts.tolist())):
        raise AssertionError(f"{name}: {path} is {expected} with {counts} seeds here")


def _fixed(name: str, values: Floats, seed: int) -> NDArray[np.bool_]:
    """Whether a claim is supported with as many seeds at every level."""
    tests = _tests(name, values, seed)
    if CASES[name].kind == "equivalent":
        return np.asarray(tests[:, 0, 1] <= ALPHA)
    return np.asarray(combined(name, tests)[0] <= SIDE)
