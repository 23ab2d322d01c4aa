"""The arithmetic of planning against SciPy and the tests that the analysis makes."""

import numpy as np
import pytest
from scipy import stats

from ablate.analyse import sequential
from ablate.analyse.family import correct
from ablate.analyse.power import power_of
from ablate.plan.visible_differences import (
    ALPHA,
    Spread,
    expected_runs,
    fewest_seeds,
    spread_of,
    student_quantile,
    visible_effect,
)


@pytest.mark.parametrize("comparisons", [1, 2, 9, 17])
def test_the_fewest_seeds_are_those_whose_least_p_survives_the_correction(comparisons):
    for correction, times in (("holm", comparisons), ("max-t", 1)):
        needed = fewest_seeds(comparisons, correction)
        assert times * stats.binomtest(needed, needed, 0.5).pvalue <= ALPHA
        assert times * stats.binomtest(needed - 1, needed - 1, 0.5).pvalue > ALPHA


@pytest.mark.parametrize("df", [5, 9, 19, 99])
@pytest.mark.parametrize("probability", [0.8, 0.975, 0.9975, 0.9995])
def test_the_quantile_is_scipys(df, probability):
    assert student_quantile(probability, df) == pytest.approx(stats.t.ppf(probability, df), rel=0.03)


@pytest.mark.parametrize("seeds", [8, 10, 20, 40])
@pytest.mark.parametrize("comparisons", [1, 5, 50])
def test_the_visible_effect_has_that_power(seeds, comparisons):
    effect = visible_effect(seeds, comparisons, "max-t")
    power = power_of(effect, seeds, alpha=ALPHA / comparisons, two_sided=True)
    assert power == pytest.approx(0.8, abs=0.04)


@pytest.mark.parametrize(("seeds", "levels"), [(6, 1), (7, 1), (8, 1), (10, 1), (8, 6), (12, 6)])
def test_about_four_of_five_studies_find_the_visible_effect(seeds, levels):
    generator, found = np.random.default_rng(0), 0.0
    effect = visible_effect(seeds, levels, "max-t")
    for _ in range(300):
        runs = generator.normal(0, 0.5**0.5, (levels + 1, seeds))
        differences = runs[1:] - runs[0]
        differences[0] += effect
        found += correct(differences, "max-t").p[0] <= ALPHA
    assert 0.72 <= found / 300 <= 0.93


def test_too_few_seeds_see_nothing():
    assert visible_effect(5, 1, "max-t") is None
    assert visible_effect(8, 10, "holm") is None


def test_the_spread_is_that_of_paired_differences_or_of_runs():
    generator = np.random.default_rng(1)
    baseline = dict(enumerate(generator.normal(0, 1, 6)))
    levels = [dict(enumerate(generator.normal(0, 1, 6))) for _ in range(3)]
    sds = [np.std([level[s] - baseline[s] for s in baseline], ddof=1) for level in levels]
    assert spread_of(baseline, levels).sd == pytest.approx(np.median(sds))
    alone = spread_of(baseline, [{7: 0.1}, {}])
    assert (alone.sd, alone.settings) == (pytest.approx(2**0.5 * np.std(list(baseline.values()), ddof=1)), 1)
    assert spread_of({1: 0.5, 2: 0.6}, []) is None


def test_differences_that_are_the_same_on_every_seed_have_no_spread_but_rounding():
    baseline = {seed: 0.8 + 0.0237 * seed**2 for seed in range(8)}
    higher = {seed: value + 0.05 for seed, value in baseline.items()}
    assert 0 < np.std([higher[seed] - baseline[seed] for seed in baseline]) < 1e-15
    assert spread_of(baseline, [baseline, higher]) == Spread(0.0, 2)
    other = {seed: value + 0.01 * (-1) ** seed for seed, value in baseline.items()}
    assert spread_of(baseline, [baseline, higher, other]).settings == 1
    assert spread_of(dict.fromkeys(range(4), 0.5), [{7: 0.1}]) == Spread(0.0, 1)


@pytest.mark.parametrize(("levels", "effect"), [(1, 0.5), (1, 1.0), (4, 1.0), (17, 1.0), (4, 0.0)])
def test_the_cost_of_a_study_with_looks_is_that_of_simulated_ones(levels, effect, monkeypatch):
    monkeypatch.setattr(sequential, "VECTORS", 499)
    looks, generator = sequential.Looks((6, 10, 16, 24, 40)), np.random.default_rng(0)
    runs = []
    for study in range(40):
        values = generator.standard_normal((levels + 1, 40))
        differences, there = values[1:] - values[0] + effect * 2**0.5, np.ones((levels, 40), dtype=bool)
        path = sequential.follow(levels, lambda _, d=differences, t=there: (d, t), looks, study)
        runs.append(sum(path.counts) + max(path.counts))
    error = np.std(runs) / len(runs) ** 0.5
    expected = expected_runs(looks.at, looks.alpha, levels, effect)
    assert abs(np.mean(runs) - expected) <= 0.15 * expected + 3 * error
    assert (levels + 1) * 10 <= expected <= (levels + 1) * 40


def test_a_study_without_effects_goes_on_to_the_last_look():
    assert expected_runs((6, 10), 0.05, 3, 0.0) == pytest.approx(40, rel=0.02)
    assert expected_runs((6, 10), 0.05, 3, 9.0) == pytest.approx(24, rel=0.01)


def test_claims_go_on_until_their_pairs_are_found():
    looks = (6, 10, 16, 24, 40)
    alone = expected_runs(looks, 0.05, 3, 1.0)
    paired = expected_runs(looks, 0.05, 3, 1.0, [[(0, 1)]])
    several = expected_runs(looks, 0.05, 3, 1.0, [[(2, 1), (2, 3)], [(0, 1)]])
    assert alone < paired < several < 4 * 40
    assert expected_runs(looks, 0.05, 3, 9.0, [[(0, 1)]]) == pytest.approx(40, rel=0.01)
    assert expected_runs(looks, 0.05, 3, 0.0, [[(0, 1)]]) == pytest.approx(160, rel=0.02)
