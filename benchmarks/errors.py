"""How often do tables and claims err, and how often do they see what is there?

Studies whose truth is known are simulated and judged by :mod:`ablate.analyse` itself.

    python -m benchmarks.errors tables --write      # results/benchmarks/errors_tables.md
    python -m benchmarks.errors claims --write      # results/benchmarks/errors_claims.md
    python -m benchmarks.errors sequential --write  # results/benchmarks/errors_sequential.md

Beyond 14 seeds 999 random sign vectors stand for the 19,999 of a real analysis: as valid, less sharp, far faster.
"""

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from ablate.analyse import max_t, sign_flip
from ablate.analyse import sequential as looks
from ablate.analyse.claims import judge_panel
from ablate.analyse.family import correct
from ablate.analyse.panel import Level, Panel
from ablate.analyse.sequential import Looks, follow
from ablate.task.claim import Claim
from benchmarks.markdown import markdown
from benchmarks.shapes import ACCURACY, SHAPES

OUT = Path(__file__).parents[1] / "results" / "benchmarks"
SEEDS = (3, 5, 8, 10, 20)
LEVELS = (2, 10, 50)
SHIFT = 2.0
"""Of the levels that differ, in standard deviations of a run."""
FEWER_FLIPS = 999

Noise = Callable[[np.random.Generator, int, int], np.ndarray]
"""Standardised noise [levels + baseline, seeds] of levels with equal means."""


def alike(name: str) -> Noise:
    """Every level scatters alike, by one of the shapes."""
    shape = SHAPES[name]
    return lambda generator, rows, n: (shape.draw(generator, (rows, n)) - shape.mean) / shape.sd


def unlike(generator: np.random.Generator, rows: int, n: int) -> np.ndarray:
    """The baseline and every second level are normal; of the others a tenth of the runs collapses, with equal means."""
    noise = generator.standard_normal((rows, n))
    collapsed = generator.random((rows, n)) < 0.1
    noise[1::2] = (0.2 * noise + np.where(collapsed, -9.0, 1.0))[1::2] / 3
    return noise


NOISES: dict[str, Noise] = {
    **{name: alike(name) for name in ("normal", "skewed", "heavy-tailed", "collapsing")},
    "unequal shapes": unlike,
}

TABLES = """# Errors of a table of comparisons

`python -m benchmarks.errors tables --write`: {studies:,} studies a row (standard error at 0.05: {error:.4f}).
**false** is the share of studies in which any level that has the baseline's mean is told from it: max-T is what tables
print, Holm the correction on request. **found** is the share of the levels that differ by {shift:g} standard deviations
which are told (where half of the levels differ). **intervals** is the share of studies in which all simultaneous
intervals hold the truth; where some levels differ it is a little less than 0.95, as a step-down test tells more levels
apart than intervals of one step, and the intervals are cut to agree with it. `fewer seeds`: every third level lacks a
third of its seeds. Below six seeds nothing can be decided. Of `collapsing`, 15 % of seeds stay at chance; of `unequal
shapes`, a tenth of the runs of every second level: there no test of means keeps its level (0.083 at most). Holm has no
column at 20 seeds and 50 levels, as 999 flips are too few for it.

"""
CLAIMS = """# Errors of claims

`python -m benchmarks.errors claims --write`: {studies:,} studies a cell (standard error at 0.025: {error:.4f}), levels
that are alike: how often a claim about them is nevertheless **supported** (and refuted, where both can be false).
`equivalent` is tested where the levels differ by just the margin.

"""

SEQUENTIAL = """# Errors and costs of studies that add seeds look by look

`python -m benchmarks.errors sequential --write`: {studies:,} studies a row (standard error at 0.05: {error:.4f}), looks
at 6, 10, 16, 24 and 40 seeds, 5 % over all of them. All levels differ from the baseline by **effect** standard
deviations of a paired difference. **told** is the share of studies in which any level is told from it at effect 0 (an
error), and of the levels that are told elsewhere; **seeds** is the mean number of seeds of a level. Beside it stand
studies with a fixed number of seeds: 10, that with the same mean cost (rounded up), and 10, 16, 24 and 40 seeds tried
one after the other until something is told, with no allowance for the looks (**naive**).

"""
LOOKS = Looks((6, 10, 16, 24, 40))

KINDS: dict[str, tuple[str, tuple[int, ...], int]] = {
    "better": ("better", (0, 1), 2),
    "best_in, 1 of 4": ("best_in", (1,), 4),
    "best_in, 3 of 10": ("best_in", (4, 5, 6), 10),
    "peaks_inside, 5": ("peaks_inside", (), 5),
    "monotone, 3": ("monotone", (0, 1, 2), 3),
    "equivalent at the margin": ("equivalent", (0, 1), 2),
}
"""Name to kind, levels named and number of levels in the study."""


