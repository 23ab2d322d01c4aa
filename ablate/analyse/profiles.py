"""Performance profiles: which share of a level's runs does better than a value, for every value.

Agarwal et al. 2021, *Deep Reinforcement Learning at the Edge of the Statistical Precipice* (run-score distributions,
after Dolan and Moré 2002): of several tasks, such as data sets, each counts alike. A run that diverged does better than
no value. The band is Wilson's of each value by itself, instead of the sources' percentile bootstrap, which says [1, 1]
where all runs do better. As K tasks count alike, it is that of K^2 / sum(1 / n) runs, n being a task's: of all that
there are where tasks have equally many, of fewer where some have few. Of tasks that differ it is a little too long.
Scores of several tasks must be on one scale. (Dolan and Moré's own form, of ratios to the best, needs many tasks and
positive costs.)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ablate.analyse.errors import AnalysisError
from ablate.analyse.over import parts_of
from ablate.analyse.panel import chosen_factor, make_panel
from ablate.analyse.uneven import wilson
from ablate.task.metric import Metric


@dataclass(frozen=True)
class Profile:
    """The performance profile of a level. ``at`` and what follows are of equal length."""

    label: str
    n: int
    """Runs that ended, complete or diverged."""
    at: tuple[float, ...]
    """Every value that a run of any level has, ascending, and one than which all are better."""
    share: tuple[float, ...]
    """Of the runs that do better than that; for a metric of which less is better: that have less."""
    low: tuple[float, ...]
    high: tuple[float, ...]
    """95 % interval of the share, by itself."""


def performance_profiles(
    runs: pd.DataFrame, *, metric: Metric, factor: str | None = None, over: Sequence[str] = ()
) -> tuple[Profile, ...]:
    """The profile of each level with a run that ended, in the study's order.

    Args:
        runs: frame of runs of one study.
        metric: a metric with a column of its name.
        factor: may be None where the frame has one only.
        over: the other factors of a grid whose levels are tasks; ``factor`` must be given then.

    Raises:
        AnalysisError: no such metric, factor or grid, or no run with a value.
    """
    if over and factor is None:
        raise AnalysisError(f"over = {list(over)}: name the factor whose levels are compared, too")
    name = chosen_factor(runs, factor) if not over else str(factor)
    tasks = list(parts_of(runs, name, over).values()) if over else [runs]
    panels = [make_panel(task, metric, name) for task in tasks]
    finished = np.concatenate([panel.values[np.isfinite(panel.values)] for panel in panels])
    if not finished.size:
        raise AnalysisError(f"{name}: no run has a value of {metric.name}")
    values = np.unique(finished)
    beyond = 0.02 * float(np.ptp(values)) or 0.01 * abs(float(values[0])) or 1.0
    at = np.r_[values[0] - beyond, values] if metric.goal == "max" else np.r_[values, values[-1] + beyond]
    labels = dict.fromkeys(level.label for panel in panels for level in panel.levels)
    found = []
    for label in labels:
        shares, counts = [], list[int]()
        for panel in panels:
            for row in (row for row, level in enumerate(panel.levels) if level.label == label):
                scores = panel.values[row][np.isfinite(panel.values[row])] * metric.sign
                ended = len(scores) + int(panel.diverged[row].sum())
                if ended:
                    shares.append((scores > at[:, None] * metric.sign).sum(axis=1) / ended)
                    counts.append(ended)
        if counts:
            share, n = np.mean(shares, axis=0), len(counts) ** 2 / sum(1 / count for count in counts)
            ends = [wilson(float(one) * n, n) for one in share]
            low, high = (tuple(end) for end in zip(*ends, strict=True))
            found.append(Profile(label, sum(counts), tuple(at.tolist()), tuple(share.tolist()), low, high))
    return tuple(found)
