"""Each level against the baseline in a study whose seeds were added look by look."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ablate.analyse.bootstrap import CONFIDENCE, Floats
from ablate.analyse.compare import compare_panels
from ablate.analyse.courses import Course
from ablate.analyse.panel import Panel, checked, factors_of, make_panel
from ablate.analyse.results import Comparison, Interval, Standing
from ablate.analyse.sequential import Looks, Path, follow
from ablate.task.metric import Metric


def compare_along(
    runs: pd.DataFrame,
    *,
    metric: Metric,
    looks: Looks,
    seed: int = 0,
    declared: Iterable[Metric] = (),
) -> tuple[Comparison, ...]:
    """Compare every level of a study with its factor's baseline, with the runs up to the look at which it was settled.

    Diverged runs rank below all others, as in :func:`ablate.analyse.compare.compare`; here they count in everything.

    Args:
        runs: frame of runs of one study; further runs than those that count are left out.
        metric: by which the study was looked at; a column of the frame.
        looks: as they were fixed.
        seed: of the random sign vectors.
        declared: further metrics, which may tell whether a run is at chance.

    Raises:
        AnalysisError: no baseline, or several, in a factor; no such metric.
    """
    part, path = counted_runs(runs, metric=metric, looks=looks, seed=seed, declared=declared)
    panels = [make_panel(part, metric, factor, declared) for factor in factors_of(part)]
    entries = compare_panels(panels, seed=seed)
    found = []
    for row, entry in enumerate(entries):
        state, low, high = path.settled[row], float(path.low[row]), float(path.high[row])
        difference = entry.difference_counting_diverged
        difference = entry.difference if difference is None else difference
        standing: Standing = "identical" if entry.standing == "identical" else "undecided"
        if state == "told" and difference is not None:
            standing = "better" if metric.is_better(difference, 0.0) else "worse"
        found.append(
            replace(
                entry,
                simultaneous=None if np.isnan(low) else Interval(low, high, CONFIDENCE, "repeated"),
                p_corrected=None,
                p_t=None,
                p_counting_diverged=None,
                standing=standing,
                needed=None,
                warnings=tuple(text for text in entry.warnings if not text.startswith("Cannot be decided")),
                course=Course(int(path.look[row]) + 1, path.looks, path.counts[row], state),
            )
        )
    return tuple(found)


def counted_runs(
    runs: pd.DataFrame,
    *,
    metric: Metric,
    looks: Looks,
    seed: int = 0,
    declared: Iterable[Metric] = (),
) -> tuple[pd.DataFrame, Path]:
    """The runs that count, and where each level stands; levels in the order of the comparisons.

    Args: as of :func:`compare_along`.
    """
    runs = checked(runs, (metric.name,))
    place = {value: index for index, value in enumerate(sorted(runs["seed"].unique()))}
    position = runs["seed"].map(place)
    declared = tuple(declared)
    first = [make_panel(runs, metric, factor, declared) for factor in factors_of(runs)]
    rows = [(panel.factor, row) for panel in first for row in range(len(panel.levels)) if row != panel.baseline()]
    keys = {(p.factor, level.order): (p.factor, row) for p in first for row, level in enumerate(p.levels)}
    of_run = [keys[factor, int(order)] for factor, order in zip(runs["factor"], runs["order"], strict=True)]

    def part_of(counts: Sequence[int]) -> pd.DataFrame:
        limits = dict(zip(rows, counts, strict=True))
        most = max(counts, default=0)
        return runs[position < [limits.get(key, most) for key in of_run]]

    def observe(counts: tuple[int, ...]) -> tuple[Floats, NDArray[np.bool_]]:
        panels = [make_panel(part_of(counts), metric, factor, declared) for factor in factors_of(runs)]
        return _matrices(panels, place)

    path = follow(len(rows), observe, looks, seed)
    return part_of([count or looks.at[0] for count in path.counts]), path


def _matrices(panels: Sequence[Panel], place: dict[int, int]) -> tuple[Floats, NDArray[np.bool_]]:
    """Differences from the baseline, and whether both runs have ended; [levels, seeds], factors one after the other."""
    differences, there = [], []
    for panel in panels:
        base, columns = panel.baseline(), [place[seed] for seed in panel.seeds]
        ended, counted = panel.complete | panel.diverged, panel.counted
        for row in range(len(panel.levels)):
            if row != base:
                values, both = np.full(len(place), np.nan), np.zeros(len(place), dtype=bool)
                both[columns] = ended[row] & ended[base]
                if not panel.no_evidence(row, base):
                    values[columns] = counted[row] - counted[base]
                differences.append(values)
                there.append(both)
    return np.array(differences).reshape(-1, len(place)), np.array(there).reshape(-1, len(place))
