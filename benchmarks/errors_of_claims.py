"""Errors of claims about simulated studies; a part of ``python -m benchmarks.errors``."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ablate.analyse.bootstrap import Floats
from ablate.analyse.claims import SIDE, hold_together, judge_panel
from ablate.analyse.equivalence import tost
from ablate.analyse.family import holm
from ablate.analyse.panel import Level, Panel
from ablate.analyse.power import ALPHA
from ablate.analyse.sign_flip import sign_vectors
from ablate.task.claim import Claim
from benchmarks.noises import NOISES
from benchmarks.shapes import ACCURACY

SEEDS = (3, 5, 8, 10, 20)
BATCH = 50
"""Studies that share their sign vectors; the first of each batch is judged by the analysis itself, too."""

HEAD = """# Errors of claims

`python -m benchmarks.errors claims --write`: {studies:,} studies a cell (standard error at 0.025: {error:.4f}), levels
with equal means: how often a claim about them is nevertheless **supported**, and **refuted** where that is false, too;
each at a level of 0.025. `equivalent` is tested where the levels differ by just the margin, on either side at 0.05.
`fewer seeds`: the first level lacks a third of its seeds. `four claims together` is the share of studies in which any
of four claims is said to hold for all claims together (Holm's correction, at 0.05), `four claims, each by itself` that
in which any of them is decided. A dash: such a decision is no error.

{finding}
"""


@dataclass(frozen=True)
class Case:
    """A claim about levels of a simulated study."""

    kind: str
    levels: tuple[int, ...]
    """Those that it names."""
    count: int
    """Levels of the study."""
    fewer: bool = False
    """Whether the first level lacks a third of its seeds."""


CASES = {
    "better": Case("better", (0, 1), 2),
    "better, fewer seeds": Case("better", (0, 1), 2, fewer=True),
    "best_in, 1 of 4": Case("best_in", (1,), 4),
    "best_in, 3 of 10": Case("best_in", (4, 5, 6), 10),
    "peaks_inside, 5": Case("peaks_inside", (), 5),
    "monotone, 3": Case("monotone", (0, 1, 2), 3),
    "equivalent at the margin": Case("equivalent", (0, 1), 2),
}
FOUR = ("better", "best_in, 1 of 4", "peaks_inside, 5", "monotone, 3")
TOGETHER, ALONE = "four claims together", "four claims, each by itself"
LEVELS = {"equivalent at the margin": 0.05, TOGETHER: 0.05}
"""Of the test of a claim, where it is not 0.025."""


def cells(studies: int) -> list[dict[str, Any]]:
    """Claim, shape and number of seeds of each row."""
    return [
        {"claim": name, "shape": shape, "seeds": n, "studies": studies}
        for name in (*CASES, TOGETHER)
        for shape in NOISES
        for n in SEEDS
    ]


def measure(claim: str, shape: str, seeds: int, studies: int, seed: int = 0) -> dict[str, float]:
    """Shares of studies in which a claim is supported, and refuted.

    Of several claims ``supported`` says in which any is decided together with the others, ``alone`` by itself.

    Args:
        claim: a name of ``CASES``, or ``TOGETHER``.
        shape: of the noise of the levels.
        seeds: of each level.
        studies: to simulate.
        seed: of the simulation.
    """
    generator, noise = np.random.default_rng([seed, seeds]), NOISES[shape]
    supported, refuted, alone = 0, 0, 0
    for start in range(0, studies, BATCH):
        size = min(BATCH, studies - start)
        if claim == TOGETHER:
            values = np.array([noise(generator, 5, seeds) for _ in range(size)])
            outcomes, together = _together(values, start)
            supported, alone = supported + int(together.sum()), alone + int((outcomes != 0).any(axis=1).sum())
        else:
            case = CASES[claim]
            values = np.array([noise(generator, case.count, seeds) for _ in range(size)])
            values[:, 0] += claim_of(claim).margin
            if case.fewer:
                values[:, 0, : seeds // 3] = np.nan
            found, _ = _judged(claim, values, start)
            supported, refuted = supported + int((found > 0).sum()), refuted + int((found < 0).sum())
    is_error = claim != TOGETHER and CASES[claim].kind != "equivalent"
    return {
        "supported": supported / studies,
        "refuted": refuted / studies if is_error else math.nan,
        "alone": alone / studies if claim == TOGETHER else math.nan,
    }


def _together(values: Floats, seed: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Outcomes of four claims about the same levels [studies, claims], and whether any holds for all; [studies]."""
    judged = [_judged(name, values[:, : CASES[name].count], seed) for name in FOUR]
    outcomes, p = (np.array(part).T for part in zip(*judged, strict=True))
    corrected = np.array([holm(row) for row in np.minimum(1.0, 2 * p).tolist()], dtype=float)
    found = ((corrected <= ALPHA) & (outcomes != 0)).any(axis=1)
    first = panel_of(values[0])
    each = [judge_panel(first.subset(range(CASES[name].count)), claim_of(name), seed=seed) for name in FOUR]
    if any(verdict.decided_with_others for verdict in hold_together(each)) != found[0]:
        raise AssertionError("claims of many studies are not judged together as those of one")
    return outcomes, found


def _judged(name: str, values: Floats, seed: int) -> tuple[NDArray[np.int64], Floats]:
    """What comes of a claim in each study, and the smaller p.

    As :mod:`ablate.analyse.claims` has it, which judges the first study, too.

    Args:
        name: of ``CASES``.
        values: [studies, levels, seeds]; a level lacks the same seeds in all studies.
        seed: of random sign vectors, the same for all studies.

    Returns:
        1: supported, -1: refuted, 0: undecided; [studies].
    """
    kind, side = CASES[name].kind, SIDE
    if kind == "equivalent":
        differences = values[:, 0] - values[:, 1]
        below, above = np.array([tost(row, claim_of(name).margin) for row in differences]).T
        p, against, side = np.maximum(below, above), np.minimum(1 - below, 1 - above), ALPHA
    else:
        p, against = combined(name, pairwise_p(values, seed, pairs_of(name)))
    found = (p <= side).astype(np.int64) - (against <= side)
    verdict = judge_panel(panel_of(values[0]), claim_of(name), seed=seed)
    if ("refuted", "undecided", "supported")[found[0] + 1] != verdict.outcome:
        raise AssertionError(f"{name}: {verdict} is {found[0]} here, p = {p[0]} and {against[0]}")
    return found, np.minimum(p, against)


def combined(name: str, tests: Floats) -> tuple[Floats, Floats]:
    """P of the hypothesis that a claim is false, and that it is true, from those of pairs; [studies].

    Args:
        name: of ``CASES``, not one of equivalence.
        tests: [studies, levels, levels], as :func:`pairwise_p` gives them.
    """
    kind, every = CASES[name].kind, range(tests.shape[1])
    if kind == "better":
        return tests[:, 0, 1], tests[:, 1, 0]
    if kind == "monotone":
        pairs = [(i, j) for i in every for j in every if i < j]
        p = np.max([tests[:, j, i] for i, j in pairs if j == i + 1], axis=0)
        return p, np.minimum(1.0, len(pairs) * np.min([tests[:, i, j] for i, j in pairs], axis=0))
    inside, outside = sides(name, every)
    p = np.max([simes(tests[:, inside, out]) for out in outside], axis=0)
    against = simes(np.array([tests[:, out][:, inside].max(axis=1) for out in outside]).T)
    if kind == "peaks_inside":
        back = np.array([tests[:, i, j] for i, j in slopes(inside, every)])
        reversal = np.minimum(1.0, len(back) * back.min(axis=0))
        p = np.where(reversal > SIDE, p, 1.0)
        against = np.minimum(1.0, 2 * np.minimum(against, reversal))
    return p, against


def pairs_of(name: str) -> list[tuple[int, int]] | None:
    """The pairs that a claim tests; None: all."""
    if CASES[name].kind not in ("best_in", "peaks_inside"):
        return None
    every = range(CASES[name].count)
    inside, outside = sides(name, every)
    on_the_way = slopes(inside, every) if CASES[name].kind == "peaks_inside" else []
    return [*product(inside, outside), *(pair for pair in on_the_way if (pair[0] in inside) == (pair[1] in inside))]


def sides(name: str, every: Sequence[int]) -> tuple[list[int], list[int]]:
    """The levels among which a claim says that the best lies, and the others."""
    inside = list(CASES[name].levels or every[1:-1])
    return inside, [row for row in every if row not in inside]


def slopes(inside: list[int], every: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs of levels on the way to a peak, from either side."""
    ways = (list(every[: inside[0] + 1]), list(every[: inside[-1] - 1 : -1]))
    return [(i, j) for way in ways for place, i in enumerate(way) for j in way[place + 1 :]]


def pairwise_p(values: Floats, seed: int, wanted: Iterable[tuple[int, int]] | None = None) -> Floats:
    """One-sided p of "the first is at most as good as the second" of pairs; [studies, levels, levels].

    As :func:`ablate.analyse.sign_flip.sign_flip` has it, whose signs are drawn once for both sides here.

    Args:
        values: [studies, levels, seeds]; a level lacks the same seeds in all studies.
        seed: of random sign vectors.
        wanted: Pairs to test; those of others are 1. None: all.
    """
    studies, levels, _ = values.shape
    tests = np.ones((studies, levels, levels))
    for i, j in wanted or combinations(range(levels), 2):
        differences = values[:, i] - values[:, j]
        differences = differences[:, np.isfinite(differences[0])]
        signs, is_exact = sign_vectors(differences.shape[1], seed)
        sums, flipped = differences.sum(axis=1, keepdims=True), differences @ signs.T
        rounding = 1e-9 * np.abs(differences).sum(axis=1, keepdims=True)
        above, below = (flipped >= sums - rounding).sum(axis=1), (flipped <= sums + rounding).sum(axis=1)
        if is_exact:  # the other half of the signs
            above += (flipped <= rounding - sums).sum(axis=1)
            below += (flipped >= -rounding - sums).sum(axis=1)
            tests[:, i, j], tests[:, j, i] = above / (2 * len(signs)), below / (2 * len(signs))
        else:
            tests[:, i, j], tests[:, j, i] = (above + 1) / (len(signs) + 1), (below + 1) / (len(signs) + 1)
    return tests


def simes(p: Floats) -> Floats:
    """One p for each row of [studies, hypotheses] (:func:`ablate.analyse.best.simes`)."""
    m = p.shape[1]
    return np.asarray((np.sort(p, axis=1) * (m / np.arange(1, m + 1))).min(axis=1))


def level_of(frame: pd.DataFrame) -> pd.Series:
    """The level of the test of each row."""
    return frame["claim"].map(lambda name: LEVELS.get(name, 0.025))


def shown(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per claim and shape, a column per number of seeds."""
    alone = frame[frame["claim"] == TOGETHER]
    alone = alone.assign(claim=ALONE, supported=alone["alone"])
    rows = []
    for (claim, shape), part in pd.concat([frame, alone]).groupby(["claim", "shape"], sort=False):
        by_seeds = part.set_index("seeds")
        row: dict[str, object] = {"claim": claim, "shape": shape}
        row |= {f"{n} seeds": float(by_seeds["supported"][n]) for n in SEEDS}
        rows.append(row | {f"refuted, {n}": float(by_seeds["refuted"][n]) for n in SEEDS})
    return pd.DataFrame(rows)


def claim_of(name: str) -> Claim:
    """The claim of a case."""
    case = CASES[name]
    margin = 1.0 if case.kind == "equivalent" else 0.0
    return Claim(name, name, case.kind, "factor", ACCURACY.name, case.levels, margin=margin)  # type: ignore[arg-type]


def panel_of(values: Floats) -> Panel:
    """The panel of a study's values, [levels, seeds]; NaN where there is no run."""
    levels = tuple(Level(order, str(order), order, order == 0) for order in range(len(values)))
    there = np.isfinite(values)
    seeds = tuple(range(values.shape[1]))
    return Panel("errors", "factor", ACCURACY, levels, seeds, values, there, ~there & False, ~there & False)
