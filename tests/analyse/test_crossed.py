"""Intervals for other seeds and other samples, against an analysis of variance by least squares and by simulation."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from ablate.analyse import analyse
from ablate.analyse.crossed import components, crossed_interval
from ablate.images.metrics import METRICS
from ablate.task.correctness import Correctness
from benchmarks import crossed_intervals
from benchmarks.crossed_intervals import CELLS, METHODS


def by_least_squares(differences):
    """Half of the interval's length, by statsmodels' table of the two-way analysis of variance."""
    n, count = differences.shape
    seed, sample = np.indices(differences.shape)
    frame = pd.DataFrame({"d": differences.ravel().astype(float), "s": seed.ravel(), "i": sample.ravel()})
    table = anova_lm(ols("d ~ C(s) + C(i)", frame).fit())
    mean_squares = table["sum_sq"] / table["df"]
    of_seeds = mean_squares["C(s)"] / (n * count)
    of_samples = max(0.0, (mean_squares["C(i)"] - mean_squares["Residual"]) / (n * count))
    return np.hypot(stats.t.ppf(0.975, n - 1) * np.sqrt(of_seeds), stats.t.ppf(0.975, count - 1) * np.sqrt(of_samples))


@pytest.mark.parametrize(("seeds", "samples"), [(2, 30), (3, 25), (6, 40)])
def test_it_is_that_of_an_analysis_of_variance(seeds, samples):
    rng = np.random.default_rng(seeds)
    right = rng.random((2, seeds, samples)) < rng.uniform(0.3, 1.0, samples)
    differences = right[0].astype(np.int8) - right[1].astype(np.int8)
    found, half = crossed_interval(differences), by_least_squares(differences)
    assert (found.low, found.high) == pytest.approx((differences.mean() - half, differences.mean() + half))
    shuffled = differences[rng.permutation(seeds)][:, rng.permutation(samples)]
    assert components(shuffled).samples == pytest.approx(components(differences).samples)
    turned = crossed_interval(-differences)
    assert (-turned.high, -turned.low) == pytest.approx((found.low, found.high))


def test_it_covers_where_that_of_seeds_alone_does_not(monkeypatch):
    monkeypatch.setattr(crossed_intervals, "SAMPLES", 250)
    monkeypatch.setattr(crossed_intervals, "RESAMPLES", 2)
    for name, seeds in (("no effect of seeds", 5), ("both matter", 3), ("both matter", 10)):
        found = dict(zip(METHODS, crossed_intervals.cell(CELLS[name], seeds, 300), strict=True))
        alone, both = found["seeds alone (t)"], found["both: squares of half lengths"]
        assert both[0] >= 0.93, (name, found)
        assert both[0] > alone[0], (name, found)
        assert both[1] >= alone[1]


@pytest.fixture
def study(make_runs):
    """Three levels of four seeds, and which of 200 samples each run gets right."""
    rng = np.random.default_rng(1)
    bits = {(level, seed): rng.random(200) < 0.6 + level / 10 for level in (0, 1, 2) for seed in range(4)}
    runs = make_runs({level: [bits[level, s].mean() for s in range(4)] for level in (0, 1, 2)}, baseline=1)
    digests = {
        (level, seed): digest for level, seed, digest in zip(runs["level"], runs["seed"], runs["digest"], strict=True)
    }
    kept = {
        digests[key]: Correctness(digests[key], "test_acc", "these", 200, np.packbits(right).tobytes())
        for key, right in bits.items()
    }
    return runs, bits, kept, digests


def test_comparisons_have_it_where_it_was_kept_of_all_their_runs(study):
    runs, bits, kept, digests = study
    metric = METRICS["test_acc"]
    zero, two = analyse(runs, metrics=[metric], kept=kept).comparisons
    for one, level in ((zero, 0), (two, 2)):
        differences = np.array([bits[level, s].astype(np.int8) - bits[1, s].astype(np.int8) for s in range(4)])
        assert (one.with_samples, one.samples) == (crossed_interval(differences), 200)
        assert one.with_samples.low < one.interval.low < one.difference < one.interval.high < one.with_samples.high
    plain = analyse(runs, metrics=[metric])
    assert [one.with_samples for one in plain.comparisons] == [None, None]
    assert "with_samples_low" not in plain.to_frame()

    lost = {digest: bits for digest, bits in kept.items() if digest != digests[2, 3]}
    zero, two = analyse(runs, metrics=[metric], kept=lost).comparisons
    assert (zero.samples, two.with_samples, two.samples_lack) == (200, None, "kept of 3 of 4 pairs of runs")

    other = kept | {digests[0, 0]: Correctness(digests[0, 0], "test_acc", "those", 200, kept[digests[0, 0]].bits)}
    zero, two = analyse(runs, metrics=[metric], kept=other).comparisons
    assert (zero.with_samples, two.samples) == (None, 200)
    assert zero.samples_lack == "measured on other samples than the baseline"
