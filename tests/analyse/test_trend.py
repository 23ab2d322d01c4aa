import numpy as np
import pytest
from scipy import stats

from ablate.analyse import AnalysisError, trend
from ablate.analyse.trend import page
from ablate.images.metrics import METRICS as M

VALUES = np.random.default_rng(2).normal([[0.1], [0.2], [0.3], [0.3]], 0.1, (4, 6))
RUNS = {level: list(row) for level, row in zip((1, 2, 4, 8), VALUES, strict=True)}


def test_page_and_kendall_are_scipys(make_runs):
    result = trend(make_runs(RUNS), metric=M["test_acc"])
    expected = stats.page_trend_test(VALUES.T, method="exact")
    assert (result.page_l, result.p_rising, result.exact) == (expected.statistic, pytest.approx(expected.pvalue), True)
    assert result.p_falling == pytest.approx(stats.page_trend_test(VALUES[::-1].T, method="exact").pvalue)
    taus = [stats.kendalltau(range(4), column).statistic for column in VALUES.T]
    assert result.tau == pytest.approx(np.mean(taus))
    interval = stats.ttest_1samp(taus, 0.0).confidence_interval()
    assert (result.tau_interval.low, result.tau_interval.high) == pytest.approx((interval.low, min(1, interval.high)))
    assert (result.labels, result.n, result.direction) == (("1", "2", "4", "8"), 6, "rising")


@pytest.mark.parametrize(("n", "levels"), [(2, 3), (3, 8), (6, 5), (12, 4), (13, 3), (13, 4), (20, 3), (21, 3), (3, 9)])
@pytest.mark.parametrize("decimals", [9, 1])
def test_page_is_scipys_for_every_size_and_with_equal_values(n, levels, decimals):
    values = np.random.default_rng(n * levels).normal(np.arange(levels) / 5, 0.5, (n, levels)).round(decimals)
    found, expected = page(values), stats.page_trend_test(values)
    assert (found.statistic, found.exact) == (expected.statistic, expected.method == "exact")
    assert found.pvalue == pytest.approx(expected.pvalue, rel=1e-9)


def test_reversed_levels_fall(make_runs):
    there, back = (trend(make_runs(RUNS), metric=M["test_acc"], levels=order) for order in ([1, 2, 4, 8], [8, 4, 2, 1]))
    assert back.direction == "falling"
    assert (back.p_falling, back.tau) == pytest.approx((there.p_rising, -there.tau))


def test_a_flat_metric_has_no_trend(make_runs):
    result = trend(make_runs({level: [0.1] * 5 for level in (1, 2, 3)}), metric=M["test_acc"])
    assert (result.tau, result.direction) == (0.0, "undecided")


def test_diverged_runs_fall_to_chance(make_runs):
    result = trend(make_runs({1: [0.8] * 6, 2: [0.7] * 6, 3: ["diverged"] * 6}), metric=M["test_acc"])
    assert (result.direction, result.tau) == ("falling", -1.0)
    assert "6 diverged run(s)" in result.warnings[0]


def test_common_seeds_only(make_runs):
    result = trend(make_runs({1: [0.1, 0.1, 0.1], 2: [0.2, 0.2, None], 3: [0.3, 0.3, 0.3]}), metric=M["test_acc"])
    assert result.n == 2
    assert "1 seed(s) are not there" in result.warnings[0]


@pytest.mark.parametrize("runs", [{1: [0.1, 0.2], 2: [0.1, 0.2]}, {1: [0.1], 2: [0.2], 3: [0.3]}])
def test_too_little_is_an_error(make_runs, runs):
    with pytest.raises(AnalysisError, match="a trend needs"):
        trend(make_runs(runs), metric=M["test_acc"])
