import numpy as np
import pytest

from ablate import analyse
from ablate.analyse import AnalysisError
from ablate.images.metrics import METRICS as M
from ablate.task.claim import parse_claim

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


def test_five_seeds_decide_a_directed_claim_and_four_cannot(make_runs):
    five, four = (judge(make_runs(noisy(SHAPE, seeds=n)), claim("better", [3, 1])) for n in (5, 4))
    assert (five.outcome, five.p) == ("supported", 1 / 32)
    assert (four.outcome, four.p) == ("undecided", 1 / 16)
    assert "At least 5 paired seeds" in four.needed


def test_the_evidence_holds_the_numbers_and_the_need_a_count(make_runs):
    runs = make_runs({1: [0.80, 0.82, 0.81, 0.79, 0.83, 0.80], 2: [0.81, 0.81, 0.83, 0.78, 0.84, 0.82]})
    verdict = judge(runs, claim("better", [2, 1]))
    assert verdict.evidence.startswith("test_acc of 2 0.8150 and of 1 0.8083: +0.0067 over 6 paired seeds; p = ")
    assert verdict.needed.startswith("About ")
    assert "seeds would show it" in verdict.needed


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
        (claim("better", [3, 1], metric="best_acc"), "metric 'best_acc' is not declared; metrics are train_loss"),
    ],
)
def test_a_claim_about_something_else_is_an_error(make_runs, stated, message):
    with pytest.raises(AnalysisError, match=message):
        judge(make_runs(noisy(SHAPE)), stated)
