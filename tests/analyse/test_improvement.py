import itertools
import math

import numpy as np
import pytest
from rliable.metrics import probability_of_improvement

from ablate.analyse import compare
from ablate.analyse.improvement import STAKES, e_values, told_by
from ablate.images.metrics import METRICS as M
from ablate.task.metric import Metric


def test_the_probability_is_that_of_rliable_with_a_seed_as_a_task(make_runs):
    generator = np.random.default_rng(0)
    a, b = generator.integers(0, 6, (2, 12)) / 10
    runs = make_runs({1: list(a), 2: list(b)}, baseline=1)
    up, down = (compare(runs, metric=Metric("test_acc", goal))[0].improvement for goal in ("max", "min"))
    assert up.probability == pytest.approx(float(np.squeeze(probability_of_improvement(b[None, :], a[None, :]))))
    assert up.probability + down.probability == pytest.approx(1)
    assert (up.better, up.worse) == (int((b > a).sum()), int((b < a).sum())) == (down.worse, down.better)
    assert up.interval.low < up.probability < up.interval.high


def test_a_diverged_run_is_beaten_by_every_finished_one(make_runs):
    runs = make_runs(
        {1: ["diverged", 0.5, 0.5, "diverged", "failed", 0.5], 2: [0.1, 0.6, "diverged", "diverged", 0.9, 0.5]}
    )
    runs["is_baseline"] = runs["label"] == "1"
    found = compare(runs, metric=M["test_acc"])[0].improvement
    assert (found.n, found.better, found.worse) == (5, 2, 1)
    assert found.probability == pytest.approx((2 + 2 / 2) / 5)


def test_no_evidence_has_neither(make_runs):
    entry = compare(make_runs({1: [0.5] * 6, 2: [0.6] * 6}, baseline=1), metric=M["test_acc"])[0]
    assert (entry.improvement, entry.told_open_ended) == (None, False)
    alone = compare(make_runs({1: [0.5, None], 2: [None, 0.6]}, baseline=1), metric=M["test_acc"])[0]
    assert alone.improvement is None


def slow_e(signs, differences):
    """Seed by seed and stake by stake, as it is defined."""
    owned = []
    for stake, direction in itertools.product(STAKES, (1, -1)):
        money, squares, largest = 1.0, [], 1.0
        for sign, difference in zip(signs, differences, strict=True):
            if math.isnan(difference):
                size = largest
            else:
                squares.append(difference**2)
                scale = math.sqrt(sum(squares) / len(squares))
                size = abs(difference) / scale if scale else 0.0
                largest = max(largest, size)
            money *= 1 + direction * sign * math.tanh(stake * size)
        owned.append(money)
    return sum(owned) / len(owned)


def test_an_e_value_is_what_its_player_owns():
    generator = np.random.default_rng(3)
    differences = np.where(generator.random((6, 12)) < 0.2, np.nan, generator.standard_t(2, (6, 12)))
    signs = np.where(np.isnan(differences), generator.choice([-1.0, 0.0, 1.0], (6, 12)), np.sign(differences))
    assert e_values(signs, differences) == pytest.approx([slow_e(*row) for row in zip(signs, differences, strict=True)])


def test_the_game_is_fair_whatever_the_sizes():
    """Over all signs, which are equally likely where levels are alike, the mean is 1, diverged runs among them."""
    sizes = np.array([0.1, 3.0, np.nan, 0.2, 50.0, 0.0, 1.0, np.nan, 2.0])
    signs = np.array(list(itertools.product([-1.0, 1.0], repeat=len(sizes))))
    signs[:, sizes == 0] = 0.0
    assert e_values(signs, np.tile(sizes, (len(signs), 1))).mean() == pytest.approx(1, abs=1e-12)


def test_seven_seeds_that_agree_are_the_least():
    agree = [float(e_values(np.ones((1, n)), np.ones((1, n)))[0]) for n in range(1, 9)]
    assert agree[0] == pytest.approx(1)
    assert [e >= 20 for e in agree] == [False] * 6 + [True] * 2


def slow_told(e, alpha):
    ranked = sorted(range(len(e)), key=lambda place: -e[place])
    kept = max((k for k in range(1, len(e) + 1) if e[ranked[k - 1]] >= len(e) / (alpha * k)), default=0)
    return sorted(ranked[:kept])


def test_levels_told_are_those_of_e_bh():
    generator = np.random.default_rng(0)
    for _ in range(200):
        e = np.exp(generator.normal(2, 2, generator.integers(1, 9)))
        assert np.flatnonzero(told_by(list(e))).tolist() == slow_told(e, 0.05)
    assert told_by([30.0, None]).tolist() == [True, False]
    assert told_by([30.0, 1.0]).tolist() == [False, False]
    assert told_by([None, None]).tolist() == [False, False]


NOISES = {
    "normal": lambda generator, shape: generator.standard_normal(shape),
    "skewed": lambda generator, shape: generator.exponential(1, shape),
    "collapsing": lambda generator, shape: generator.standard_normal(shape) - 30 * (generator.random(shape) < 0.1),
    "discrete": lambda generator, shape: generator.integers(0, 3, shape).astype(float),
}


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(("levels", "differing"), [(1, 0), (6, 0), (6, 3)])
def test_adding_seeds_until_something_is_told_is_wrong_as_seldom_as_it_says(noise, levels, differing):
    """A stranger looks after every seed from the second to the fortieth and stops at the first level told falsely.

    That is the worst that anybody can do. Of the levels told then, the share that is false has a mean of 5 % at most.
    """
    generator, studies, seeds = np.random.default_rng(7), 400, 40
    runs = NOISES[noise](generator, (studies, levels + 1, seeds))
    runs[:, 1 : 1 + differing] += 3
    differences = runs[:, 1:] - runs[:, :1]
    false = np.zeros(studies)
    going = np.ones(studies, dtype=bool)
    for n in range(2, seeds + 1):
        part = differences[going, :, :n].reshape(-1, n)
        e = e_values(np.sign(part), part).reshape(-1, levels)
        told = np.array([told_by(list(row)) for row in e])
        wrong = told[:, differing:].any(axis=1)
        places = np.flatnonzero(going)[wrong]
        false[places] = told[wrong][:, differing:].sum(axis=1) / told[wrong].sum(axis=1)
        going[places] = False
        if not going.any():
            break
    assert false.mean() <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / studies)


def owned(effect):
    """After each of 40 seeds, [seeds, studies]."""
    differences = np.random.default_rng(1).normal(effect, 1.0, (500, 40))
    return np.array([e_values(np.sign(differences[:, :n]), differences[:, :n]) for n in range(1, 41)])


def test_a_difference_is_found_as_fast_as_it_says():
    assert (owned(0.5).max(axis=0) >= 20).mean() == pytest.approx(0.6, abs=0.05)
    e = owned(1.5)
    assert (e.max(axis=0) >= 20).all()
    assert (e >= 20).argmax(axis=0).mean() + 1 == pytest.approx(8.9, abs=0.5)
