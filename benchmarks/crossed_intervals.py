"""Coverage and length of intervals of a difference for other seeds and other samples, by simulation.

    python -m benchmarks.crossed_intervals --studies 2000 --out results/benchmarks/crossed_intervals.md

A run gets a sample right where the sum of the level's gain, the sample's ease, its ease for the level, the seed's luck
(shared in half by the levels, as seeds are paired) and noise of this run on this sample is above 0, all normal, so that
the difference over all seeds and samples is known. Each study draws seeds and samples anew.
"""

import argparse

import numpy as np
from scipy import special, stats

from ablate.analyse.crossed import components, crossed_interval
from benchmarks.options import positive, target

SEEDS, SAMPLES, RESAMPLES = (3, 5, 10), 1000, 300
GAINS = (2.6, 2.9)
CELLS = {
    "no effect of seeds": (2.0, 0.6, 0.0, 1.0),
    "samples matter more": (2.0, 0.6, 0.03, 1.0),
    "both matter": (2.0, 0.6, 0.1, 1.0),
    "seeds matter more": (2.0, 0.3, 0.4, 1.0),
}
"""Standard deviations of ease, of ease for a level, of luck and of noise."""
METHODS = ("seeds alone (t)", "both: squares of half lengths", "both: Satterthwaite", "both: pigeonhole bootstrap")


def main() -> None:
    """Print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=positive, default=2000)
    parser.add_argument("--out", type=target)
    options = parser.parse_args()
    lines = [
        f"# Intervals for other seeds and other samples\n\nCoverage | mean length of 95 % intervals of a difference in "
        f"accuracy, {options.studies:,} studies a cell of {SAMPLES:,} samples. The first is for other seeds on the "
        f"same samples and is held against both here.\n\n`python -m benchmarks.crossed_intervals --studies "
        f"{options.studies}`\n",
        f"| spread of the mean from | seeds | {' | '.join(METHODS)} |",
        "| --- |" + " ---: |" * (1 + len(METHODS)),
    ]
    for name, spreads in CELLS.items():
        for seeds in SEEDS:
            found = cell(spreads, seeds, options.studies)
            cells = " | ".join(f"{cover:.3f} \\| {length:.4f}" for cover, length in found)
            lines.append(f"| {name} | {seeds} | {cells} |")
            print(lines[-1], flush=True)
    if options.out is not None:
        options.out.write_text("\n".join(lines) + "\n")


def cell(spreads: tuple[float, float, float, float], seeds: int, studies: int) -> list[tuple[float, float]]:
    """Coverage and mean length of each method.

    Args:
        spreads: As in ``CELLS``.
        seeds: Of each study.
        studies: That are drawn.
    """
    rng = np.random.default_rng(seeds)
    total = np.sqrt(np.square(spreads).sum())
    truth = float(stats.norm.cdf(GAINS[1] / total) - stats.norm.cdf(GAINS[0] / total))
    of_seeds = rng.multinomial(seeds, np.full(seeds, 1 / seeds), RESAMPLES) / seeds
    of_samples = (rng.multinomial(SAMPLES, np.full(SAMPLES, 1 / SAMPLES), RESAMPLES) / SAMPLES).T.astype(np.float32)
    inside, lengths = np.zeros(len(METHODS)), np.zeros(len(METHODS))
    for _ in range(studies):
        differences = draw(spreads, seeds, rng)
        parts, both = components(differences), crossed_interval(differences)
        half = special.stdtrit(seeds - 1, 0.975) * np.sqrt(parts.seeds)
        variance = parts.seeds + parts.samples
        freedom = variance**2 / (parts.seeds**2 / (seeds - 1) + parts.samples**2 / (SAMPLES - 1))
        wide = special.stdtrit(freedom, 0.975) * np.sqrt(variance)
        resampled = ((differences.astype(np.float32) @ of_samples).T * of_seeds).sum(axis=1)
        ends = [
            (parts.mean - half, parts.mean + half),
            (both.low, both.high),
            (parts.mean - wide, parts.mean + wide),
            tuple(np.quantile(resampled, (0.025, 0.975))),
        ]
        inside += [low <= truth <= high for low, high in ends]
        lengths += [high - low for low, high in ends]
    return list(zip(inside / studies, lengths / studies, strict=True))


def draw(spreads: tuple[float, float, float, float], seeds: int, rng: np.random.Generator) -> np.ndarray:
    """Differences of one study, int8 ``[seeds, samples]``."""
    ease, of_level, luck, noise = spreads
    shared, easy = rng.normal(size=seeds), rng.normal(0, ease, SAMPLES)
    right = []
    for gain in GAINS:
        lucky = luck * np.sqrt(0.5) * (shared + rng.normal(size=seeds))
        drawn = rng.normal(0, noise, (seeds, SAMPLES)) + rng.normal(0, of_level, SAMPLES)
        right.append(gain + easy + lucky[:, None] + drawn > 0)
    return right[1].astype(np.int8) - right[0].astype(np.int8)


if __name__ == "__main__":
    main()
