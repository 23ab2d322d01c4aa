"""Looks at a growing study against a slow reading of the method, and what must hold of every such study."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ablate.analyse import sequential
from ablate.analyse.along_looks import compare_along, counted_runs
from ablate.analyse.sequential import Looks, follow
from ablate.images.metrics import METRICS as M

LOOKS = Looks((6, 10, 16, 24, 40))
ACC = M["test_acc"]


@pytest.fixture(autouse=True)
def few_vectors(monkeypatch):
    monkeypatch.setattr(sequential, "VECTORS", 999)


def study(effects, seeds=40, seed=0, sd=1.0):
    """Differences of levels from a baseline with its own noise."""
    generator = np.random.default_rng(seed)
    runs = generator.normal(0, sd / 2**0.5, (len(effects) + 1, seeds))
    return runs[1:] - runs[0] + np.array(effects)[:, None]


def run(differences, looks=LOOKS, seed=0):
    """A study of which all runs are there."""
    seen = []

    def observe(counts):
        seen.append(counts)
        return differences, np.ones(differences.shape, dtype=bool)

    return follow(len(differences), observe, looks, seed)


def deviate(values):
    n, t = len(values), stats.ttest_1samp(values, 0.0).statistic
    return np.sqrt((n - 1) * np.log1p(t**2 / (n - 1))) * (8 * n - 7) / (8 * n - 5)


def slowly(differences, looks, seed):
    """One level: which look tells it from the baseline, by the definition; None: no look does."""
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (1000, looks.at[-1]))
    signs[0] = 1.0
    alive, spent = set(range(1000)), 0
    for look, n in enumerate(looks.at):
        allowed = math.floor(1000 * looks.alpha * math.log(1 + (math.e - 1) * n / looks.at[-1]) + 1e-9) - spent
        values = {v: round(deviate(differences[0, :n] * signs[v, :n]), 7) for v in alive}
        rejected = [v for v in alive if sum(values[w] >= values[v] for w in alive) <= allowed]
        if 0 in rejected:
            return look
        alive -= set(rejected)
        spent += len(rejected)
    return None


@pytest.mark.parametrize(("effect", "seed"), [(1.0, 1), (0.6, 2), (0.0, 3), (2.0, 4)])
def test_it_is_the_method_read_slowly(effect, seed):
    looks = Looks((6, 10, 16))
    differences = study([effect], 16, seed)
    path, expected = run(differences, looks, seed), slowly(differences, looks, seed)
    assert (path.settled[0] == "told") == (expected is not None)
    if expected is not None:
        assert path.look[0] == expected
        assert path.counts[0] == looks.at[expected]


def test_equal_levels_are_told_apart_in_at_most_alpha_of_studies_over_all_looks():
    for levels in (1, 4):
        wrong = sum("told" in run(study([0.0] * levels, seed=s), seed=s).settled for s in range(200))
        assert wrong <= stats.binom.ppf(0.9999, 200, 0.05)


def test_it_costs_less_than_a_fixed_number_of_seeds_with_the_same_power():
    paths = [run(study([1.0], seed=s), seed=s) for s in range(100)]
    assert np.mean([path.settled[0] == "told" for path in paths]) >= 0.97
    assert np.mean([path.counts[0] for path in paths]) <= 18


def test_nothing_that_comes_after_a_look_changes_what_was_decided():
    differences = study([1.2, 0.3, 0.0])
    whole = run(differences)
    for seeds in LOOKS.at:
        part = run(differences[:, :seeds])
        assert part.looks == LOOKS.at.index(seeds) + 1
        for row, look in enumerate(whole.look):
            if LOOKS.at[look] <= seeds:
                assert (part.settled[row], part.look[row], part.low[row]) == (
                    *(whole.settled[row], look),
                    pytest.approx(whole.low[row], nan_ok=True),
                )
    changed = differences.copy()
    changed[0, whole.counts[0] :] = np.nan
    assert run(changed).settled == whole.settled


def test_a_level_that_explodes_is_told_as_soon_as_its_signs_can_and_changes_nothing_else():
    differences = study([0.0, 0.0, 0.0, 0.0, 0.0, 1.5, 3.0], seed=2)
    alone = run(differences)
    path = run(np.vstack([9e5 * np.random.default_rng(1).exponential(1.0, 40) + 100, differences]))
    assert (path.settled[0], path.counts[0]) == ("told", 10)  # of 6 seeds no test has 1.2 % of error
    assert path.low[0] > 0
    assert (path.settled[1:], path.counts[1:]) == (alone.settled, alone.counts)


def test_a_margin_settles_what_is_alike():
    alike = study([0.0, 2.0], sd=0.1)
    path = run(alike, Looks(LOOKS.at, margin=0.2))
    assert path.settled == ("within", "told")
    assert -0.2 < path.low[0] < 0 < path.high[0] < 0.2
    assert path.counts[0] < 40
    assert run(alike).settled[0] == "undecided"


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_signs_and_order_of_levels_do_not_matter_and_intervals_agree(seed):
    differences = study(np.random.default_rng(seed).uniform(-1.5, 1.5, 3), seed=seed)
    path, turned, mixed = run(differences), run(-differences), run(differences[[2, 0, 1]])
    assert path.settled == turned.settled
    np.testing.assert_allclose((turned.low, turned.high), (-path.high, -path.low), atol=1e-9)
    assert mixed.settled == tuple(path.settled[row] for row in (2, 0, 1))
    for state, low, high in zip(path.settled, path.low, path.high, strict=True):
        assert math.isnan(low) or (low <= 0 <= high) == (state != "told")


def frame(make_runs, effects, seeds=40, **changes):
    """A frame of a baseline at 0.5 and levels above it."""
    noise = np.random.default_rng(5).normal(0, 0.005, (len(effects) + 1, seeds))
    values = {0: list(0.5 + noise[0])} | {
        level: list(0.5 + effect + noise[level]) for level, effect in enumerate(effects, start=1)
    }
    for (level, seed), value in changes.get("at", {}).items():
        values[level][seed] = value
    return make_runs(values, baseline=0)


def test_a_study_is_judged_by_the_runs_that_count(make_runs):
    runs = frame(make_runs, [0.02, 0.0])
    clear, alike = compare_along(runs, metric=ACC, looks=LOOKS)
    assert (clear.standing, clear.course.settled, clear.course.seeds) == ("better", "told", 10)
    assert (alike.standing, alike.course.seeds, alike.course.look) == ("undecided", 40, 5)
    assert (clear.n, alike.n, clear.p_corrected) == (10, 40, None)
    part, path = counted_runs(runs, metric=ACC, looks=LOOKS)
    assert part.groupby("level").size().tolist() == [40, 10, 40]
    again, again_path = counted_runs(part, metric=ACC, looks=LOOKS)
    pd.testing.assert_frame_equal(again, part)
    assert again_path.settled == path.settled


def test_a_look_waits_for_its_runs(make_runs):
    (clear,) = compare_along(frame(make_runs, [0.02], at={(1, 7): "failed"}), metric=ACC, looks=LOOKS)
    assert (clear.standing, clear.course.look, clear.course.looks) == ("undecided", 1, 1)
    (none,) = compare_along(frame(make_runs, [0.02], at={(0, 2): "missing"}), metric=ACC, looks=LOOKS)
    assert (none.course.look, none.course.settled) == (0, "undecided")


def test_a_run_that_diverges_later_changes_nothing(make_runs):
    before = compare_along(frame(make_runs, [0.02, 0.0]), metric=ACC, looks=LOOKS)[0]
    after = compare_along(
        frame(make_runs, [0.02, 0.0], at={(1, 30): "diverged", (2, 35): "diverged"}), metric=ACC, looks=LOOKS
    )
    assert (after[0].standing, after[0].course.seeds, after[0].simultaneous) == ("better", 10, before.simultaneous)
    early = compare_along(
        frame(make_runs, [0.02, 0.0], at={(1, s): "diverged" for s in range(10)}), metric=ACC, looks=LOOKS
    )
    assert early[0].standing == "worse"


def test_each_look_has_a_share_of_the_error_for_itself():
    assert LOOKS.shares()[0] == 0  # of 6 seeds the smallest p is 0.031
    assert sum(LOOKS.shares()) == pytest.approx(0.05)
    assert Looks((6, 10)).shares() == pytest.approx((LOOKS.alpha * math.log(1 + (math.e - 1) * 0.6), 0.0146), abs=1e-4)
    assert all(share == 0 or share >= 2 / 2**n for n, share in zip(LOOKS.at, LOOKS.shares(), strict=True))
