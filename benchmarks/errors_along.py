"""Errors and costs of simulated studies that add seeds look by look; a part of ``python -m benchmarks.errors``."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablate.analyse.bootstrap import Floats
from ablate.analyse.family import correct, holm
from ablate.analyse.power import ALPHA
from ablate.analyse.sequential import Looks, follow
from ablate.analyse.sign_flip import sign_flip
from benchmarks.many_studies import STATES, Followed, told_together
from benchmarks.noises import NOISES

LOOKS = Looks((6, 10, 16, 24, 40))
BATCH = 25
"""Studies that share their sign vectors; the first of each batch is held against the analysis."""
MOST_BY_HOLM = 10
"""Levels up to which 999 flips are enough for Holm's correction."""

HEAD = """# Errors and costs of studies that add seeds look by look

`python -m benchmarks.errors sequential --write`: {studies:,} studies a row (standard error at 0.05: {error:.4f}), looks
at 6, 10, 16, 24 and 40 seeds, 5 % over all of them and all levels. **effect** is how far the levels that differ lie
from the baseline, in standard deviations of a paired difference: none (`all alike`), every level (`all differ`) or half
of them (`half differ`); with `fewer values` every third level lacks the value of every third seed. **false** is the
share of studies in which any level that has the baseline's mean is told from it, at any look; **found** the share of
the levels that differ which are told; **intervals** the share of studies in which all repeated intervals hold the
truth; **runs** the mean number of runs of a setting, the baseline's among them.

Where levels differ, designs with a fixed number of seeds stand beside it, judged as tables are: of the **same cost**
(**runs** rounded up), by max-T and by **Holm**'s correction, and of **10 seeds**. **naive** tries 6, 10, 16, 24 and 40
seeds one after the other until something is told, with no allowance for the looks. Holm has no column at 50 levels, as
999 flips are too few for it.

{finding}
"""


def cells(studies: int) -> list[dict[str, Any]]:
    """Shape, case, number of levels and effect of each row."""
    null = [("all alike", 0.0), ("half differ", 1.0), ("fewer values", 0.0)]
    cases = [(levels, *case) for levels in (2, 10) for case in null]
    cases += [(levels, "all differ", effect) for levels in (2, 10) for effect in (0.5, 1.0, 1.5)]
    cases += [(50, *case) for case in null] + [(50, "all differ", 1.0)]
    return [
        {"shape": shape, "case": case, "levels": levels, "effect": effect, "studies": studies}
        for levels, case, effect in cases
        for shape in NOISES
    ]


def measure(shape: str, case: str, levels: int, effect: float, studies: int, seed: int = 0) -> dict[str, float]:
    """One row: what a study with looks tells and costs, and what fixed ones tell.

    Args:
        shape: of the noise of levels and baseline.
        case: which levels differ, and which values are there; see the head of the table.
        levels: beside the baseline.
        effect: in standard deviations of a paired difference.
        studies: to simulate.
        seed: of the simulation.
    """
    generator, cap, noise = np.random.default_rng([seed, levels]), LOOKS.at[-1], NOISES[shape]
    truth = np.zeros(levels)
    truth[: {"all differ": levels, "half differ": levels // 2}.get(case, 0)] = effect * 2**0.5
    told, naive, runs, held, drawn = [], [], [], [], []
    for start in range(0, studies, BATCH):
        values = np.array([noise(generator, levels + 1, cap) for _ in range(min(BATCH, studies - start))])
        differences = values[:, 1:] - values[:, :1] + truth[:, None]
        if case == "fewer values":
            differences[:, ::3, ::3] = np.nan
        drawn.append(differences)
        followed = Followed(differences, LOOKS, start)
        one, there = differences[0], np.ones((levels, cap), dtype=bool)
        followed.hold(0, follow(levels, lambda _, d=one, t=there: (d, t), LOOKS, start))
        told.append(followed.settled == STATES.index("told"))
        runs.append((followed.counts.sum(axis=1) + followed.counts.max(axis=1)) / (levels + 1))
        inside = (followed.low <= truth) & (truth <= followed.high) | np.isnan(followed.low)
        held.append(inside.all(axis=1))
        if case == "all alike":
            tried = [told_together(differences[..., :n], start, ALPHA) for n in LOOKS.at]
            naive.append(np.any(tried, axis=0))
    row = _shares(told, truth, "")
    row |= {"intervals": float(np.concatenate(held).mean()), "runs": float(np.concatenate(runs).mean())}
    row |= {"false: naive": _shares(naive, truth, "")["false"]}
    fixed = math.ceil(row["runs"] - 1e-9)
    rivals = drawn if truth.any() else []  # what fixed designs err where nothing differs is in the table of tables
    row |= _shares([_told(part, fixed, place) for place, part in enumerate(rivals)], truth, ": same cost")
    by_holm = [_told_by_holm(part[..., :fixed], place) for place, part in enumerate(rivals) if levels <= MOST_BY_HOLM]
    row |= _shares(by_holm, truth, ": Holm")
    return row | _shares([_told(part, 10, place) for place, part in enumerate(rivals)], truth, ": 10 seeds")


def _told(differences: Floats, n: int, seed: int) -> NDArray[np.bool_]:
    """Levels that a fixed design of n seeds tells by max-T; the analysis is asked about the first study, too."""
    found = told_together(differences[..., :n], seed, ALPHA)
    if ((correct(differences[0, :, :n], "max-t", seed).p <= ALPHA) != found[0]).any():
        raise AssertionError("max-T of many studies is not that of one")
    return found


def _told_by_holm(differences: Floats, seed: int) -> NDArray[np.bool_]:
    p = sign_flip(differences.reshape(-1, differences.shape[2]), seed).two_sided.reshape(differences.shape[:2])
    found = np.array([np.array(holm(row)) <= ALPHA for row in p.tolist()])
    if ((correct(differences[0], "holm", seed).p <= ALPHA) != found[0]).any():
        raise AssertionError("Holm's correction of many studies is not that of one")
    return found


def _shares(told: list[Any], truth: Floats, which: str) -> dict[str, float]:
    """Of studies with a false decision, and of differing levels that are told; NaN where there can be none."""
    decided = np.concatenate([np.empty((0, len(truth)), dtype=bool), *told])
    null, there = truth == 0, len(decided) > 0
    return {
        f"false{which}": float(decided[:, null].any(axis=1).mean()) if null.any() and there else math.nan,
        f"found{which}": float(decided[:, ~null].mean()) if (~null).any() and there else math.nan,
    }
