"""Errors of simulated tables of comparisons; a part of ``python -m benchmarks.errors``."""

from typing import Any

import numpy as np

from ablate.analyse import sign_flip
from ablate.analyse.family import correct
from benchmarks.noises import NOISES

SEEDS = (3, 5, 8, 10, 20)
LEVELS = (2, 10, 50)
SHIFT = 2.0
"""Of the levels that differ, in standard deviations of a run."""
HUGE = 1e6
"""Mean of the level that explodes, in standard deviations of a run of any other."""

HEAD = """# Errors of a table of comparisons

`python -m benchmarks.errors tables --write`: {studies:,} studies a row (standard error at 0.05: {error:.4f}).
**false** is the share of studies in which any level that has the baseline's mean is told from it: max-T is what tables
print, Holm the correction on request. **found** is the share of the levels that differ by 2 standard deviations which
are told (where half of the levels differ). **intervals** is the share of studies in which all simultaneous intervals
hold the truth; where some levels differ it is a little less than 0.95, as a step-down test tells more levels apart than
intervals of one step, and the intervals are cut to agree with it. `fewer seeds`: every third level lacks a third of its
seeds. Below six seeds nothing can be decided. Of `collapsing`, 15 % of seeds stay at chance; of `unequal shapes`, a
tenth of the runs of every second level. Of `exploding` the noise is normal, and all runs of one more level end at huge
values that scatter as much as they are large (exponential, a million standard deviations): it is among those to be
found, alone where all others are alike. Holm has no column at 20 seeds and 50 levels, as 999 flips are too few for it.

{finding}
"""


def cells(studies: int) -> list[dict[str, Any]]:
    """Shape, case, number of levels and of seeds of each row."""
    return [
        {"shape": name, "case": case, "levels": levels, "seeds": n, "studies": studies}
        for name in NOISES
        for case in ("all alike", "half differ", "fewer seeds")
        for levels in LEVELS
        for n in SEEDS
    ] + [
        {"shape": "exploding", "case": case, "levels": 10, "seeds": n, "studies": studies}
        for case in ("all alike", "half differ")
        for n in (6, 8, 10, 20)
    ]


def measure(shape: str, case: str, levels: int, seeds: int, studies: int, seed: int = 0) -> dict[str, float]:
    """Rates of one cell; see the head of the table.

    Args:
        shape: of the noise of levels and baseline, or ``exploding``.
        case: ``all alike``, ``half differ`` or ``fewer seeds``.
        levels: beside the baseline.
        seeds: of each level.
        studies: to simulate.
        seed: of the simulation.
    """
    generator, n = np.random.default_rng([seed, seeds, levels]), seeds
    noise = NOISES["normal" if shape == "exploding" else shape]
    sharp = n <= sign_flip.EXACT_UP_TO or 2 * levels / (sign_flip.FLIPS + 1) <= 0.05  # else Holm has no chance
    truth = np.zeros(levels)
    if case == "half differ":
        truth[: levels // 2] = SHIFT
    if shape == "exploding":
        truth[0] = HUGE
    wrong, found, held = dict.fromkeys(("max-t", "holm"), 0), dict.fromkeys(("max-t", "holm"), 0.0), 0
    for _ in range(studies):
        runs = noise(generator, levels + 1, n)
        if shape == "exploding":
            runs[1] = HUGE * (generator.exponential(size=n) - 1)
        differences = runs[1:] - runs[0] + truth[:, None]
        if case == "fewer seeds":
            differences[::3, : n // 3] = np.nan
        for correction in ("max-t", "holm"):
            result = correct(differences, correction, int(generator.integers(2**31)))  # type: ignore[arg-type]
            told = result.p <= 0.05
            wrong[correction] += bool(told[truth == 0].any())
            found[correction] += float(told[truth > 0].mean()) if truth.any() else np.nan
            if correction == "max-t":
                held += bool(((result.low <= truth) & (truth <= result.high) | np.isnan(result.low)).all())
    return {
        "false: max-T": wrong["max-t"] / studies,
        "false: Holm": wrong["holm"] / studies if sharp else np.nan,
        "found: max-T": found["max-t"] / studies,
        "found: Holm": found["holm"] / studies if sharp else np.nan,
        "intervals": held / studies,
    }
