"""Do the analysis' error rates and coverages hold for accuracies as they are?

Levels that are alike are simulated by drawing seeds from one distribution, for 5 and 10 seeds: how often is a claim
nevertheless supported, and how often do 95 % intervals hold the truth? The distributions are those of committed records
(every setting with at least five complete runs, resampled with replacement) or four synthetic ones.

    python benchmarks/calibration.py results               # records: results/*/runs.csv
    python benchmarks/calibration.py --synthetic
    python benchmarks/calibration.py results --metric train_loss --simulations 200
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ablate.analyse.best import simes
from ablate.analyse.bootstrap import bca_interval, t_interval
from ablate.analyse.claims import judge_panel
from ablate.analyse.equivalence import tost
from ablate.analyse.mean_interval import mean_interval, moments
from ablate.analyse.panel import Level, Panel
from ablate.analyse.sign_flip import pairwise, sign_flip
from ablate.task.claim import Claim
from ablate.task.metric import Metric

Sampler = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]

SEEDS = (5, 10)

ACCURACY = Metric("accuracy", "max", low=0.0, high=1.0)

LEAST = 5
"""Runs of a setting from which on their distribution is resampled."""

CLAIMS = {
    "better": ("better", (0, 1), 2),
    "best_in, 1 of 4": ("best_in", (1,), 4),
    "best_in, 3 of 4": ("best_in", (0, 1, 2), 4),
    "best_in, 3 of 10": ("best_in", (4, 5, 6), 10),
    "peaks_inside, 5": ("peaks_inside", (), 5),
    "peaks_inside, 18": ("peaks_inside", (), 18),
    "monotone, 2": ("monotone", (0, 1), 2),
    "monotone, 3": ("monotone", (0, 1, 2), 3),
}
"""Name to kind, levels named and number of levels in the study."""


def synthetic() -> dict[str, tuple[Sampler, float]]:
    """Samplers of accuracies over seeds and their means, from harmless to hard."""
    return {
        "normal": (lambda g, size: 0.82 + 0.004 * g.standard_normal(size), 0.82),
        "gamma tail": (lambda g, size: 0.84 - 0.03 / 2**0.5 * g.gamma(2.0, 1.0, size), 0.84 - 0.06 / 2**0.5),
        "exponential tail": (lambda g, size: 0.84 - 0.03 * g.exponential(1.0, size), 0.81),
        "15 % bad seeds": (
            lambda g, size: np.where(g.random(size) < 0.15, 0.72, 0.82) + 0.01 * g.standard_normal(size),
            0.805,
        ),
    }


def recorded(folder: Path, metric: str) -> dict[str, tuple[Sampler, float]]:
    """Samplers of every setting's complete runs in ``folder/*/runs.csv`` and their means; none without spread.

    A setting is named by what it has other than the most common setting; one that several studies share counts once.
    """
    frames = [pd.read_csv(path) for path in sorted(folder.glob("*/runs.csv"))]
    if not frames:
        return {}
    runs = pd.concat(frames, ignore_index=True).drop_duplicates("digest")
    runs = runs[(runs["status"] == "complete") & runs[metric].notna()]
    fields = [column for column in runs if column.startswith("config.") and column != "config.seed"]
    usual = {column: runs[column].mode(dropna=False)[0] for column in fields}
    made: dict[str, tuple[Sampler, float]] = {}
    for setting, part in runs.groupby(fields, sort=False, dropna=False):
        values = part[metric].to_numpy(dtype=np.float64)
        if len(values) >= LEAST and np.ptp(values) > 0:
            named = dict(zip(fields, setting, strict=True))
            own = [f"{k.removeprefix('config.')} {v}" for k, v in named.items() if v != usual[k] and v == v]
            made[", ".join(own) or "baseline"] = (_resampler(values), float(values.mean()))
    return made


def _resampler(values: np.ndarray) -> Sampler:
    return lambda generator, size: generator.choice(values, size)


def supported_rates(sample: Sampler, n: int, simulations: int, generator: np.random.Generator) -> dict[str, float]:
    """Share of simulated studies of equal levels in which each claim is supported (0 to 1)."""
    rates = {}
    for name, (kind, levels, count) in CLAIMS.items():
        claim = Claim(name, name, kind, "factor", ACCURACY.name, levels)
        outcomes = [judge_panel(_panel(sample(generator, (count, n))), claim).outcome for _ in range(simulations)]
        rates[f"supported: {name}"] = outcomes.count("supported") / simulations
    return rates


def other_rates(sample: Sampler, n: int, simulations: int, generator: np.random.Generator) -> dict[str, float]:
    """False alarms of comparisons and of the set of best levels, and of equivalence where the margin is reached."""
    differences = sample(generator, (simulations, n)) - sample(generator, (simulations, n))
    margin = float(differences.std())
    same = [max(tost(row + margin, margin)) <= 0.05 for row in differences]
    excluded = 0
    for _ in range(simulations):
        tests = pairwise(sample(generator, (6, n)))
        excluded += simes(np.delete(tests.p[:, 0], 0)) <= 0.05
    return {
        "supported: equivalent at the margin": float(np.mean(same)),
        "difference: p <= 0.05": float(np.mean(sign_flip(differences).two_sided <= 0.05)),
        "best of 6 left out of the set": excluded / simulations,
    }


def coverages(
    sample: Sampler, mean: float, n: int, simulations: int, generator: np.random.Generator
) -> dict[str, float]:
    """Share of nominal 95 % intervals that hold the truth (0 to 1)."""
    values = sample(generator, (simulations, n))
    values = values[np.ptp(values, axis=1) > 0]
    others = sample(generator, values.shape)
    return {
        "coverage: mean": _share(mean_interval(n, *moments(values)), mean),
        "coverage: mean, t": _share(t_interval(values), mean),
        "coverage: mean, BCa": _share(bca_interval(values, 2000, generator), mean),
        "coverage: paired difference, t": _share(t_interval(values - others), 0.0),
        "coverage: paired difference, BCa": _share(bca_interval(values - others, 2000, generator), 0.0),
    }


def table(samplers: Mapping[str, tuple[Sampler, float]], simulations: int, seed: int = 0) -> pd.DataFrame:
    """One row per distribution and number of seeds, one column per rate."""
    rows = []
    for name, (sample, mean) in samplers.items():
        for n in SEEDS:
            generator = np.random.default_rng([seed, n])
            rates = supported_rates(sample, n, simulations, generator)
            rates |= other_rates(sample, n, simulations, generator)
            rates |= coverages(sample, mean, n, 10 * simulations, generator)
            rows.append({"distribution": name, "seeds": n} | rates)
    return pd.DataFrame(rows)


def _panel(values: np.ndarray) -> Panel:
    levels = tuple(Level(order, str(order), order, order == 0) for order in range(len(values)))
    there = np.ones(values.shape, dtype=bool)
    seeds = tuple(range(values.shape[1]))
    return Panel("calibration", "factor", ACCURACY, levels, seeds, values, there, ~there, ~there)


def _share(interval: tuple[np.ndarray, np.ndarray], truth: float) -> float:
    return float(np.mean((interval[0] <= truth + 1e-12) & (interval[1] >= truth - 1e-12)))


def main() -> None:
    """Print the table, and for each number of seeds the mean and the worst over distributions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("results"), help="holds <study>/runs.csv")
    parser.add_argument("--synthetic", action="store_true", help="four synthetic distributions instead of records")
    parser.add_argument("--metric", default="test_acc", help="column of runs.csv to resample")
    parser.add_argument("--simulations", type=int, default=500, help="studies per distribution; coverage: ten times")
    parser.add_argument("--each", action="store_true", help="print every distribution, not only the summary")
    given = parser.parse_args()
    samplers = synthetic() if given.synthetic else recorded(given.folder, given.metric)
    if not samplers:
        parser.error(f"{given.folder}: no */runs.csv with settings of {LEAST} complete runs with {given.metric}")
    rates = table(samplers, given.simulations)
    if given.each or given.synthetic:
        print(rates.set_index(["distribution", "seeds"]).T.to_string(float_format="{:.3f}".format), "\n")
    for n, part in rates.groupby("seeds"):
        numbers = part.drop(columns=["distribution", "seeds"])
        worst = numbers.max().where(~numbers.columns.str.startswith("coverage"), numbers.min())
        print(f"{n} seeds, {len(part)} distributions, {given.simulations} simulated studies each")
        print(pd.DataFrame({"mean": numbers.mean(), "worst": worst}).to_string(float_format="{:.3f}".format), "\n")


if __name__ == "__main__":
    main()
