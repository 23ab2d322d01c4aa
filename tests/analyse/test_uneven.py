"""Runs that stand apart, by hand and against a slow reading of the rule."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from ablate.analyse.uneven import LONG_TAIL, apart, has_long_tail, wilson


def slowly(values, sign):
    """The runs below the first gap more than twice as wide as the runs above it are spread, those being the most."""
    best_first = sorted(values, key=lambda v: -v * sign)
    for above in range((len(values) + 1) // 2, len(values)):
        gap = abs(best_first[above - 1] - best_first[above])
        if gap > 2 * abs(best_first[0] - best_first[above - 1]) + 1e-9:
            return sorted(best_first[above:])
    return []


@pytest.mark.parametrize(
    ("values", "sign", "expected"),
    [
        ([0.82, 0.81, 0.83, 0.82, 0.1], 1, [0.1]),
        ([0.82, 0.81, 0.83, 0.1, 0.12], 1, [0.1, 0.12]),
        ([0.82, 0.81, 0.1, 0.1, 0.1], 1, []),  # those that learned are not the most
        ([0.82, 0.81, 0.83, 0.82, 0.99], 1, []),  # one that is much better is no run that stands apart
        ([0.82, 0.81, 0.83, 0.82, 0.99], -1, [0.99]),
        ([0.82, 0.1, 0.82, 0.83], 1, []),  # too few
        ([0.8, 0.8, 0.8, 0.8, 0.8], 1, []),
    ],
)
def test_runs_below_a_wide_gap(values, sign, expected):
    found = apart(np.array([values]), sign)[0]
    assert sorted(np.array(values)[found]) == expected


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=5, max_size=12), st.sampled_from([1, -1]))
def test_it_is_the_rule_read_slowly(numbers, sign):
    values = np.array(numbers) / 60
    found = apart(values[None], sign)[0]
    assert sorted(values[found]) == slowly(list(values), sign)


def test_a_long_tail_is_rare_in_normal_samples():
    generator = np.random.default_rng(0)
    for n in (5, 10, 20):
        assert has_long_tail(generator.standard_normal((4000, n))).mean() <= 0.03
    assert has_long_tail(generator.exponential(1, (4000, 20))).mean() > 0.4
    assert not has_long_tail(np.full((1, 6), 0.1)).any()


def test_wilson_is_statsmodels():
    for count, of in ((0, 5), (3, 10), (10, 10)):
        assert wilson(count, of) == pytest.approx(proportion_confint(count, of, method="wilson"))


@pytest.mark.parametrize("n", [5, 8, 20])
def test_a_tail_is_long_by_the_skewness_of_scipy(n):
    samples = np.random.default_rng(n).gamma(0.7, size=(500, n))
    error = np.sqrt(6 * n * (n - 1) / ((n - 2) * (n + 1) * (n + 3)))
    np.testing.assert_array_equal(
        has_long_tail(samples), np.abs(stats.skew(samples, axis=1, bias=False)) > LONG_TAIL * error
    )
