import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ablate.analyse import AnalysisError, curves
from ablate.images.metrics import METRICS as M


def epochs_of(runs, lengths=None):
    generator = np.random.default_rng(0)
    return pd.DataFrame(
        [
            {"digest": digest, "epoch": epoch, "test_acc": generator.random()}
            for index, digest in enumerate(runs["digest"])
            for epoch in range(1, (3 if lengths is None else lengths[index]) + 1)
        ]
    )


def test_mean_and_interval_of_each_epoch_are_scipys(make_runs):
    runs = make_runs({2: [0.5] * 5, 1: [0.5] * 5})
    epochs = epochs_of(runs)
    first, second = curves(runs, epochs, metric=M["test_acc"])
    assert (first.label, second.label, first.epochs, first.n) == ("2", "1", (1, 2, 3), (5, 5, 5))
    values = epochs[epochs["digest"].str.contains("/2/")].pivot(index="digest", columns="epoch", values="test_acc")
    assert first.mean == pytest.approx(values.mean(axis=0).to_numpy())
    for column, epoch in enumerate((1, 2, 3)):
        expected = stats.ttest_1samp(values[epoch], 0.0).confidence_interval()
        assert (first.low[column], first.high[column]) == pytest.approx((max(0, expected.low), min(1, expected.high)))
    assert list(first.to_frame().columns) == ["epoch", "n", "mean", "low", "high"]


def test_runs_that_did_not_complete_are_left_out_visibly(make_runs):
    runs = make_runs({1: [0.5, 0.6, "diverged", "missing"]})
    (curve,) = curves(runs, epochs_of(runs), metric=M["test_acc"])
    assert curve.n == (2, 2, 2)
    assert set(curve.warnings) == {"1 diverged run(s) are not in the curve.", "1 missing run(s) are not in the curve."}


def test_the_count_falls_where_runs_end_earlier_and_one_run_has_no_interval(make_runs):
    runs = make_runs({1: [0.5, 0.6]})
    (curve,) = curves(runs, epochs_of(runs, lengths=[3, 1]), metric=M["test_acc"])
    assert curve.n == (2, 1, 1)
    assert np.isnan(curve.low).tolist() == [False, True, True]


def test_levels_without_a_measured_epoch_have_no_curve(make_runs):
    runs = make_runs({1: [0.5], 2: ["missing"]})
    assert [curve.label for curve in curves(runs, epochs_of(runs), metric=M["test_acc"])] == ["1"]
    assert curves(runs, epochs_of(runs).assign(test_acc=np.nan), metric=M["test_acc"]) == ()


def test_what_cannot_be_joined_is_an_error(make_runs):
    runs = make_runs({1: [0.5]})
    with pytest.raises(AnalysisError, match=r"frame of curves lacks the column\(s\) val_acc"):
        curves(runs, epochs_of(runs), metric=M["val_acc"])
    with pytest.raises(AnalysisError, match="no factor 'x'"):
        curves(runs, epochs_of(runs), metric=M["test_acc"], factor="x")
    with pytest.raises(AnalysisError, match="several factors"):
        curves(pd.concat([runs, make_runs({1: [0.5]}, factor="b")]), epochs_of(runs), metric=M["test_acc"])
