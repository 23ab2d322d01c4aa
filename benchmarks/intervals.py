"""Do 95 % intervals hold what they are of, and how long are they?

Samples of 3, 5, 8, 10 and 20 seeds are drawn from five shapes, or from the settings of committed records, and the
intervals of :mod:`ablate.analyse` are held against the truth.

    python -m benchmarks.intervals --write                 # results/benchmarks/intervals.md
    python -m benchmarks.intervals --records results       # results/*/runs.csv, resampled
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from ablate.analyse.bootstrap import iqm_interval, t_interval
from ablate.analyse.mean_interval import interval_of
from ablate.analyse.uneven import apart, has_long_tail
from benchmarks.markdown import markdown
from benchmarks.options import positive
from benchmarks.shapes import ACCURACY, SHAPES, Shape, recorded

SEEDS = (3, 5, 8, 10, 20)
OUT = Path(__file__).parents[1] / "results" / "benchmarks" / "intervals.md"
HEAD = """# Coverage and length of 95 % intervals

`python -m benchmarks.intervals --write`: {samples:,} samples a row (interquartile mean: {few:,}). **mean** is the
interval of a level's mean that tables print, beside Student's t as it is; its length is a share of t's. **shifted** is
Johnson's (1978) shifted t. **beyond** counts intervals of t that end beyond all observations, **flagged** samples with
runs apart or a long tail, **middle half** is the bootstrap interval of the interquartile mean, held against that of the
shape, **difference** t's of a paired difference of two levels that are alike. Shapes are those of
[benchmarks/shapes.py](../../benchmarks/shapes.py): of `collapsing`, 15 % of seeds stay at chance.

"""


def coverages(shape: Shape, n: int, samples: int, generator: np.random.Generator) -> dict[str, float]:
    """One row of the table (shares of samples, 0 to 1; length: a ratio)."""
    values = shape.draw(generator, (samples, n))
    values = values[np.ptp(values, axis=1) > 0]
    others = shape.draw(generator, values.shape)
    ours, plain = interval_of(ACCURACY, values), t_interval(values)
    shift = stats.skew(values, axis=1, bias=False) * values.std(axis=1, ddof=1) / (6 * n)
    few = values[: max(1, samples // 10)]
    middle = stats.trim_mean(shape.draw(generator, (200_000, n)), 0.25, axis=1).mean()
    return {
        "mean": _share(ours, shape.mean),
        "t": _share(plain, shape.mean),
        "shifted": _share((plain[0] + shift, plain[1] + shift), shape.mean),
        "length": float(np.mean(ours[1] - ours[0]) / np.mean(plain[1] - plain[0])),
        "beyond": float(np.mean((plain[0] < values.min(axis=1)) | (plain[1] > values.max(axis=1)))),
        "flagged": float(np.mean(apart(values, 1.0).any(axis=1) | has_long_tail(values))),
        "middle half": _share(iqm_interval(few, 1000, generator), float(middle)) if n >= 5 else np.nan,
        "difference": _share(t_interval(values - others), 0.0),
    }


def table(shapes: Mapping[str, Shape], samples: int, seed: int = 0) -> pd.DataFrame:
    """One row per number of seeds and shape."""
    rows = [
        {"seeds": n, "shape": name} | coverages(shape, n, samples, np.random.default_rng([seed, n]))
        for n in SEEDS
        for name, shape in shapes.items()
    ]
    return pd.DataFrame(rows)


def _share(interval: tuple[np.ndarray, np.ndarray], truth: float) -> float:
    return float(np.mean((interval[0] <= truth + 1e-12) & (interval[1] >= truth - 1e-12)))


def main() -> None:
    """Print the table, of records its mean and worst rows; see the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=Path, help="folder with <study>/runs.csv, instead of synthetic shapes")
    parser.add_argument("--metric", default="test_acc", help="column of runs.csv to resample")
    parser.add_argument("--samples", type=positive, default=20_000)
    parser.add_argument("--write", action="store_true", help="write results/benchmarks/intervals.md")
    given = parser.parse_args()
    shapes = recorded(given.records, given.metric) if given.records else SHAPES
    if not shapes:
        parser.error(f"{given.records}: no */runs.csv with settings of 5 complete runs with {given.metric}")
    found = table(shapes, given.samples)
    if given.records:
        by_seeds = found.drop(columns="shape").groupby("seeds")
        print(f"{len(shapes)} settings; mean over them, then the least of each column")
        print(by_seeds.mean().round(3).to_string(), by_seeds.min().round(3).to_string(), sep="\n")
        return
    text = HEAD.format(samples=given.samples, few=given.samples // 10) + markdown(found)
    print(text)
    if given.write:
        OUT.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
