import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from ablate.analyse import AnalysisError, describe
from ablate.images.metrics import METRICS as M
from ablate.task.metric import Metric

ACCURACIES = [0.81, 0.79, 0.80, 0.83, 0.10, 0.82]


def test_statistics_of_a_level_are_numpys_and_scipys(make_runs):
    (level,) = describe(make_runs({0.9: ACCURACIES}, baseline=0.9), metrics=[M["test_acc"]]).levels
    values = np.array(ACCURACIES)
    assert (level.n, level.complete, level.diverged, level.failed, level.missing) == (6, 6, 0, 0, 0)
    assert level.mean == pytest.approx(values.mean())
    assert level.median == pytest.approx(np.median(values))
    assert level.sd == pytest.approx(values.std(ddof=1))
    assert (level.minimum, level.maximum) == (0.10, 0.83)
    assert level.iqm == pytest.approx(stats.trim_mean(values, 0.25))
    expected = stats.ttest_1samp(values, 0.0).confidence_interval()
    assert (level.interval.low, level.interval.high) == pytest.approx((expected.low, min(1.0, expected.high)))
    assert (level.is_uneven, level.apart) == (True, 1)
    wilson = proportion_confint(1, 6, method="wilson")
    assert (level.apart_share.low, level.apart_share.high) == pytest.approx(wilson)
    assert level.iqm_interval.low <= level.iqm <= level.iqm_interval.high
    assert level.is_baseline


def guessing(runs, metric, value, samples=np.nan):
    return runs.assign(**{f"guess.{metric}": value, f"guess_samples.{metric}": samples})


def test_a_run_at_chance_is_counted_beside_the_mean(make_runs):
    (level,) = describe(guessing(make_runs({0.9: ACCURACIES}), "test_acc", 0.1), metrics=[M["test_acc"]]).levels
    assert level.at_chance == 1


def test_nothing_is_at_chance_where_guessing_is_not_known(make_runs):
    (level,) = describe(make_runs({0.9: ACCURACIES}), metrics=[M["test_acc"]]).levels
    assert level.at_chance is None


@pytest.mark.parametrize(("accuracy", "expected"), [(0.1, 1), (0.1094, 1), (0.1095, 0), (0.2, 0), (0.02, 1)])
def test_chance_is_a_binomial_bound(make_runs, accuracy, expected):
    runs = guessing(make_runs({1: [accuracy]}), "test_acc", 0.1, 10_000)
    (level,) = describe(runs, metrics=[M["test_acc"]]).levels
    assert level.at_chance == expected
    if expected:
        assert stats.binom.sf(accuracy * 10_000 - 1, 10_000, 0.1) > 0.0009
    else:
        assert stats.binom.sf(accuracy * 10_000 - 1, 10_000, 0.1) < 0.001


def test_chance_of_a_loss_is_told_by_a_share_of_the_same_part_of_the_data(make_runs):
    runs = make_runs({1: [2.25, 0.5]}, metric="train_loss").assign(train_acc=[0.1, 0.8])
    runs = guessing(guessing(runs, "train_acc", 0.1, 60_000), "train_loss", math.log(10))
    (level,) = describe(runs, metrics=[M["train_loss"]], declared=M).levels
    assert level.at_chance == 1
    (level,) = describe(runs, metrics=[M["train_loss"]]).levels
    assert level.at_chance == 0  # by itself it is below ln 10
    (level,) = describe(runs, metrics=[M["test_loss"]], declared=M).levels
    assert level.at_chance is None


def test_chance_of_a_share_that_is_to_be_low(make_runs):
    error = Metric("error", "min", low=0.0, high=1.0)
    runs = guessing(make_runs({1: [0.9, 0.8906, 0.8905]}).assign(error=lambda f: f["test_acc"]), "error", 0.9, 10_000)
    assert describe(runs, metrics=[error]).levels[0].at_chance == 2


def test_a_complete_run_without_a_finite_value_is_visible(make_runs):
    one, two = describe(make_runs({1: [0.5, np.nan, 0.6], 2: [0.4] * 3}), metrics=[M["test_acc"]]).levels
    assert (one.n, one.complete, one.mean) == (2, 3, pytest.approx(0.55))
    assert one.warnings == ("1 of 3 complete run(s) have no finite value: not in the mean.",)
    assert two.warnings == ()


def test_outcomes_are_counted_and_kept_out_of_the_mean(make_runs):
    runs = make_runs({1: [0.5, "diverged", 0.7, "failed", "missing", "diverged"], 2: ["missing"] * 6})
    one, two = describe(runs, metrics=[M["test_acc"]]).levels
    assert (one.n, one.complete, one.diverged, one.failed, one.missing) == (2, 2, 2, 1, 1)
    assert one.mean == pytest.approx(0.6)
    assert one.warnings == ("2 diverged, 1 failed, 1 missing of 6 runs: not in the mean.",)
    assert (two.n, two.mean, two.sd, two.interval) == (0, None, None, None)


@pytest.mark.parametrize(
    ("n", "carried"),
    [
        (0, set()),
        (1, {"mean"}),
        (2, {"mean", "sd", "interval"}),
        (3, {"mean", "sd", "interval"}),
        (4, {"mean", "sd", "interval", "iqm"}),
    ],
)
def test_no_number_that_the_runs_cannot_carry(make_runs, n, carried):
    runs = make_runs({1: [0.5, 0.6, 0.8, 0.7][:n] + ["missing"] * (4 - n)})
    (level,) = describe(runs, metrics=[M["test_acc"]]).levels
    names = ("mean", "sd", "interval", "iqm", "iqm_interval")
    assert {name for name in names if getattr(level, name) is not None} == carried


