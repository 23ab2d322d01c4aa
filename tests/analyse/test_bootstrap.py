import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from ablate.analyse.bootstrap import (
    interquartile_mean,
    iqm_interval,
    t_interval,
)

SAMPLES = np.random.default_rng(7).gamma(2.0, 1.0, (6, 9))


def test_t_interval_is_scipys():
    low, high = t_interval(SAMPLES)
    for row, a, b in zip(SAMPLES, low, high, strict=True):
        expected = stats.ttest_1samp(row, 0.0).confidence_interval(0.95)
        np.testing.assert_allclose((a, b), (expected.low, expected.high), rtol=1e-12)


def test_blocks_do_not_change_the_result(monkeypatch):
    whole = iqm_interval(SAMPLES, 500, np.random.default_rng(0))
    monkeypatch.setattr("ablate.analyse.bootstrap._BLOCK", 600)
    np.testing.assert_allclose(whole, iqm_interval(SAMPLES, 500, np.random.default_rng(0)), rtol=1e-12)


def test_interquartile_mean_is_rliables(rliable):
    _, metrics = rliable
    for n in (4, 5, 7, 8, 10):
        scores = np.random.default_rng(n).random((n, 1))
        assert interquartile_mean(scores[:, 0]) == pytest.approx(metrics.aggregate_iqm(scores), rel=1e-12)


def test_interquartile_mean_by_hand():
    assert interquartile_mean(np.array([0.0, 100.0, 2.0, 4.0])) == 3.0
    assert interquartile_mean(np.array([0.1, 9.0, 1.0, 2.0, 3.0])) == 2.0


def test_its_bootstrap_is_rliables(rliable):
    library, metrics = rliable
    scores = np.random.default_rng(5).gamma(2.0, 1.0, (10, 1))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "random_state is deprecated", FutureWarning)
        _, expected = library.get_interval_estimates(
            {"a": scores},
            lambda x: np.array([metrics.aggregate_iqm(x)]),
            reps=5000,
            random_state=np.random.RandomState(1),
        )
    (low,), (high,) = iqm_interval(scores.T, 5000, np.random.default_rng(2))
    np.testing.assert_allclose((low, high), expected["a"][:, 0], atol=0.05 * np.ptp(expected["a"]))


def test_iqm_interval_is_the_bootstrap_of_the_iqm():
    low, high = iqm_interval(SAMPLES, 400, np.random.default_rng(4))
    indices = np.random.default_rng(4).integers(0, 9, (400, 9))
    for row, a, b in zip(SAMPLES, low, high, strict=True):
        scores = stats.trim_mean(np.sort(row)[indices], 0.25, axis=1)
        np.testing.assert_allclose((a, b), np.quantile(scores, [0.025, 0.975]), rtol=1e-12)


VALUES = arrays(np.float64, (3, 6), elements=st.floats(-100, 100, allow_subnormal=False).map(lambda v: round(v, 3)))


@settings(max_examples=50, deadline=None)
@given(VALUES)
def test_intervals_hold_the_mean_and_turn_with_the_sign(values):
    mean = values.mean(axis=1)
    low, high = t_interval(values)
    assert (low <= mean + 1e-9).all()
    assert (mean <= high + 1e-9).all()
    turned_low, turned_high = t_interval(-values)
    np.testing.assert_allclose((turned_low, turned_high), (-high, -low), atol=1e-9)
    low, high = iqm_interval(values, 200, np.random.default_rng(0))
    assert (low <= high).all()
    assert (low >= values.min(axis=1) - 1e-9).all()
    assert (high <= values.max(axis=1) + 1e-9).all()
