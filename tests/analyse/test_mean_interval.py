"""The interval of a mean against SciPy's t, cut to where a mean can be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from ablate.analyse.mean_interval import interval_of, mean_interval
from ablate.task.metric import Metric

ACCURACY = Metric("accuracy", "max", low=0.0, high=1.0)
LOSS = Metric("loss", "min", low=0.0)
FREE = Metric("reward", "max")


@pytest.mark.parametrize("sample", [[0.5, 0.6, 0.8], [0.81, 0.80, 0.82, 0.79, 0.71], [0.3, 0.5]])
def test_it_is_scipys_t_where_that_lies_within_the_range(sample):
    (low,), (high,) = interval_of(FREE, np.array([sample]))
    expected = stats.ttest_1samp(sample, 0.0).confidence_interval()
    assert (low, high) == pytest.approx((expected.low, expected.high))


def test_it_ends_within_the_metrics_range_and_with_many_runs_within_them():
    one_learned = [0.1, 0.1, 0.1, 0.1, 0.52]
    (low,), (high,) = interval_of(ACCURACY, np.array([one_learned]))
    assert low == 0.0
    assert high == pytest.approx(stats.ttest_1samp(one_learned, 0.0).confidence_interval().high)
    (low,), (high,) = interval_of(LOSS, np.array([[0.01, 0.02, 3.0]]))
    assert (low, high > 3.0) == (0.0, True)
    (low,), (high,) = interval_of(ACCURACY, np.array([[0.1] * 7 + [0.6]]))
    assert low == 0.1  # eight runs: no mean below all of them
    assert high < 0.6


def test_raising_one_seed_by_little_moves_the_ends_by_little():
    values = np.array([0.81, 0.80, 0.82, 0.79, 0.80, 0.81, 0.82, 0.80, 0.79, 0.70])
    for step in np.linspace(0.0, 0.02, 41):
        moved = np.array([values, values])
        moved[0, -1] += step
        moved[1, -1] += step + 0.0005
        (a, b), (c, d) = interval_of(ACCURACY, moved)
        assert abs(a - b) <= 0.0005
        assert abs(c - d) <= 0.0005


def test_one_run_has_no_interval():
    low, high = mean_interval(FREE, [1, 2], [0.5, 0.5], [np.nan, 0.1], [0.5, 0.4], [0.5, 0.6])
    assert np.isnan([low[0], high[0]]).all()
    assert np.isfinite([low[1], high[1]]).all()


VALUES = arrays(np.float64, (3, 9), elements=st.floats(0, 1, allow_subnormal=False).map(lambda v: round(v, 3)))


@settings(max_examples=100, deadline=None)
@given(VALUES, st.integers(2, 9), st.floats(0.5, 3.0), st.floats(-2.0, 2.0))
def test_it_holds_the_mean_turns_with_the_sign_and_moves_with_the_unit(values, n, scale, shift):
    values = values[:, :n]
    low, high = interval_of(ACCURACY, values)
    assert ((low <= values.mean(axis=1)) & (values.mean(axis=1) <= high)).all()
    assert (low >= 0).all()
    assert (high <= 1).all()
    low, high = interval_of(FREE, values)
    np.testing.assert_allclose(interval_of(FREE, -values), (-high, -low), atol=1e-12)
    moved = interval_of(FREE, values * scale + shift)
    np.testing.assert_allclose(moved, (low * scale + shift, high * scale + shift), atol=1e-9)
