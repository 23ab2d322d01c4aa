import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from ablate.analyse import AnalysisError, best, compare, describe, judge
from ablate.analyse.family import holm
from ablate.analyse.max_t import together
from ablate.images.metrics import METRICS as M
from ablate.task.claim import Claim
from ablate.task.metric import Metric

GENERATOR = np.random.default_rng(11)
BASE = list(GENERATOR.normal(0.80, 0.01, 10))
NEAR = [value + d for value, d in zip(BASE, GENERATOR.normal(0.0, 0.01, 10), strict=True)]
GOOD = [value + d for value, d in zip(BASE, GENERATOR.normal(0.05, 0.01, 10), strict=True)]
POOR = [value + d for value, d in zip(BASE, GENERATOR.normal(-0.05, 0.01, 10), strict=True)]


def test_a_paired_comparison_is_scipys(make_runs):
    good, near = compare(make_runs({1: BASE, 2: GOOD, 3: NEAR}, baseline=1), metric=M["test_acc"])
    differences = np.subtract(GOOD, BASE)
    assert (good.level, good.baseline, good.n, good.seeds) == (2, 1, 10, tuple(range(10)))
    assert good.difference == pytest.approx(differences.mean())
    expected = stats.ttest_rel(GOOD, BASE).confidence_interval()
    assert (good.interval.low, good.interval.high) == pytest.approx((expected.low, expected.high))
    exact = [
        stats.permutation_test((np.subtract(x, BASE),), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
        for x in (GOOD, NEAR)
    ]
    assert [good.p, near.p] == pytest.approx(exact)
    by_holm = compare(make_runs({1: BASE, 2: GOOD, 3: NEAR}, baseline=1), metric=M["test_acc"], correction="holm")
    assert [entry.p_corrected for entry in by_holm] == pytest.approx(multipletests(exact, method="holm")[1])
    expected = together(np.array([np.subtract(GOOD, BASE), np.subtract(NEAR, BASE)]))
    assert [good.p_corrected, near.p_corrected] == pytest.approx(expected.p)
    assert (near.simultaneous.low, near.simultaneous.high) == pytest.approx((expected.low[1], expected.high[1]))
    assert (good.p_t, near.p_t) == (None, None)
    assert good.effect == pytest.approx(differences.mean() / differences.std(ddof=1))
    assert 0 < good.effect_corrected < good.effect
    assert (good.standing, near.standing) == ("better", "undecided")
    assert (good.needed, good.exact, good.smallest_p) == (None, True, 2 / 1024)
    wanted = TTestPower().solve_power(abs(near.effect), alpha=0.025, power=0.8)
    assert by_holm[1].needed.seeds == int(np.ceil(wanted))
    assert 0.9 * wanted <= near.needed.seeds <= wanted + 1
    assert near.needed.fewest < near.needed.seeds


def test_holm_by_hand_and_with_gaps():
    assert holm([0.01, None, 0.04, 0.03]) == [0.03, None, 0.06, 0.06]
    assert holm([None]) == [None]


def test_the_metric_knows_its_direction(make_runs):
    runs = {1: BASE, 2: POOR}
    assert compare(make_runs(runs, baseline=1), metric=M["test_acc"])[0].standing == "worse"
    assert compare(make_runs(runs, baseline=1, metric="test_loss"), metric=M["test_loss"])[0].standing == "better"


def test_five_seeds_stay_undecided_and_say_what_it_takes(make_runs):
    (five,) = compare(make_runs({1: BASE[:5], 2: GOOD[:5]}, baseline=1), metric=M["test_acc"])
    assert (five.p, five.smallest_p, five.standing, five.needed.seeds) == (0.0625, 0.0625, "undecided", 6)
    assert five.p_t == pytest.approx(stats.ttest_rel(GOOD[:5], BASE[:5]).pvalue)
    assert five.warnings[-1].startswith("Cannot be decided with 5 seeds, however large the difference: needs 6.")


def test_the_family_is_the_whole_study(make_runs):
    runs = pd.concat(
        [make_runs({1: BASE, 2: GOOD}, baseline=1, factor="a"), make_runs({1: BASE, 3: POOR}, baseline=1, factor="b")]
    )
    joint = compare(runs, metric=M["test_acc"])
    assert [entry.factor for entry in joint] == ["a", "b"]
    assert [entry.p_corrected for entry in joint] == pytest.approx([2 / 1024, 2 / 1024])
    by_holm = compare(runs, metric=M["test_acc"], correction="holm")
    assert [entry.p_corrected for entry in by_holm] == pytest.approx([4 / 1024, 4 / 1024])
    assert compare(runs, metric=M["test_acc"], factor="a", correction="holm")[0].p_corrected == pytest.approx(2 / 1024)


def test_unpaired_seeds_are_left_out_visibly(make_runs):
    (entry,) = compare(make_runs({1: [*BASE[:8], None, None], 2: GOOD}, baseline=1), metric=M["test_acc"])
    assert entry.n == 8
    assert entry.difference == pytest.approx(np.subtract(GOOD, BASE)[:8].mean())
    assert "2 seed(s) ran at one of the two levels only" in entry.warnings[0]


def test_without_common_seeds_there_are_no_numbers(make_runs):
    runs = make_runs({1: [0.8, 0.8, None, None], 2: [None, None, 0.9, 0.9]}, baseline=1)
    (entry,) = compare(runs, metric=M["test_acc"])
    assert (entry.n, entry.difference, entry.p, entry.interval, entry.effect) == (0, None, None, None, None)
    assert entry.standing == "undecided"
    assert "nothing to compare" in entry.warnings[-1]


def test_one_pair_has_a_difference_but_no_test(make_runs):
    (entry,) = compare(make_runs({1: [0.8], 2: [0.9]}, baseline=1), metric=M["test_acc"])
    assert entry.difference == pytest.approx(0.1)
    assert (entry.p, entry.p_corrected, entry.interval, entry.smallest_p) == (None, None, None, None)


def test_equal_runs_are_undecided_without_an_effect(make_runs):
    (entry,) = compare(make_runs({1: [0.1] * 6, 2: [0.1] * 6}, baseline=1), metric=M["test_acc"])
    assert (entry.difference, entry.p, entry.effect, entry.standing) == (0.0, None, None, "undecided")
    assert entry.no_evidence.startswith("every seed of 2 and every seed of 1 gave the same value")


def test_two_levels_that_learned_nothing_are_undecided_however_small_p_would_be(make_runs):
    values = {1: [0.33 + 0.001 * seed for seed in range(8)], 2: ["diverged"] * 8, 3: [0.9 + 0.01 * s for s in range(8)]}
    runs = make_runs(values, baseline=1).assign(**{"guess.test_acc": 1 / 3, "guess_samples.test_acc": 1000})
    nothing, learned = compare(runs, metric=M["test_acc"])
    assert (nothing.standing, nothing.p, learned.standing) == ("undecided", None, "better")
    assert nothing.warnings[0] == (
        "No run of 2 or 1 did better than guessing: runs that learned nothing are no evidence."
    )


def test_a_level_that_always_diverges_is_worse(make_runs):
    (entry,) = compare(make_runs({1: BASE, 2: ["diverged"] * 10}, baseline=1), metric=M["test_acc"])
    assert (entry.n, entry.difference, entry.standing) == (0, None, "worse")
    assert entry.difference_counting_diverged == pytest.approx(0.0 - np.mean(BASE))
    assert entry.p_counting_diverged == pytest.approx(2 / 1024)
    assert (entry.divergence.diverged, entry.divergence.baseline_diverged) == (10, 0)
    assert "diverged" in entry.warnings[0]


def test_half_diverged_is_not_better_however_good_the_rest(make_runs):
    runs = make_runs({1: BASE, 2: [*GOOD[:7], "diverged", "diverged", "diverged"]}, baseline=1)
    (entry,) = compare(runs, metric=M["test_acc"])
    assert entry.p_corrected <= 0.05
    assert entry.difference > 0
    assert entry.standing != "better"


def test_the_share_of_diverged_runs_is_mcnemars_when_paired(make_runs):
    level = ["diverged"] * 6 + [0.8] * 4
    base = ["diverged", *[0.8] * 8, "diverged"]
    (entry,) = compare(make_runs({1: base, 2: level}, baseline=1), metric=M["test_acc"])
    expected = mcnemar([[1, 5], [1, 3]], exact=True).pvalue
    assert entry.divergence.test == "mcnemar"
    assert entry.divergence.p == pytest.approx(expected)


def test_the_share_of_diverged_runs_is_fishers_when_not(make_runs):
    runs = make_runs({1: [0.8] * 5 + [None] * 5, 2: [None] * 5 + ["diverged"] * 4 + [0.8]}, baseline=1)
    (entry,) = compare(runs, metric=M["test_acc"])
    assert entry.divergence.test == "fisher"
    assert entry.divergence.p == pytest.approx(stats.fisher_exact([[4, 1], [0, 5]]).pvalue)


def test_no_divergence_no_test(make_runs):
    (entry,) = compare(make_runs({1: BASE, 2: GOOD}, baseline=1), metric=M["test_acc"])
    assert (entry.divergence.test, entry.divergence.p) == ("none", None)
    assert entry.difference_counting_diverged is None


@pytest.mark.parametrize("baseline", ["absent", None])
def test_a_missing_baseline_is_an_error(make_runs, baseline):
    with pytest.raises(AnalysisError, match="exactly one baseline level in study lr; found none"):
        compare(make_runs({1: BASE, 2: GOOD}, baseline=baseline), metric=M["test_acc"])


def test_unknown_names_are_errors(make_runs):
    runs = make_runs({1: BASE, 2: GOOD}, baseline=1)
    with pytest.raises(AnalysisError, match="lacks the column"):
        compare(runs, metric=Metric("nothing", "max"))
    with pytest.raises(AnalysisError, match="no factor 'x'"):
        compare(runs, metric=M["test_acc"], factor="x")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=8))
