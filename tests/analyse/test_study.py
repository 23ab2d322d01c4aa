import itertools

import numpy as np
import pandas as pd
import pytest

from ablate.analyse import AnalysisError, Published, analyse, best, compare, describe, judge, trend
from ablate.analyse.claims import hold_together
from ablate.images.metrics import METRICS as M
from ablate.task.claim import parse_claim

CLAIM = parse_claim(
    {
        **{"id": "best", "text": "best at 3", "kind": "best_in", "factor": "optimizer.lr"},
        **{"metric": "test_acc", "levels": [3]},
    }
)
PUBLISHED = Published("optimizer.lr", 2, "test_acc", 0.7, 10)


@pytest.fixture
def runs(make_runs):
    generator = np.random.default_rng(0)
    return make_runs({level: list(generator.normal(0.5 + 0.1 * level, 0.02, 6)) for level in (1, 2, 3)}, baseline=2)


def test_the_whole_is_its_parts(runs):
    whole = analyse(runs, metrics=[M["test_acc"]], claims=[CLAIM], published=[PUBLISHED])
    assert (whole.study, whole.metrics, whole.factors) == ("lr", ("test_acc",), ("optimizer.lr",))
    assert whole.description == describe(runs, metrics=[M["test_acc"]])
    assert whole.comparisons == compare(runs, metric=M["test_acc"])
    assert whole.best == (best(runs, metric=M["test_acc"]),)
    assert whole.trends == (trend(runs, metric=M["test_acc"]),)
    assert whole.verdicts == hold_together([judge(runs, CLAIM, M)])
    assert whole.published[0].inside is True
    assert (whole.importance, whole.warnings) == ((), ())
    assert whole.summary("test_acc", "2").is_baseline
    assert whole.summary("test_acc", 2) == whole.summary("test_acc", 2.0) == whole.summary("test_acc", "2")
    with pytest.raises(KeyError, match="no level '9'; levels are 1, 2, 3"):
        whole.summary("test_acc", "9")
    with pytest.raises(KeyError, match="no level True"):
        whole.summary("test_acc", True)
    with pytest.raises(KeyError, match="no metric 'val_acc'; there are test_acc"):
        whole.summary("val_acc", 2)


def test_it_prints_in_a_terminal_and_in_a_notebook(runs):
    whole = analyse(runs, metrics=[M["test_acc"], M["train_acc"]], claims=[CLAIM])
    assert "best: " in str(whole)
    frame = whole.to_frame()
    assert len(frame) == 6
    assert frame.loc[frame["metric"] == "test_acc", "standing"].notna().tolist() == [True, False, True]
    assert "<table" in whole._repr_html_()


def test_input_is_left_as_it_was(runs):
    before = runs.copy(deep=True)
    analyse(runs, metrics=[M["test_acc"]], claims=[CLAIM], published=[PUBLISHED])
    pd.testing.assert_frame_equal(runs, before)


def test_the_order_of_the_rows_does_not_matter(runs):
    arguments = {"metrics": [M["test_acc"]], "claims": [CLAIM], "published": [PUBLISHED]}
    assert analyse(runs, **arguments) == analyse(runs.iloc[::-1], **arguments)


def test_a_missing_baseline_is_a_warning_and_the_rest_stands(runs):
    whole = analyse(runs.assign(is_baseline=False), metrics=[M["test_acc"]])
    assert whole.comparisons == ()
    assert whole.best[0].best == "3"
    assert whole.warnings == ("No comparisons: optimizer.lr: there is no single baseline level.",)
    assert len(whole.to_frame()) == 3


def test_a_study_without_a_single_run_yet(make_runs):
    whole = analyse(
        make_runs({1: ["missing"] * 3, 2: ["missing"] * 3, 3: ["missing"] * 3}, baseline=1), metrics=[M["test_acc"]]
    )
    assert [level.n for level in whole.description.levels] == [0, 0, 0]
    assert (whole.best, whole.trends) == ((), ())
    assert [entry.standing for entry in whole.comparisons] == ["undecided", "undecided"]
    assert any("No ranking" in warning for warning in whole.warnings)
    assert any("No trend" in warning for warning in whole.warnings)


def test_names_are_not_ordered_and_have_no_trend(make_runs):
    runs = make_runs({"avg": [0.8, 0.81], "max": [0.8, 0.82], "none": [0.7, 0.71]}, baseline="avg")
    assert analyse(runs, metrics=[M["test_acc"]]).trends == ()


def test_several_factors_are_analysed_apart_with_their_importance(make_runs):
    a = make_runs({1: [0.80, 0.81, 0.82], 2: [0.9, 0.92, 0.91]}, factor="a", baseline=1)
    b = make_runs({5: [0.80, 0.81, 0.82], 6: [0.81, 0.80, 0.83]}, factor="b", baseline=5)
    whole = analyse(pd.concat([a, b]), metrics=[M["test_acc"]])
    assert [result.factor for result in whole.best] == ["a", "b"]
    assert [term.factors for term in whole.importance[0].terms] == [("a",), ("b",)]
    assert whole.summary("test_acc", "6", factor="b").n == 3


def test_a_grid_without_enough_runs_says_why_there_is_no_importance(make_runs):
    levels = list(itertools.product((1, 2), (3, 4)))
    runs = make_runs({level: [0.5] for level in levels}, factor="a x b")
    whole = analyse(runs, metrics=[M["test_acc"]])
    assert whole.importance == ()
    assert any("No importance on test_acc" in warning for warning in whole.warnings)


def test_faults_of_the_study_file_are_raised(runs):
    with pytest.raises(AnalysisError, match="no level"):
        analyse(runs, metrics=[M["test_acc"]], published=[Published("optimizer.lr", 7, "test_acc", 0.7, 10)])
    with pytest.raises(AnalysisError, match="metric 'size' is not declared"):
        analyse(runs, metrics=[M["test_acc"]], published=[Published("optimizer.lr", 2, "size", 0.7, 10)])


def test_levels_are_corrected_within_each_study_of_a_union(make_runs):
    values = {1: [0.5, 0.51, 0.52, 0.53, 0.54], 2: [0.6, 0.62, 0.61, 0.65, 0.66], 3: [0.7, 0.71, 0.75, 0.74, 0.72]}
    runs = pd.concat([make_runs(values, factor="a", baseline=1), make_runs(values, factor="b", baseline=1)])

    def corrected(families, correction="holm"):
        result = analyse(runs, metrics=[M["test_acc"]], families=families, correction=correction)
        return [(c.factor, c.p_corrected) for c in result.comparisons]

    assert corrected({"a": "one", "b": "two"}) == [(f, pytest.approx(2 * 2 / 32)) for f in "aabb"]
    assert corrected(None) == [(f, pytest.approx(4 * 2 / 32)) for f in "aabb"]
    assert corrected({"a": "one", "b": "one"}) == corrected(None)
    assert corrected(None, "max-t") == [(f, pytest.approx(2 / 32)) for f in "aabb"]
