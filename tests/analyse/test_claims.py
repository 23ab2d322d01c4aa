import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from ablate import analyse
from ablate.analyse import AnalysisError
from ablate.analyse.claim_texts import certainty
from ablate.images.metrics import METRICS as M
from ablate.task.claim import parse_claim
from ablate.task.metric import Metric

ACC = M["test_acc"]
SHAPE = {1: 0.60, 2: 0.70, 3: 0.80, 4: 0.70, 5: 0.60}


def noisy(means, seeds=10, sd=0.01, seed=0):
    """Values with exactly these means."""
    noise = np.random.default_rng(seed).normal(0, sd, (len(means), seeds))
    rows = noise - noise.mean(axis=1, keepdims=True) + np.array(list(means.values()))[:, None]
    return {level: list(row) for level, row in zip(means, rows, strict=True)}


def judge(runs, stated, **options):
    return analyse.judge(runs, stated, M, **options)


def claim(kind, levels=(), **fields):
    given = {"id": "c", "text": "t", "kind": kind, "factor": "optimizer.lr", "metric": "test_acc"} | fields
    return parse_claim(given | ({"levels": list(levels)} if levels else {}))


@pytest.mark.parametrize(
    ("stated", "outcome"),
    [
        (claim("better", [3, 1]), "supported"),
        (claim("better", [1, 3]), "refuted"),
        (claim("better", [1, 5]), "undecided"),
        (claim("better", [3, 1], margin=0.1), "supported"),
        (claim("better", [3, 1], margin=0.3), "refuted"),
        (claim("best_in", [3]), "supported"),
        (claim("best_in", [2, 3]), "supported"),
        (claim("best_in", [2, 4]), "refuted"),
        (claim("best_in", [2, 4], among=[1, 2, 4, 5]), "supported"),
        (claim("best_in", [2], among=[1, 2, 4]), "undecided"),
        (claim("best_in", [2], among=[1, 2, 4], margin=0.05), "supported"),
        (claim("equivalent", [1, 5], margin=0.03), "supported"),
        (claim("equivalent", [1, 3], margin=0.03), "refuted"),
        (claim("equivalent", [1, 5], margin=0.0001), "undecided"),
        (claim("monotone", [1, 2, 3]), "supported"),
        (claim("monotone", [1, 2, 3], direction="falling"), "refuted"),
        (claim("monotone", [3, 4, 5], direction="falling"), "supported"),
        (claim("monotone", [1, 2, 3, 4]), "refuted"),
        (claim("monotone", [1, 5]), "undecided"),
        (claim("monotone", [1, 2, 4, 3], margin=0.05), "supported"),
        (claim("monotone", [2, 4], margin=0.05), "undecided"),
        (claim("peaks_inside"), "supported"),
        (claim("peaks_inside", [3]), "supported"),
        (claim("peaks_inside", among=[1, 2, 3]), "refuted"),
        (claim("peaks_inside", [2], among=[1, 2, 3]), "refuted"),
    ],
)
def test_verdicts_on_a_clear_peak(make_runs, stated, outcome):
    verdict = judge(make_runs(noisy(SHAPE)), stated)
    assert verdict.outcome == outcome
    assert verdict.n == 10
    assert bool(verdict.needed) == (outcome == "undecided")
    assert "\n" not in verdict.evidence + verdict.needed
    assert str(verdict).startswith(f"c: {outcome}.")


def test_a_loss_is_better_when_lower(make_runs):
    runs = make_runs(noisy(SHAPE), metric="test_loss")
    assert judge(runs, claim("better", [1, 3], metric="test_loss")).outcome == "supported"
    assert judge(runs, claim("best_in", [1, 5], metric="test_loss")).outcome == "supported"
    assert judge(runs, claim("peaks_inside", metric="test_loss")).outcome == "refuted"
    assert (
        judge(runs, claim("monotone", [1, 2, 3], metric="test_loss")).outcome == "supported"
    )  # the metric itself rises


def test_six_seeds_decide_a_claim_as_they_decide_a_comparison_and_five_cannot(make_runs):
    six, five = (judge(make_runs(noisy(SHAPE, seeds=n)), claim("better", [3, 1])) for n in (6, 5))
    assert (six.outcome, six.p) == ("supported", 1 / 64)
    assert (five.outcome, five.p) == ("undecided", 1 / 32)
    assert five.needed == "Cannot be decided with 5 paired seeds, however large the difference: needs 6."
    (in_table,) = analyse.compare(make_runs({1: noisy(SHAPE, 5)[1], 3: noisy(SHAPE, 5)[3]}, baseline=1), metric=ACC)
    assert in_table.standing == five.outcome