def test_swapping_level_and_baseline_turns_the_sign(make_runs, pairs):
    a, b = ([pair[side] / 50 for pair in pairs] for side in (0, 1))
    (one,) = compare(make_runs({1: a, 2: b}, baseline=1), metric=M["test_acc"])
    (other,) = compare(make_runs({1: a, 2: b}, baseline=2), metric=M["test_acc"])
    assert one.difference == pytest.approx(-other.difference, abs=1e-12)
    assert (one.p, one.p_corrected) == (other.p, other.p_corrected)
    assert one.interval.low <= one.difference <= one.interval.high
    assert {one.standing, other.standing} in ({"undecided"}, {"better", "worse"})


def test_what_pairing_gains_is_the_correlation_of_scipy(make_runs):
    generator = np.random.default_rng(4)
    shared = generator.normal(0, 0.02, 9)
    values = {level: list(0.8 + shared + generator.normal(0, 0.01, 9)) for level in (1, 2)}
    entry = compare(make_runs(values, baseline=1), metric=M["test_acc"])[0]
    assert entry.correlation == pytest.approx(stats.pearsonr(values[1], values[2]).statistic)
    spread = np.sqrt(np.var(values[1], ddof=1) + np.var(values[2], ddof=1))
    assert entry.pairing == pytest.approx(np.std(np.subtract(values[2], values[1]), ddof=1) / spread)
    constant = compare(make_runs({1: [0.5] * 9, 2: values[2]}, baseline=1), metric=M["test_acc"])[0]
    assert (constant.correlation, constant.pairing) == (None, None)


