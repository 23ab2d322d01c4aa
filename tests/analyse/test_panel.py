import math

import numpy as np
import pandas as pd
import pytest

from ablate.analyse import AnalysisError, Chance
from ablate.analyse.panel import make_panel


def test_a_panel_is_levels_by_seeds(make_runs):
    runs = make_runs({8: [0.1, 0.2, None], 2: [None, "diverged", 0.6]}, seeds=[7, 0, 3])
    panel = make_panel(runs.sample(frac=1, random_state=0), "test_acc")
    assert [level.value for level in panel.levels] == [8, 2]
    assert panel.seeds == (0, 3, 7)
    np.testing.assert_array_equal(panel.values, [[0.2, np.nan, 0.1], [np.nan, 0.6, np.nan]])
    np.testing.assert_array_equal(panel.diverged, [[False] * 3, [True, False, False]])
    np.testing.assert_array_equal(panel.complete, [[True, False, True], [False, True, False]])


@pytest.mark.parametrize(("metric", "value"), [("test_acc", 0.1), ("test_loss", math.log(10)), ("seconds", np.nan)])
def test_a_diverged_run_is_worth_a_guess(make_runs, metric, value):
    panel = make_panel(make_runs({1: ["diverged"]}, metric=metric), metric)
    np.testing.assert_array_equal(panel.counting_diverged(Chance()), [[value]])


def test_the_last_values_of_a_diverged_run_are_not_read(make_runs):
    panel = make_panel(make_runs({1: ["diverged"]}).assign(test_acc=0.9), "test_acc")
    assert np.isnan(panel.values).all()


@pytest.mark.parametrize(
    ("wanted", "row"), [(8, 0), (8.0, 0), ("8", 0), (True, 1), ("True", 1), ([3, 5], 2), ((3, 5), 2)]
)
def test_levels_are_found_by_value_or_label(make_runs, wanted, row):
    runs = make_runs({8: [0.1], True: [0.2], (3, 5): [0.3]})
    assert make_panel(runs, "test_acc").index(wanted) == row


def test_true_is_not_the_number_one(make_runs):
    panel = make_panel(make_runs({1: [0.1]}), "test_acc")
    with pytest.raises(AnalysisError, match="no level True"):
        panel.index(True)


def test_several_factors_must_be_told_apart(make_runs):
    runs = pd.concat([make_runs({1: [0.1]}, factor="a"), make_runs({1: [0.2]}, factor="b")])
    with pytest.raises(AnalysisError, match=r"several factors \(a, b\)"):
        make_panel(runs, "test_acc")
    assert make_panel(runs, "test_acc", "b").values.tolist() == [[0.2]]


def test_two_baselines_are_an_error(make_runs):
    panel = make_panel(make_runs({1: [0.1], 2: [0.2]}).assign(is_baseline=True), "test_acc")
    with pytest.raises(AnalysisError, match="found 1, 2"):
        panel.baseline()