def test_a_claim_is_tested_at_the_level_that_is_given(make_runs):
    runs = make_runs({1: [0.70 + 0.001 * seed for seed in range(6)], 2: [0.71 + 0.002 * seed for seed in range(6)]})
    assert judge(runs, claim("better", [2, 1])).outcome == "supported"  # p = 1/64
    assert judge(runs, claim("better", [2, 1]), alpha=1 / 32).outcome == "supported"
    stricter = judge(runs, claim("better", [2, 1]), alpha=0.03)
    assert (stricter.outcome, stricter.p) == ("undecided", 1 / 64)
    assert "either would need a p of at most 0.015." in stricter.evidence


def test_the_evidence_holds_the_numbers_and_the_need_a_count(make_runs):
    runs = make_runs({1: [0.80, 0.82, 0.81, 0.79, 0.83, 0.80], 2: [0.81, 0.81, 0.83, 0.78, 0.84, 0.82]})
    verdict = judge(runs, claim("better", [2, 1]))
    half = stats.t.ppf(0.975, 5) * np.std([0.01, -0.01, 0.02, -0.01, 0.01, 0.02], ddof=1) / 6**0.5
    told = f"In test accuracy 2 leads 1 by 0.0067 ± {half:.4f} over 6 paired seeds (0.8150 against 0.8083). These"
    assert verdict.evidence.startswith(told)
    assert f"Chance alone gives such a lead in {200 * verdict.p:.0f} % of studies." in verdict.evidence
    assert verdict.needed.startswith("About ")
    assert "seeds would show it" in verdict.needed


def test_a_p_of_pairs_with_other_numbers_of_seeds_says_so(make_runs):
    values = noisy(SHAPE)
    runs = make_runs({1: values[1], 2: [*values[2][:4], *[None] * 6], 3: values[3]})
    verdict = judge(runs, claim("best_in", [3]))
    assert verdict.n == 4
    assert "p is of pairs of levels with 4 to 10 seeds in common" in verdict.evidence
    assert "p is of pairs" not in judge(make_runs(values), claim("best_in", [3])).evidence


@pytest.mark.parametrize(("middle", "outcome"), [(0.55, "refuted"), (0.65, "supported")])
def test_a_peak_has_no_dip_on_the_way(make_runs, middle, outcome):
    runs = make_runs(noisy({1: 0.60, 2: middle, 3: 0.80, 4: 0.70, 5: 0.60}))
    verdict = judge(runs, claim("peaks_inside", [3]))
    assert verdict.outcome == outcome
    assert ("On the way to the peak 1 is better than 2" in verdict.evidence) == (outcome == "refuted")


def test_uneven_levels_are_a_warning_of_what_is_decided(make_runs):
    values = noisy({1: 0.70, 2: 0.80})
    values[2][0] = 0.5
    verdict = judge(make_runs(values), claim("better", [2, 1]))
    assert verdict.outcome == "undecided" or "Runs of 2 stand apart" in verdict.warnings[0]
    refuted = judge(make_runs({1: noisy({1: 0.9})[1], 2: values[2]}), claim("better", [2, 1]))
    assert refuted.warnings[0].startswith("Runs of 2 lie far from the rest")


def test_verdicts_that_hold_for_all_claims_together_are_holms(make_runs):
    runs = make_runs(noisy({1: 0.80, 2: 0.808, 3: 0.812}, sd=0.01))
    stated = [claim("better", [2, 1]), claim("better", [3, 1]), claim("equivalent", [1, 2], margin=0.05)]
    verdicts = analyse.analyse(runs, metrics=[ACC], claims=stated).verdicts
    p = [min(1, 2 * v.p) for v in verdicts[:2]] + [verdicts[2].p]
    assert [v.decided_with_others for v in verdicts] == list(multipletests(p, method="holm")[1] <= 0.05)