def test_a_level_that_explodes_is_worse_and_said_to_have_exploded(make_runs):
    generator = np.random.default_rng(4)
    loss = {name: generator.normal(0.4, 0.02, 8) for name in ("a", "b", "c", "d", "e")}
    loss["huge"] = 9e5 * generator.exponential(1.0, 8) + 100
    runs = make_runs(loss, baseline="a", metric="test_loss")
    found = {entry.label: entry for entry in compare(runs, metric=M["test_loss"])}
    huge = found["huge"]
    assert (huge.standing, huge.p_corrected) == ("worse", 2 / 2**8)
    assert huge.simultaneous.low > 0
    assert any("has exploded" in text for text in huge.warnings)
    without = compare(runs[runs["label"] != "huge"], metric=M["test_loss"])
    for entry in without:
        assert (found[entry.label].standing, found[entry.label].warnings) == (entry.standing, entry.warnings)


def test_what_follows_from_the_setting_is_exact_and_not_tested(make_runs):
    size = Metric("size", "min", exact=True)
    values = {"a": [100.0] * 6, "b": [300.0] * 5 + ["diverged"], "c": [100.0] * 6, "d": [90.0] + [None] * 5}
    runs = make_runs(values, baseline="a", metric="size")
    found = compare(runs, metric=size)
    assert [(entry.difference, entry.standing) for entry in found] == [(200, "exact"), (0, "exact"), (-10, "exact")]
    for entry in found:
        tested = (entry.interval, entry.simultaneous, entry.p, entry.p_corrected, entry.p_t, entry.improvement)
        assert tested == (None,) * 6
        assert (entry.warnings, entry.no_evidence, entry.needed) == ((), "", None)
    for entry in describe(runs, metrics=[size]).levels:
        assert (entry.sd, entry.interval) == (None, None)
    ranked = best(runs[runs["label"] != "d"], metric=size)
    assert (ranked.indistinguishable, ranked.levels[0].probability) == (("a", "c"), None)
    claims = {
        ("better", ("d", "a")): "undecided",  # one pair, of one seed
        ("better", ("a", "b")): "supported",
        ("better", ("b", "c")): "refuted",
        ("equivalent", ("a", "c")): "supported",
        ("equivalent", ("a", "b")): "refuted",
    }
    for (kind, levels), outcome in claims.items():
        margin = 0.5 if kind == "equivalent" else 0.0
        claim = Claim("x", "", kind, "optimizer.lr", "size", levels=levels, margin=margin)
        verdict = judge(runs, claim, [size])
        assert verdict.outcome == outcome
        assert ("exact" in verdict.evidence) == (outcome != "undecided")
        assert not any("without spread" in text for text in verdict.warnings)


def test_what_is_declared_exact_and_is_not_is_tested_and_said_to_be(make_runs):
    size = Metric("size", "min", exact=True)
    runs = make_runs({"a": [100.0] * 6, "b": [300.0, 301, 302, 303, 300, 300]}, baseline="a", metric="size")
    (entry,) = compare(runs, metric=size)
    (plain,) = compare(runs, metric=Metric("size", "min"))
    assert (entry.standing, entry.p, entry.simultaneous) == (plain.standing, plain.p, plain.simultaneous)
    assert "declared to be exact" in entry.warnings[0]
