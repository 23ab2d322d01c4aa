"""The interval of a mean against Hall's transformation, inverted by root finding, and against Student's t."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import optimize, stats

from ablate.analyse.bootstrap import t_interval
from ablate.analyse.mean_interval import mean_interval, moments

SKEWED = [0.81, 0.80, 0.82, 0.79, 0.71]


def by_root_finding(values):
    """Hall's interval from the definition: the means whose transformed t statistic is not extreme."""
    n, mean, sd, g = len(values), np.mean(values), np.std(values, ddof=1), stats.skew(values)
    ends = []
    for quantile in stats.t.ppf([0.975, 0.025], n - 1):

        def extreme(mu, quantile=quantile):
            x = (mean - mu) / sd
            return np.sqrt(n) * (x + g * x**2 / 3 + g**2 * x**3 / 27 + g / (6 * n)) - quantile

        ends.append(optimize.brentq(extreme, mean - 50 * sd, mean + 50 * sd, xtol=1e-14))
    return ends


@pytest.mark.parametrize("sample", [SKEWED, [-v for v in SKEWED], [1, 2, 3, 4, 5, 6, 7, 8, 9, 30], [0.1, 0.2, 0.5]])
def test_it_is_the_hull_of_halls_interval_and_of_students(sample):
    values = np.array(sample, dtype=float)
    (low,), (high,) = mean_interval(len(values), *moments(values[None]))
    hall, student = by_root_finding(values), stats.ttest_1samp(values, 0.0).confidence_interval()
    assert low == pytest.approx(min(hall[0], student.low), rel=1e-9)
    assert high == pytest.approx(max(hall[1], student.high), rel=1e-9)
    tail_is_left = stats.skew(values) < 0
    assert (values.mean() - low > high - values.mean()) == tail_is_left


@pytest.mark.parametrize("sample", [[0.1, 0.2, 0.3, 0.4, 0.5], [0.1, 0.3], [0.7, 0.7, 0.7]])
def test_without_skewness_it_is_students(sample):
    values = np.array([sample])
    np.testing.assert_allclose(mean_interval(values.shape[1], *moments(values)), t_interval(values), rtol=1e-9)


def test_one_run_has_no_interval():
    low, high = mean_interval([1, 2], [0.5, 0.5], [np.nan, 0.1], [np.nan, np.nan])
    assert np.isnan([low[0], high[0]]).all()
    assert np.isfinite([low[1], high[1]]).all()


def test_moments_are_those_of_pandas():
    values = np.random.default_rng(0).gamma(2.0, size=(4, 7))
    frame = pd.DataFrame(values.T)
    for ours, theirs in zip(moments(values), (frame.mean(), frame.std(), frame.skew()), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


VALUES = arrays(np.float64, (3, 6), elements=st.floats(-100, 100, allow_subnormal=False).map(lambda v: round(v, 3)))


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_it_holds_students_turns_with_the_sign_and_has_an_end(values):
    low, high = mean_interval(6, *moments(values))
    t_low, t_high = t_interval(values)
    assert (low <= t_low + 1e-9).all()
    assert (high >= t_high - 1e-9).all()
    assert (high - low <= 2.7 * (t_high - t_low) + 1e-9).all()
    turned_low, turned_high = mean_interval(6, *moments(-values))
    np.testing.assert_allclose((turned_low, turned_high), (-high, -low), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("n", [5, 10])
@pytest.mark.parametrize("name", ["normal", "gamma"])
def test_it_covers_nearly_as_often_as_it_says_at_least(name, n):
    generator = np.random.default_rng(n)
    draw = {"normal": generator.standard_normal, "gamma": lambda size: 2.0 - generator.gamma(2.0, size=size)}[name]
    low, high = mean_interval(n, *moments(draw(size=(20_000, n))))
    assert np.mean((low <= 0.0) & (high >= 0.0)) >= 0.935