def test_a_metric_that_was_not_measured_has_no_numbers(make_runs):
    level = describe(make_runs({1: [0.5, 0.6]}), metrics=[M["test_acc"], M["val_acc"]]).levels[1]
    assert (level.metric, level.n, level.complete, level.mean) == ("val_acc", 0, 2, None)


def test_levels_keep_the_studys_order_and_factors_stay_apart(make_runs):
    runs = pd.concat([make_runs({8: [1], 2: [2], 10: [3]}, factor="b"), make_runs({8: [4]}, factor="a")])
    shuffled = runs.iloc[1:]
    levels = describe(pd.concat([shuffled, runs.iloc[:1]]), metrics=[M["test_acc"]]).levels
    assert [(level.factor, level.level) for level in levels] == [("b", 8), ("b", 2), ("b", 10), ("a", 8)]
    assert [level.mean for level in levels] == [1, 2, 3, 4]


def test_each_level_is_described_as_if_alone(make_runs):
    generator = np.random.default_rng(0)
    values = {level: list(generator.random(5)) for level in range(4)}
    values[2] = [*values[2][:3], "diverged", "diverged"]
    together = describe(make_runs(values), metrics=[M["test_acc"]]).levels
    for order, entry in enumerate(together):
        (alone,) = describe(make_runs({order: values[order]}), metrics=[M["test_acc"]]).levels
        assert alone.mean == entry.mean
        assert (alone.interval.low, alone.interval.high) == pytest.approx((entry.interval.low, entry.interval.high))


def test_the_seed_decides_the_bootstrap(make_runs):
    runs = make_runs({1: ACCURACIES})
    first, again, other = (describe(runs, metrics=[M["test_acc"]], seed=seed).levels[0] for seed in (1, 1, 2))
    assert first == again
    assert first.iqm_interval != other.iqm_interval


def test_an_even_level_has_nothing_beside_its_mean(make_runs):
    (level,) = describe(make_runs({1: [0.81, 0.79, 0.80, 0.83, 0.82]}), metrics=[M["test_acc"]]).levels
    assert (level.is_uneven, level.apart, level.apart_share, level.iqm_interval) == (False, 0, None, None)


def test_runs_at_chance_stand_apart_however_many_they_are(make_runs):
    runs = guessing(make_runs({1: [0.8, 0.1, 0.1, 0.1, 0.81]}), "test_acc", 0.1, 10_000)
    (level,) = describe(runs, metrics=[M["test_acc"]]).levels
    assert (level.is_uneven, level.apart) == (True, 3)
    (level,) = describe(runs[runs["test_acc"] == 0.1], metrics=[M["test_acc"]]).levels
    assert (level.is_uneven, level.apart) == (False, 3)  # all of them: it is one group


def test_mixed_engines_are_a_visible_warning(make_runs):
    runs = pd.concat([make_runs({1: [0.5]}), make_runs({2: [0.6]}, engine=2).assign(order=1)])
    assert "engine versions 1, 2" in describe(runs, metrics=[M["test_acc"]]).warnings[0]


def test_a_table_for_notebooks(make_runs):
    description = describe(make_runs({1: ACCURACIES, 2: ACCURACIES}), metrics=[M["test_acc"]])
    frame = description.to_frame()
    assert list(frame["label"]) == ["1", "2"]
    assert {"interval_low", "interval_high", "at_chance", "diverged"} <= set(frame.columns)
    assert "<table" in description._repr_html_()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda runs: runs.drop(columns=["status"]), "lacks the column"),
        (lambda runs: runs.iloc[:0], "empty"),
        (lambda runs: runs.assign(status="done"), "status done: must be one of complete, diverged, failed, missing"),
        (lambda runs: pd.concat([runs, runs.assign(study="other")]), "one study at a time"),
        (lambda runs: pd.concat([runs, runs.assign(digest="other")]), "repeat a level and seed"),
    ],
)
def test_what_is_no_frame_of_runs_is_refused(make_runs, change, message):
    with pytest.raises(AnalysisError, match=message):
        describe(change(make_runs({1: ACCURACIES})), metrics=[M["test_acc"]])


def test_the_same_run_listed_twice_counts_once(make_runs):
    runs = make_runs({1: ACCURACIES})
    assert describe(pd.concat([runs, runs]), metrics=[M["test_acc"]]).levels[0].n == 6


def test_a_share_of_known_samples_says_what_other_samples_would_do(make_runs):
    runs = make_runs({1: [0.78, 0.82], 2: [0.5, 0.5]}).assign(**{"guess_samples.test_acc": 10_000.0})
    found = describe(runs, metrics=[M["test_acc"]]).levels
    drawn = np.random.default_rng(0).binomial(10_000, 0.8, 20_000) / 10_000
    assert found[0].sampling_sd == pytest.approx(drawn.std(), rel=0.02)
    assert found[1].sampling_sd == pytest.approx(0.005)
    unknown = (runs.drop(columns="guess_samples.test_acc"), runs.assign(**{"guess_samples.test_acc": [1e4, 1e3] * 2}))
    assert [describe(frame, metrics=[M["test_acc"]]).levels[0].sampling_sd for frame in unknown] == [None, None]
    loss = runs.rename(columns={"test_acc": "test_loss", "test_loss": "test_acc"})
    assert describe(loss, metrics=[M["test_loss"]]).levels[0].sampling_sd is None
