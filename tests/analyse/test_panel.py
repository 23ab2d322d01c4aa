import math

import numpy as np
import pandas as pd
import pytest

from ablate.analyse import AnalysisError
from ablate.analyse.panel import make_panel, worst_of
from ablate.images.metrics import METRICS as M
from ablate.task.metric import Metric


def test_a_panel_is_levels_by_seeds(make_runs):
    runs = make_runs({8: [0.1, 0.2, None], 2: [None, "diverged", 0.6]}, seeds=[7, 0, 3])
    panel = make_panel(runs.sample(frac=1, random_state=0), M["test_acc"])
    assert [level.value for level in panel.levels] == [8, 2]
    assert panel.seeds == (0, 3, 7)
    np.testing.assert_array_equal(panel.values, [[0.2, np.nan, 0.1], [np.nan, 0.6, np.nan]])
    np.testing.assert_array_equal(panel.diverged, [[False] * 3, [True, False, False]])
    np.testing.assert_array_equal(panel.complete, [[True, False, True], [False, True, False]])


@pytest.mark.parametrize(
    ("metric", "guess", "value"),
    [
        ("test_acc", 0.1, 0.1),
        ("test_acc", 0.7, 0.5),
        ("test_acc", np.nan, 0.0),
        ("test_loss", math.log(10), math.log(10)),
        ("test_loss", 0.1, 0.8),
        ("test_loss", np.nan, 1.1),
    ],
)
def test_a_diverged_run_counts_as_the_worst_of_a_guess_and_all_finished_ones(make_runs, metric, guess, value):
    runs = make_runs({1: ["diverged", 0.6], 2: [0.5, 0.8]}, metric=metric).assign(**{f"guess.{metric}": guess})
    np.testing.assert_allclose(make_panel(runs, M[metric]).counted, [[value, 0.6], [0.5, 0.8]])


def test_without_a_guess_a_diverged_run_is_below_all_others():
    assert worst_of(M["test_acc"], np.array([0.1, 0.9]), np.array([np.nan])) == 0.0
    assert worst_of(Metric("score", "max"), np.array([0.0]), np.array([])) == -1.0
    assert worst_of(Metric("time", "min"), np.array([2.0, 3.0]), np.array([])) == 4.0


def test_nothing_is_counted_where_nothing_is_known(make_runs):
    assert np.isnan(make_panel(make_runs({1: ["diverged"], 2: ["failed"]}), M["test_acc"]).counted).all()


def test_a_nan_in_a_complete_run_is_seen(make_runs):
    panel = make_panel(make_runs({1: [0.5, np.nan], 2: [0.6, np.inf]}), M["test_acc"])
    assert panel.warnings == ("2 complete run(s) have no finite value: they are in no number here.",)
    np.testing.assert_array_equal(panel.values, [[0.5, np.nan], [0.6, np.nan]])


def test_levels_that_learned_nothing_or_never_vary_are_no_evidence(make_runs):
    levels = {1: [0.33, 0.34], 2: ["diverged", 0.33], 3: ["diverged"] * 2, 4: [0.8, 0.9], 5: [0.7] * 2, 6: [0.9] * 2}
    runs = make_runs(levels).assign(**{"guess.test_acc": 1 / 3, "guess_samples.test_acc": 1000})
    panel = make_panel(runs, M["test_acc"])
    assert panel.idle.tolist() == [True, True, True, False, False, False]
    assert panel.constant.tolist() == [False, False, False, False, True, True]
    assert panel.told[:4, :4].tolist() == [[False] * 3 + [True]] * 3 + [[True] * 4]
    assert not panel.told[4, 5]
    assert "runs that learned nothing are no evidence" in panel.no_evidence(0, 2)
    assert "without spread no evidence" in panel.no_evidence(4, 5)
    assert panel.no_evidence(0, 3) == ""


def test_the_last_values_of_a_diverged_run_are_not_read(make_runs):
    panel = make_panel(make_runs({1: ["diverged"]}).assign(test_acc=0.9), M["test_acc"])
    assert np.isnan(panel.values).all()


@pytest.mark.parametrize(
    ("wanted", "row"), [(8, 0), (8.0, 0), ("8", 0), (True, 1), ("True", 1), ([3, 5], 2), ((3, 5), 2)]
)
def test_levels_are_found_by_value_or_label(make_runs, wanted, row):
    runs = make_runs({8: [0.1], True: [0.2], (3, 5): [0.3]})
    assert make_panel(runs, M["test_acc"]).index(wanted) == row


def test_true_is_not_the_number_one(make_runs):
    panel = make_panel(make_runs({1: [0.1]}), M["test_acc"])
    with pytest.raises(AnalysisError, match="no level True"):
        panel.index(True)


def test_several_factors_must_be_told_apart(make_runs):
    runs = pd.concat([make_runs({1: [0.1]}, factor="a"), make_runs({1: [0.2]}, factor="b")])
    with pytest.raises(AnalysisError, match=r"several factors \(a, b\)"):
        make_panel(runs, M["test_acc"])
    assert make_panel(runs, M["test_acc"], "b").values.tolist() == [[0.2]]


def test_two_baselines_are_an_error(make_runs):
    panel = make_panel(make_runs({1: [0.1], 2: [0.2]}).assign(is_baseline=True), M["test_acc"])
    with pytest.raises(AnalysisError, match="found 1, 2"):
        panel.baseline()
