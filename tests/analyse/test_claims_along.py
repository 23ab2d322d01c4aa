"""Claims over looks against a slow reading of the rule: which look decides, which levels go on, what is given up."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from ablate.analyse import analyse, sign_flip
from ablate.analyse.claims import judge_panel
from ablate.analyse.claims_along import claim_path, follow_claim
from ablate.analyse.panel import make_panel
from ablate.analyse.sequential import Looks
from ablate.images.metrics import METRICS as M
from ablate.task.claim import parse_claim

LOOKS = Looks((6, 10, 16, 24))
ACC = M["test_acc"]


@pytest.fixture(autouse=True)
def few_flips(monkeypatch):
    monkeypatch.setattr(sign_flip, "FLIPS", 999)


def claim(kind, levels=(), **more):
    stated = {"id": "c", "text": "t", "kind": kind, "factor": "optimizer.lr", "metric": "test_acc"}
    return parse_claim(stated | more | ({"levels": list(levels)} if levels else {}))


def frame(make_runs, means, sd=0.01, seeds=24, seed=0):
    noise = np.random.default_rng(seed).normal(0, sd, (len(means), seeds))
    return make_runs({level: list(0.5 + mean + noise[level]) for level, mean in enumerate(means)}, baseline=0)


def exact(make_runs, means, sd=0.01):
    """A frame whose means are exact at every look."""
    noise = np.random.default_rng(0).normal(0, sd, (len(means), 24))
    for start, stop in pairwise((0, *LOOKS.at)):
        noise[:, start:stop] -= noise[:, start:stop].mean(axis=1, keepdims=True)
    return make_runs({level: list(0.5 + mean + noise[level]) for level, mean in enumerate(means)}, baseline=0)


def path_of(runs, stated, looks=LOOKS):
    return claim_path(runs, stated, M, looks, by="test_acc")


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["better", "equivalent"])
def test_a_claim_about_two_levels_ends_at_the_first_look_at_which_it_is_decided_with_the_share_of_that_look(
    make_runs, kind, seed
):
    runs = frame(make_runs, [0.0, 0.006], seed=seed)
    stated = claim(kind, [1, 0], **({"margin": 0.012} if kind == "equivalent" else {}))
    found = path_of(runs, stated)
    for look, (n, share) in enumerate(zip(LOOKS.at, LOOKS.shares(), strict=True), start=1):
        panel = make_panel(runs[runs["seed"] < n], ACC, None, M.values())
        alone = judge_panel(panel, stated, alpha=share)
        if alone.outcome != "undecided":
            assert (found.looks, found.counts, found.verdict.outcome) == (look, (n, n), alone.outcome)
            p = min(alone.p, alone.p_against) * 0.05 / share
            assert min(found.verdict.p, found.verdict.p_against) == pytest.approx(p)
            assert found.verdict.course[-1].seeds == n
            break
    else:
        assert (found.looks, found.verdict.outcome) == (4, "undecided")
    assert found.is_settled
    assert found.wanted == found.counts
    assert [entry.outcome for entry in found.verdict.course[:-1]] == ["undecided"] * (found.looks - 1)


def test_levels_that_are_beaten_get_no_more_seeds_for_a_claim_about_the_best(make_runs):
    runs = exact(make_runs, [-0.05, 0.0, 0.001, -0.06])
    found = path_of(runs, claim("best_in", [2]))
    assert found.counts == (10, 24, 24, 10)
    assert found.verdict.outcome == "undecided"
    changed = runs[~((runs["level"].isin([0, 3])) & (runs["seed"] >= 10))]
    assert path_of(changed, claim("best_in", [2])) == found, "what does not count changes nothing"
    early = path_of(runs[runs["seed"] < 10], claim("best_in", [2]))
    assert (early.wanted, early.is_settled) == ((10, 16, 16, 10), False)


def test_each_kind_keeps_the_levels_that_can_still_change_it(make_runs):
    def wanted(stated, means):
        runs = exact(make_runs, means)
        return path_of(runs[runs["seed"] < 10], stated).wanted

    assert wanted(claim("monotone", [0, 1, 2, 3]), [0.0, 0.05, 0.0505, 0.1]) == (10, 16, 16, 10)
    assert wanted(claim("equivalent", [0, 1, 2], margin=0.02), [0.0, 0.0001, 0.018]) == (16, 16, 16)
    assert wanted(claim("peaks_inside"), [-0.1, 0.0, 0.001, 0.0]) == (10, 16, 16, 16), "only the first is beaten"


def test_a_claim_within_the_margin_is_given_up_and_says_so(make_runs):
    runs, stated = frame(make_runs, [0.0, 0.0], sd=0.002), claim("better", [1, 0])
    found = path_of(runs, stated, replace(LOOKS, margin=0.01))
    assert (found.is_settled, found.looks, found.verdict.outcome) == (True, 2, "undecided")
    assert "what is in question still lies within the margin of 0.01" in found.verdict.evidence
    assert path_of(runs, stated).looks == 4
    other = claim_path(runs, stated, M, replace(LOOKS, margin=0.01), by="train_acc")
    assert other.looks == 4, "the margin is in the unit of another metric"


def test_a_level_outside_is_given_up_where_the_best_inside_is_near_to_it_whatever_the_others_are(make_runs):
    runs, stated = exact(make_runs, [-0.02, -0.012, 0.0, 0.001], sd=0.003), claim("best_in", [1, 2])
    assert path_of(runs, stated).looks == 4, "3 has not beaten 2, though 1"
    found = path_of(runs, stated, replace(LOOKS, margin=0.006))
    assert (found.looks, found.is_settled, found.verdict.outcome) == (2, True, "undecided")


def test_a_look_waits_for_its_runs_and_a_study_without_any_look_is_undecided(make_runs):
    runs = frame(make_runs, [0.0, 0.05])
    waits = path_of(runs.assign(status=runs["status"].where(runs["seed"] != 7, "failed")), claim("better", [1, 0]))
    assert (waits.looks, waits.wanted, waits.verdict.outcome) == (1, (10, 10), "undecided")
    none = path_of(runs[runs["seed"] < 3], claim("better", [1, 0]))
    assert (none.looks, none.counts, none.wanted) == (0, (0, 0), (6, 6))
    assert "No look could be made yet" in none.verdict.evidence


def test_diverged_runs_of_levels_that_no_claim_is_about_change_nothing(make_runs):
    values = {level: list(0.5 + row) for level, row in enumerate(np.random.default_rng(1).normal(0, 0.01, (3, 24)))}
    values[1][4] = "diverged"
    runs = make_runs(values, baseline=0)
    worse = runs.assign(test_acc=runs["test_acc"].where(runs["level"] != 2, 0.0001))
    assert path_of(worse, claim("better", [1, 0])) == path_of(runs, claim("better", [1, 0]))


@pytest.mark.parametrize("sign", [1, -1])
def test_more_looks_never_undo_what_a_pair_has_shown(sign):
    """p over the looks is the least of them, whatever levels were left out on the way."""
    values = np.random.default_rng(2).normal(0, 1, (3, 24)) + sign * np.array([[0.0], [0.7], [0.9]])
    full = panel_with(values)
    found = follow_claim(
        claim("monotone", [0, 1, 2]), lambda counts: cut(full, counts), (0, 1, 2), LOOKS
    ).verdict.course
    assert all(a.p >= b.p and a.p_against >= b.p_against for a, b in pairwise(found))


def panel_with(values):
    from benchmarks.errors_of_claims import panel_of

    return panel_of(values)


def cut(panel, counts):
    values = panel.values.copy()
    for row, count in enumerate(counts):
        values[row, count:] = np.nan
    return panel_with(values)


def test_a_report_of_a_study_with_looks_follows_its_claims(make_runs):
    runs, stated = frame(make_runs, [0.0, 0.05]), claim("better", [1, 0])
    (verdict,) = analyse(runs, metrics=[ACC], declared=M, claims=[stated], looks=LOOKS).verdicts
    assert (verdict.outcome, verdict.decided_with_others) == ("supported", True)
    assert [(entry.seeds, entry.outcome) for entry in verdict.course] == [(6, "undecided"), (10, "supported")]
    assert "Looks (p of all looks together): with 6 seeds undecided" in verdict.evidence
