import numpy as np
import pytest
from statsmodels.stats.weightstats import ttost_paired

from ablate.analyse import AnalysisError, equivalent
from ablate.images.metrics import METRICS as M

A = list(np.random.default_rng(1).normal(0.80, 0.01, 8))
B = [value + d for value, d in zip(A, np.random.default_rng(2).normal(0.001, 0.004, 8), strict=True)]


@pytest.mark.parametrize("margin", [0.001, 0.004, 0.01])
def test_tost_is_statsmodels(make_runs, margin):
    result = equivalent(make_runs({"avg": A, "max": B}), metric=M["test_acc"], a="avg", b="max", margin=margin)
    p, (_, lower, _), (_, upper, _) = ttost_paired(np.array(A), np.array(B), -margin, margin)
    assert (result.p, result.p_lower, result.p_upper) == pytest.approx((p, lower, upper))
    assert result.equivalent == (p <= 0.05)
    assert result.equivalent == (-margin < result.interval.low and result.interval.high < margin)
    assert (result.n, result.interval.confidence) == (8, pytest.approx(0.9))


def test_swapping_the_levels_changes_nothing_but_the_sign(make_runs):
    runs = make_runs({"avg": A, "max": B})
    one = equivalent(runs, metric=M["test_acc"], a="avg", b="max", margin=0.005)
    other = equivalent(runs, metric=M["test_acc"], a="max", b="avg", margin=0.005)
    assert (one.difference, one.p) == pytest.approx((-other.difference, other.p))


def test_diverged_runs_are_not_equivalent_to_complete_ones(make_runs):
    runs = make_runs({"avg": A, "max": [*B[:6], "diverged", "diverged"]})
    result = equivalent(runs, metric=M["test_acc"], a="avg", b="max", margin=0.02)
    assert not result.equivalent
    assert "2 diverged run(s) count as 0," in result.warnings[0]


def test_levels_that_never_differ(make_runs):
    runs = make_runs({1: [0.5] * 4, 2: [0.5] * 4, 3: [0.75] * 4})
    for other, margin in ((2, 0.01), (3, 0.01), (3, 0.5)):
        found = equivalent(runs, metric=M["test_acc"], a=1, b=other, margin=margin)
        assert (found.equivalent, found.p, found.p_against) == (False, 1.0, 1.0)
        assert "without spread no evidence" in found.warnings[0]


def test_the_same_difference_in_every_seed_is_no_evidence(make_runs):
    runs = make_runs({1: [0.5, 0.625, 0.75], 2: [0.625, 0.75, 0.875]})
    found = equivalent(runs, metric=M["test_acc"], a=1, b=2, margin=0.5)
    assert (found.equivalent, found.p) == (False, 1.0)
    assert "differ by the same number in every seed" in found.warnings[0]


def test_p_against_is_small_where_the_difference_is_surely_larger_than_the_margin(make_runs):
    runs = make_runs({1: [0.5, 0.51, 0.52, 0.50], 2: [0.71, 0.72, 0.70, 0.71]})
    found = equivalent(runs, metric=M["test_acc"], a=1, b=2, margin=0.1)
    assert found.p_against == pytest.approx(1 - found.p_lower)
    assert found.p_against < 0.01 < found.p


def test_what_cannot_be_asked(make_runs):
    runs = make_runs({1: [0.5, None], 2: [0.5, 0.6]})
    with pytest.raises(AnalysisError, match="have 1 pair"):
        equivalent(runs, metric=M["test_acc"], a=1, b=2, margin=0.1)
    with pytest.raises(AnalysisError, match="margin above 0"):
        equivalent(runs, metric=M["test_acc"], a=1, b=2, margin=0.0)
    with pytest.raises(AnalysisError, match="no level 3 in study lr; levels are 1, 2"):
        equivalent(runs, metric=M["test_acc"], a=1, b=3, margin=0.1)
