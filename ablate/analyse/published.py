"""Does a number printed elsewhere agree with ours?"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import special

from ablate.analyse.bootstrap import CONFIDENCE
from ablate.analyse.inputs import Metrics, Published, find_metric
from ablate.analyse.panel import make_panel
from ablate.analyse.results import Interval, PublishedCheck


def check_published(runs: pd.DataFrame, published: Sequence[Published], metrics: Metrics) -> tuple[PublishedCheck, ...]:
    """Hold published means against the runs.

    A published number is the mean of m runs of somebody else. If these runs were drawn like our n, it lies with 95 %
    probability within t(n - 1) * sd * sqrt(1/n + 1/m) of our mean, sd being the spread of our runs (Hahn and Meeker
    1991, *Statistical Intervals*, 4.8): a prediction interval, wider than the interval of our mean. Rounding of the
    printed number is added to its half width.

    Args:
        runs: frame of runs of one study.
        published: printed numbers.
        metrics: those that they are of.

    Raises:
        AnalysisError: a factor, level or metric that the study does not have.
    """
    panels = {
        key: make_panel(runs, find_metric(metrics, key[1]), key[0])
        for key in dict.fromkeys((number.factor, number.metric) for number in published)
    }
    checks = []
    for number in published:
        panel = panels[number.factor, number.metric]
        row = panel.index(number.level)
        sample = panel.values[row][np.isfinite(panel.values[row])]
        n, warnings = len(sample), panel.warnings
        interval = None
        if n >= 2:
            half = (
                float(special.stdtrit(n - 1, 0.5 + CONFIDENCE / 2))
                * float(sample.std(ddof=1))
                * math.sqrt(1 / n + 1 / number.repeats)
            ) + number.rounding
            interval = Interval(float(sample.mean()) - half, float(sample.mean()) + half, CONFIDENCE, "prediction")
        else:
            warnings += (f"{n} complete run(s): too few to say whether the published number agrees.",)
        if panel.diverged[row].any():
            warnings += (f"{int(panel.diverged[row].sum())} diverged run(s) are not in our mean.",)
        mean = float(sample.mean()) if n else None
        checks.append(
            PublishedCheck(
                *(number.factor, panel.levels[row].value, panel.levels[row].label, number.metric),
                *(number.value, number.repeats, n),
                mean=mean,
                difference=None if mean is None else mean - number.value,
                interval=interval,
                inside=None if interval is None else number.value in interval,
                warnings=warnings,
            )
        )
    return tuple(checks)
