import numpy as np
import pytest
from scipy import stats

from ablate.analyse import AnalysisError, best
from ablate.analyse.best import simes
from ablate.images.metrics import METRICS as M

GENERATOR = np.random.default_rng(5)
LOW = list(GENERATOR.normal(0.70, 0.01, 10))
HIGH = list(GENERATOR.normal(0.80, 0.01, 10))


def test_a_clear_winner(make_runs):
    result = best(make_runs({1: LOW, 2: HIGH, 3: [v - 0.01 for v in LOW]}), metric=M["test_acc"])
    assert (result.best, result.indistinguishable, result.n) == ("2", ("2",), 10)
    assert [level.probability for level in result.levels] == [0.0, 1.0, 0.0]
    assert [level.mean for level in result.levels] == pytest.approx([np.mean(LOW), np.mean(HIGH), np.mean(LOW) - 0.01])
    assert list(result.to_frame()["label"]) == ["1", "2", "3"]


def test_a_lower_loss_is_better(make_runs):
    assert best(make_runs({1: LOW, 2: HIGH}, metric="test_loss"), metric=M["test_loss"]).best == "1"


def test_the_probability_of_two_levels_is_the_paired_t_tests(make_runs):
    near = [a + d for a, d in zip(HIGH, GENERATOR.normal(0.002, 0.01, 10), strict=True)]
    result = best(make_runs({1: HIGH, 2: near}), metric=M["test_acc"])
    differences = np.subtract(HIGH, near)
    expected = stats.ttest_1samp(differences, 0.0, alternative="less").pvalue
    assert result.levels[0].probability == pytest.approx(expected, abs=0.02)
    assert sum(level.probability for level in result.levels) == pytest.approx(1.0)
    assert result.indistinguishable == ("1", "2")
    expected = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", alternative="less", n_resamples=np.inf
    ).pvalue
    assert result.levels[0].p == pytest.approx(expected)


def test_alike_levels_share_the_probability(make_runs):
    result = best(make_runs({1: HIGH, 2: HIGH, 3: LOW}), metric=M["test_acc"])
    assert [level.probability for level in result.levels] == [0.5, 0.5, 0.0]
    assert result.indistinguishable == ("1", "2")


def test_below_five_seeds_there_is_no_probability(make_runs):
    result = best(make_runs({1: HIGH[:4], 2: LOW[:4]}), metric=M["test_acc"])
    assert [level.probability for level in result.levels] == [None, None]


def test_simes_by_hand():
    assert simes(np.array([0.04, 0.03, 0.05])) == 0.05
    assert simes(np.array([0.01, 0.9, 0.9])) == pytest.approx(0.03)
    assert simes(np.array([0.2])) == 0.2


def test_a_diverged_run_ranks_below_all_others(make_runs):
    result = best(make_runs({1: LOW, 2: [*HIGH[:6], *["diverged"] * 4]}), metric=M["test_acc"])
    assert result.best == "1"
    assert result.levels[1].mean == pytest.approx(sum(HIGH[:6]) / 10)
    assert result.warnings == ("4 diverged run(s) count as 0, no better than guessing and all finished runs.",)


def test_levels_without_runs_are_left_out_and_named(make_runs):
    result = best(make_runs({1: LOW, 2: HIGH, 3: ["missing"] * 9 + [0.9]}), metric=M["test_acc"])
    assert (result.left_out, result.best, result.n) == (("3",), "2", 10)
    assert "Not ranked for lack of runs: 3." in result.warnings


def test_seeds_that_a_level_lacks_are_left_out_visibly(make_runs):
    result = best(make_runs({1: LOW, 2: [*HIGH[:8], "failed", None]}), metric=M["test_acc"])
    assert result.n == 8
    assert "2 seed(s) are not there at every level" in result.warnings[0]


def test_four_seeds_exclude_nobody_and_say_so(make_runs):
    result = best(make_runs({1: LOW[:4], 2: HIGH[:4]}), metric=M["test_acc"])
    assert result.indistinguishable == ("1", "2")
    assert "it takes 5" in result.warnings[0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({1: LOW}, "needs two"),
        ({1: [0.8], 2: [0.9]}, "two runs"),
        ({1: [0.8, 0.8, None, None], 2: [None, None, 0.9, 0.9]}, "0 seed"),
    ],
)
def test_too_little_to_rank_is_an_error(make_runs, values, message):
    with pytest.raises(AnalysisError, match=message):
        best(make_runs(values), metric=M["test_acc"])


def test_too_many_levels_are_refused(make_runs):
    with pytest.raises(AnalysisError, match="201 levels"):
        best(make_runs({level: [0.5] for level in range(201)}), metric=M["test_acc"])
