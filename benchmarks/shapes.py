"""How accuracies scatter over seeds: synthetic shapes, and the settings of committed records resampled."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ablate.task.metric import Metric

Sampler = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]

ACCURACY = Metric("accuracy", "max", low=0.0, high=1.0)

LEAST = 5
"""Runs of a setting from which on their distribution is resampled."""


@dataclass(frozen=True)
class Shape:
    """A distribution of accuracies over seeds."""

    draw: Sampler
    mean: float
    sd: float


SHAPES = {
    "normal": Shape(lambda g, size: 0.82 + 0.004 * g.standard_normal(size), 0.82, 0.004),
    "skewed": Shape(lambda g, size: 0.82 - 0.004 * g.exponential(1.0, size), 0.816, 0.004),
    "collapsing": Shape(
        lambda g, size: np.where(g.random(size) < 0.15, 0.1, 0.82) + 0.004 * g.standard_normal(size), 0.712, 0.2571
    ),
    "heavy-tailed": Shape(lambda g, size: 0.82 + 0.004 / 3**0.5 * g.standard_t(3, size), 0.82, 0.004),
    "discrete": Shape(lambda g, size: g.binomial(50, 0.9, size) / 50, 0.9, 0.0424),
}
"""Normal; exponential tail towards bad seeds; 15 % of seeds at chance; t with 3 degrees of freedom; of 50 images."""


def recorded(folder: Path, metric: str) -> dict[str, Shape]:
    """Every setting's complete runs in ``folder/*/runs.csv``, resampled with replacement; none without spread.

    A setting is named by what it has other than the most common setting; one that several studies share counts once.
    """
    frames = [pd.read_csv(path) for path in sorted(folder.glob("*/runs.csv"))]
    if not frames:
        return {}
    runs = pd.concat(frames, ignore_index=True).drop_duplicates("digest")
    runs = runs[(runs["status"] == "complete") & runs[metric].notna()]
    fields = [column for column in runs if column.startswith("config.") and column != "config.seed"]
    usual = {column: runs[column].mode(dropna=False)[0] for column in fields}
    made: dict[str, Shape] = {}
    for setting, part in runs.groupby(fields, sort=False, dropna=False):
        values = part[metric].to_numpy(dtype=np.float64)
        if len(values) >= LEAST and np.ptp(values) > 0:
            named = dict(zip(fields, setting, strict=True))
            own = [f"{k.removeprefix('config.')} {v}" for k, v in named.items() if v != usual[k] and v == v]
            made[", ".join(own) or "baseline"] = Shape(
                lambda generator, size, values=values: generator.choice(values, size),
                float(values.mean()),
                float(values.std()),
            )
    return made
