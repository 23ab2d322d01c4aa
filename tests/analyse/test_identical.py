"""Levels with the same values on every seed, and a set of best levels that agrees with the comparisons."""

import numpy as np
import pytest

from ablate.analyse import analyse
from ablate.images.metrics import METRICS as M

VALUES = [0.5, 0.6, 0.55, 0.58, 0.52, 0.57]


def groups(runs, *metrics):
    return [
        (one.labels, one.metric, one.seeds, one.in_all)
        for one in analyse(runs, metrics=[M[name] for name in metrics or ("test_acc",)]).identical
    ]


def test_groups_of_levels_that_are_alike(make_runs):
    other = [value + 0.1 for value in VALUES]
    runs = make_runs({1: VALUES, 2: other, 3: VALUES, 4: other, 5: VALUES[::-1]}, baseline=3)
    assert groups(runs) == [(("1", "3"), "test_acc", 6, True), (("2", "4"), "test_acc", 6, True)]


def test_another_metric_may_differ_by_rounding_but_not_by_more(make_runs):
    runs = make_runs({1: VALUES, 2: VALUES}, baseline=1)
    is_second = runs["level"] == 2
    for factor, in_all in ((1 + 1e-8, True), (1.001, False)):
        more = runs.assign(test_loss=runs["test_acc"].where(~is_second, runs["test_acc"] * factor))
        found = groups(more, "test_loss", "test_acc")
        assert (("1", "2"), "test_acc", 6, in_all) in found


@pytest.mark.parametrize(
    ("one", "other", "seeds"),
    [
        ([*VALUES, "diverged"], [*VALUES, "diverged"], 6),
        ([*VALUES, "diverged"], [*VALUES, 0.5], None),
        ([*VALUES, "failed"], [*VALUES, 0.5], 6),
        ([*VALUES, None], [*VALUES, 0.5], 6),
        ([*VALUES, np.nan], [*VALUES, np.nan], 6),
        ([*VALUES, np.nan], [*VALUES, 0.5], None),
        (["diverged"] * 6, ["diverged"] * 6, None),
        ([0.5] * 6, [0.5] * 6, None),
        ([0.5], [0.5], 1),
        ([0.5], [0.4], None),
    ],
)
def test_lost_runs_one_seed_and_no_spread(make_runs, one, other, seeds):
    found = groups(make_runs({1: one, 2: other}, baseline=1))
    assert found == ([] if seeds is None else [(("1", "2"), "test_acc", seeds, True)])


def test_one_pair_is_too_few_for_a_standing(make_runs):
    for seeds, standing in ((1, "undecided"), (2, "identical")):
        (entry,) = analyse(
            make_runs({1: VALUES[:seeds], 2: VALUES[:seeds]}, baseline=1), metrics=[M["test_acc"]]
        ).comparisons
        assert (entry.standing, entry.needed) == (standing, None)


def test_no_level_is_left_out_of_the_best_that_its_comparison_leaves_undecided(make_runs):
    disagreed = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        values = {level: list(generator.normal(0.02 * level, 0.02, 6)) for level in (1, 2, 3)}
        whole = analyse(make_runs(values, baseline=2), metrics=[M["test_acc"]])
        (best,) = whole.best
        standing = {entry.label: entry.standing for entry in whole.comparisons}
        undecided = {label for label, one in standing.items() if one == "undecided"}
        if best.best == "2":
            assert undecided <= set(best.indistinguishable)
        elif best.best in undecided and "better" not in standing.values():
            assert "2" in best.indistinguishable
        assert best.indistinguishable == tuple(level.label for level in best.levels if level.in_set)
        disagreed += any(level.in_set and level.p <= 0.05 for level in best.levels)
    assert disagreed, "or nothing was shown"