def table_errors(noise: Noise, n: int, levels: int, case: str, studies: int, seed: int = 0) -> dict[str, float]:
    """Rates of one cell; see the head of the table.

    Args:
        noise: of levels and baseline.
        n: seeds.
        levels: beside the baseline.
        case: ``all alike``, ``half differ`` or ``fewer seeds``.
        studies: to simulate.
        seed: of the simulation.
    """
    generator = np.random.default_rng([seed, n, levels])
    sharp = n <= sign_flip.EXACT_UP_TO or 2 * levels / (FEWER_FLIPS + 1) <= 0.05  # else Holm has no chance
    truth = np.zeros(levels)
    if case == "half differ":
        truth[: levels // 2] = SHIFT
    wrong, found, held = dict.fromkeys(("max-t", "holm"), 0), dict.fromkeys(("max-t", "holm"), 0.0), 0
    for _ in range(studies):
        runs = noise(generator, levels + 1, n)
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


def tables(studies: int) -> pd.DataFrame:
    """One row per shape, case, number of levels and of seeds."""
    cells = [
        (name, case, levels, n)
        for name in NOISES
        for case in ("all alike", "half differ", "fewer seeds")
        for levels in LEVELS
        for n in SEEDS
    ]
    return pd.DataFrame(
        {"shape": name, "case": case, "levels": levels, "seeds": n}
        | table_errors(NOISES[name], n, levels, case, studies)
        for name, case, levels, n in cells
    )


def claim_errors(noise: Noise, n: int, kind: str, studies: int, seed: int = 0) -> tuple[float, float]:
    """Shares of studies in which a claim of this kind is supported, and refuted."""
    generator = np.random.default_rng([seed, n])
    name, levels, count = KINDS[kind]
    margin = 1.0 if name == "equivalent" else 0.0
    claim = Claim(kind, kind, name, "factor", ACCURACY.name, levels, margin=margin)  # type: ignore[arg-type]
    outcomes = []
    for _ in range(studies):
        values = noise(generator, count, n)
        values[0] += margin
        outcomes.append(judge_panel(_panel(values), claim).outcome)
    return outcomes.count("supported") / studies, outcomes.count("refuted") / studies


def claims(studies: int) -> pd.DataFrame:
    """One row per kind of claim and shape, a column per number of seeds."""
    rows = []
    for kind in KINDS:
        for name, noise in NOISES.items():
            row: dict[str, object] = {"claim": kind, "shape": name}
            for n in SEEDS:
                supported, refuted = claim_errors(noise, n, kind, studies)
                row[f"{n} seeds"] = supported
                row[f"refuted, {n}"] = refuted if kind == "better" else np.nan
            rows.append(row)
    return pd.DataFrame(rows)


def sequential_errors(noise: Noise, levels: int, effect: float, studies: int, seed: int = 0) -> dict[str, float]:
    """One row: what a study with looks tells and costs, and what fixed ones tell.

    Args:
        noise: of levels and baseline.
        levels: beside the baseline.
        effect: of all levels, in standard deviations of a paired difference.
        studies: to simulate.
        seed: of the simulation.
    """
    generator, cap = np.random.default_rng([seed, levels]), LOOKS.at[-1]
    told, naive, seeds, drawn = 0.0, 0.0, 0.0, []
    count = np.any if effect == 0 else np.mean
    for _ in range(studies):
        runs = noise(generator, levels + 1, cap)
        differences = runs[1:] - runs[0] + effect * 2**0.5
        drawn.append(differences)
        there = np.ones(differences.shape, dtype=bool)
        path = follow(levels, lambda _, d=differences, t=there: (d, t), LOOKS, int(generator.integers(2**31)))
        told += float(count([state == "told" for state in path.settled]))
        seeds += float(np.mean(path.counts))
        tried = [correct(differences[:, :n], "max-t").p <= 0.05 for n in LOOKS.at]
        naive += float(count(np.any(tried, axis=0)))
    fixed = math.ceil(seeds / studies - 1e-9)
    of_fixed = {n: np.mean([count(correct(d[:, :n], "max-t").p <= 0.05) for d in drawn]) for n in (10, fixed)}
    return {
        "told": told / studies,
        "seeds": seeds / studies,
        "told: 10 seeds": float(of_fixed[10]),
        "told: same cost": float(of_fixed[fixed]),
        "naive": naive / studies,
    }


def sequential(studies: int) -> pd.DataFrame:
    """One row per shape, number of levels and effect."""
    cells = [(name, levels, effect) for name in NOISES for levels in (1, 10) for effect in (0.0, 0.5, 1.0, 1.5)]
    return pd.DataFrame(
        {"shape": name, "levels": levels, "effect": effect} | sequential_errors(NOISES[name], levels, effect, studies)
        for name, levels, effect in cells
    )


def _panel(values: np.ndarray) -> Panel:
    levels = tuple(Level(order, str(order), order, order == 0) for order in range(len(values)))
    there = np.ones(values.shape, dtype=bool)
    seeds = tuple(range(values.shape[1]))
    return Panel("errors", "factor", ACCURACY, levels, seeds, values, there, ~there, ~there)


def main() -> None:
    """Print a table; see the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("tables", "claims", "sequential"))
    parser.add_argument("--studies", type=int, default=2000, help="a cell")
    parser.add_argument("--write", action="store_true", help="write results/benchmarks/errors_<part>.md")
    given = parser.parse_args()
    for module in (max_t, sign_flip):
        module.FLIPS = FEWER_FLIPS  # type: ignore[attr-defined]
    looks.VECTORS = FEWER_FLIPS
    made, head, level = {
        "tables": (tables, TABLES, 0.05),
        "claims": (claims, CLAIMS, 0.025),
        "sequential": (sequential, SEQUENTIAL, 0.05),
    }[given.part]
    found = made(given.studies)
    error = (level * (1 - level) / given.studies) ** 0.5
    text = head.format(studies=given.studies, error=error, shift=SHIFT) + markdown(found)
    print(text)
    if given.write:
        (OUT / f"errors_{given.part}.md").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
