"""Claims over the levels of another factor, against tests of each of them by SciPy."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ablate.analyse import AnalysisError, analyse, judge
from ablate.analyse.over import least_parts
from ablate.images.metrics import METRICS as M
from ablate.task.claim import parse_claim
from ablate.task.errors import ConfigError

GAINS = {"first": 0.02, "second": 0.015, "third": 0.001}


def claim(**fields):
    given = {"id": "c", "text": "t", "kind": "better", "factor": "lr", "metric": "test_acc", "over": "data"}
    return parse_claim(given | {"levels": [0.3, 0.1]} | fields)


@pytest.fixture
def grid():
    """Three data sets by two learning rates, nine seeds; values by data set and learning rate."""
    rng = np.random.default_rng(5)
    settings = list(itertools.product(GAINS, (0.1, 0.3)))
    values = {(data, lr): rng.normal(0.8 + (lr > 0.2) * GAINS[data], 0.006, 9) for data, lr in settings}
    rows = [
        {
            **{"study": "s", "factor": "data x lr", "level": (data, lr), "label": f"data {data}, lr {lr}"},
            **{"order": order, "is_baseline": False, "seed": seed, "digest": f"{order}/{seed}", "status": "complete"},
            **{"engine": 1, "test_acc": value},
        }
        for order, (data, lr) in enumerate(settings)
        for seed, value in enumerate(values[data, lr])
    ]
    return pd.DataFrame(rows), values


def sign_flip(differences, alternative):
    flipped = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", alternative=alternative, n_resamples=np.inf
    )
    return float(flipped.pvalue)


def test_on_all_of_them_is_the_largest_p_and_each_has_its_own(grid):
    runs, values = grid
    found = judge(runs, claim(), M)
    differences = {data: values[data, 0.3] - values[data, 0.1] for data in GAINS}
    each = [sign_flip(differences[data], "greater") for data in GAINS]
    against = [sign_flip(differences[data], "less") for data in GAINS]
    assert [name for name, _ in found.parts] == list(GAINS)
    assert [part.p for _, part in found.parts] == pytest.approx(each)
    assert found.p == pytest.approx(max(each))
    assert found.p_against == pytest.approx(min(1.0, 3 * min(against)))
    assert [part.outcome for _, part in found.parts] == ["supported", "supported", "undecided"]
    assert (found.outcome, found.holds_on, found.n) == ("undecided", 2, 9)
    assert "supported at 2 (first, second), undecided at 1 (third). All together show that it holds at 2" in (
        found.evidence
    )
    assert f"0.3 leads 0.1 by {differences['first'].mean():.4f}" in found.part_lines[0]
    assert found.needed == f"third: {dict(found.parts)['third'].needed}"


def test_it_is_supported_where_all_are_and_refuted_where_one_is(grid):
    runs, _ = grid
    supported = judge(runs[[level[0] != "third" for level in runs["level"]]], claim(), M)
    assert (supported.outcome, supported.holds_on, supported.needed) == ("supported", 2, "")
    refuted = judge(runs, claim(levels=[0.1, 0.3]), M)
    assert (refuted.outcome, refuted.holds_on) == ("refuted", 0)
    one = dict(refuted.parts)["first"].p_against
    assert refuted.p_against == pytest.approx(3 * one)


def test_any_factor_may_be_the_other_and_every_kind_is_judged(grid):
    runs, values = grid
    found = judge(runs, claim(factor="data", over="lr", levels=["first", "third"]), M)
    assert [name for name, _ in found.parts] == ["0.1", "0.3"]
    differences = values["first", 0.3] - values["third", 0.3]
    assert dict(found.parts)["0.3"].p == pytest.approx(sign_flip(differences, "greater"))
    kinds = [
        {"kind": "equivalent", "margin": 0.05, "levels": [0.1, 0.3]},
        {"kind": "best_in", "levels": [0.3]},
        {"kind": "monotone", "levels": [0.1, 0.3]},
        {"kind": "peaks_inside", "factor": "data", "over": "lr", "levels": []},
    ]
    outcomes = [judge(runs, claim(**kind), M).outcome for kind in kinds]
    assert outcomes == ["supported", "undecided", "undecided", "undecided"]
    together = analyse(runs, metrics=[M["test_acc"]], claims=[claim(), claim(**kinds[0])]).verdicts
    assert [verdict.decided_with_others for verdict in together] == [False, True]


def test_three_factors_leave_their_combinations(grid):
    runs, _ = grid
    wide = pd.concat(
        [
            runs.assign(
                factor="data x lr x size",
                level=[(*level, size) for level in runs["level"]],
                label=[f"{label}, size {size}" for label in runs["label"]],
                order=runs["order"] * 2 + size,
            )
            for size in (0, 1)
        ]
    )
    found = judge(wide, claim(over=["size", "data"]), M)
    assert [name for name, _ in found.parts][:3] == ["0, first", "0, second", "0, third"]
    assert len(found.parts) == 6
    assert "Each of 6 combinations by itself" in found.evidence


def test_how_many_hold_is_partial_conjunction_and_seldom_too_many():
    rng = np.random.default_rng(0)
    for p in rng.random((200, 4)) ** 4:
        wanted = 0
        for u in range(1, 5):  # at least u hold, if every choice of K - u + 1 has one that does (Bonferroni)
            subsets = itertools.combinations(p, 4 - u + 1)
            if any(len(subset) * min(subset) > 0.025 for subset in subsets):
                break
            wanted = u
        assert least_parts(list(p), 0.025) == wanted
    for true in (0, 1, 2):
        p = rng.random((4000, 3))
        p[:, :true] /= 1e6
        assert np.mean([least_parts(list(row), 0.05) > true for row in p]) <= 0.06


def test_what_is_no_such_grid_or_claim_is_refused(grid):
    runs, _ = grid
    with pytest.raises(AnalysisError, match=r"over = \['size'\]: needs a grid of just lr and size; .* are data x lr"):
        judge(runs, claim(over="size"), M)
    with pytest.raises(AnalysisError, match=r"first: lr: there is no level 7 in study s; levels are 0\.1, 0\.3"):
        judge(runs, claim(levels=[7, 0.1]), M)
    for over, says in (
        ("lr", "must be other factors"),
        ([1], "must be paths"),
        (["a", "a"], "a factor is listed twice"),
    ):
        with pytest.raises(ConfigError, match=says):
            claim(over=over)