def test_without_pairs_nothing_is_tested(make_runs):
    runs = make_runs({1: [0.8, 0.8, None, None], 2: [None, None, 0.9, 0.9], 3: ["missing"] * 4})
    for stated in (
        claim("better", [1, 2]),
        claim("equivalent", [1, 2], margin=0.1),
        claim("monotone", [1, 2]),
        claim("best_in", [3]),
        claim("best_in", [1], among=[1, 3]),
    ):
        verdict = judge(runs, stated)
        assert (verdict.outcome, verdict.p, verdict.p_against) == ("undecided", None, None)
        assert verdict.needed


def test_divergence_counts_as_the_worst_that_was_seen(make_runs):
    values = noisy({1: 0.70, 2: 0.80})
    gone = make_runs({1: values[1], 2: ["diverged"] * 10})
    assert judge(gone, claim("better", [1, 2])).outcome == "supported"
    half = make_runs({1: values[1], 2: [*values[2][:5], *["diverged"] * 5]})
    verdict = judge(half, claim("better", [2, 1]))
    assert verdict.outcome == "undecided"
    assert "5 diverged run(s) count as 0," in verdict.warnings[0]


def test_complete_runs_that_say_the_opposite_hold_a_verdict_back(make_runs):
    # Level 2 is better wherever both complete; only counting its rare divergence could make level 1 look better.
    one = [0.50] * 8
    runs = make_runs({1: [*one, *[0.9] * 6], 2: [*[0.52] * 8, *["diverged"] * 6]})
    verdict = judge(runs, claim("better", [1, 2]))
    assert (verdict.outcome, verdict.p) == ("undecided", 1.0)


def test_more_than_fourteen_seeds_are_drawn_and_reproducible(make_runs):
    runs = make_runs(noisy({1: 0.8, 2: 0.803}, seeds=20))
    first, again, other = (judge(runs, claim("better", [2, 1]), seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first.p == pytest.approx(other.p, abs=0.02)


def test_equal_values_need_a_margin_not_seeds(make_runs):
    verdict = judge(make_runs({1: [0.1] * 6, 2: [0.1] * 6}), claim("better", [1, 2]))
    assert "state a margin" in verdict.needed


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        (claim("better", [3, 9]), "no level 9"),
        (claim("better", [3, "3"]), "named twice"),
        (claim("best_in", [1, 2, 3, 4, 5]), "every level is named"),
        (claim("peaks_inside", [1]), "levels on either side"),
        (claim("peaks_inside", among=[1, 2]), "levels on either side"),
        (claim("peaks_inside", [4], among=[1, 2, 3]), "levels on either side"),
        (claim("better", [3, 1], factor="x"), "no factor 'x'"),
        (claim("better", [3, 1], metric="best_acc"), "metric 'best_acc' is not declared; metrics are "),
    ],
)
def test_a_claim_about_something_else_is_an_error(make_runs, stated, message):
    with pytest.raises(AnalysisError, match=message):
        judge(make_runs(noisy(SHAPE)), stated)


def test_numbers_have_the_digits_of_their_metric_and_its_unit(make_runs):
    rare, many = {1: [2e-6, 3e-6] * 3, 2: [4e-6, 5e-6] * 3}, {1: [20_000.0, 20_010.0] * 3, 2: [19_000.0, 19_010.0] * 3}
    small = judge(make_runs(rare), claim("better", [2, 1])).evidence
    assert small.startswith("In test accuracy 2 leads 1 by 0.000002000")
    large = judge(make_runs(many), claim("equivalent", [1, 2], margin=2000)).evidence
    assert large.startswith("In test accuracy 1 minus 2 is +1000.0 over 6 seeds, 90 % interval [1000.0, 1000.0], which")
    loss = Metric("test_acc", "max", unit="nats")
    assert " nats over 6 paired seeds" in analyse.judge(make_runs(rare), claim("better", [2, 1]), [loss]).evidence
    swapped = judge(make_runs(many), claim("equivalent", [2, 1], margin=2000)).evidence
    assert "2 minus 1 is \u22121000.0 over 6 seeds, 90 % interval [\u22121000.0, \u22121000.0]" in swapped


@pytest.mark.parametrize(("p", "share"), [(1 / 1024, "0.1 %"), (1 / 256, "0.4 %"), (1 / 64, "1.6 %"), (0.01, "1 %")])
def test_a_share_of_studies_is_a_bound_that_people_can_say(p, share):
    assert f"in at most {share} of studies (p = " in certainty(p, 1.0, "supported", 0.025)
