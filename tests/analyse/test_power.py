import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from ablate.analyse.power import (
    MOST_SEEDS,
    hedges_correction,
    needed_range,
    power_of,
    power_of_flips,
    seeds_needed,
)


@pytest.mark.parametrize("effect", [0.2, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("n", [5, 10, 40])
@pytest.mark.parametrize(("two_sided", "alternative"), [(True, "two-sided"), (False, "larger")])
def test_power_is_statsmodels(effect, n, two_sided, alternative):
    expected = TTestPower().power(effect, n, 0.05, alternative=alternative)
    assert power_of(effect, n, alpha=0.05, two_sided=two_sided) == pytest.approx(expected, abs=1e-9)


def test_power_is_a_number_where_the_other_tail_is_next_to_nothing():
    shift, critical = 2.43 * 8**0.5, stats.t.ppf(1 - 0.0005, 7)
    assert power_of(2.43, 8, alpha=0.001, two_sided=True) == pytest.approx(stats.nct.sf(critical, 7, shift))


@pytest.mark.parametrize("effect", [0.15, 0.3, -0.5, 0.9])
@pytest.mark.parametrize("alpha", [0.05, 0.05 / 17])
def test_seeds_are_statsmodels_rounded_up(effect, alpha):
    expected = TTestPower().solve_power(abs(effect), alpha=alpha, power=0.8, alternative="two-sided")
    assert seeds_needed(effect, alpha=alpha) == int(np.ceil(expected))


def test_never_fewer_seeds_than_the_exact_test_needs():
    assert seeds_needed(50.0) == 6
    assert seeds_needed(50.0, two_sided=False) == 5


@pytest.mark.parametrize("effect", [0.0, float("nan"), float("inf"), 0.01])
def test_what_no_number_of_seeds_settles(effect):
    assert seeds_needed(effect) is None
    assert power_of(0.01, MOST_SEEDS, alpha=0.05, two_sided=True) < 0.8


@pytest.mark.parametrize("n", [3, 5, 10])
def test_hedges_correction_takes_the_bias_off(n):
    df, effect = n - 1, 0.7
    mean = stats.nct.mean(df, effect * np.sqrt(n)) / np.sqrt(n)  # expected d_z of n pairs
    if n > 3:
        assert mean * hedges_correction(n) == pytest.approx(effect, rel=1e-9)
    assert hedges_correction(n) == pytest.approx(1 - 3 / (4 * df - 1), abs=0.01)  # the usual approximation


def test_near_the_floor_the_power_is_the_sign_flip_tests():
    # The paired t test with six pairs finds 1.5 standard deviations in 83 %; all six signs must agree for the other.
    assert power_of(1.5, 6, alpha=0.05, two_sided=True) > 0.8
    assert power_of_flips(1.5, 6, 0.05, True) == pytest.approx(stats.norm.cdf(1.5) ** 6, abs=0.03)
    assert seeds_needed(1.5) == 7


def test_the_range_holds_the_truth_about_half_of_the_time():
    generator, true, n = np.random.default_rng(0), 0.5, 10
    wanted, inside = seeds_needed(true), 0
    for sample in generator.normal(true, 1.0, (400, n)):
        found = needed_range(sample.mean() / sample.std(ddof=1), n)
        assert found.fewest <= (found.seeds or MOST_SEEDS + 1) <= (found.most or MOST_SEEDS + 1)
        inside += found.fewest <= wanted <= (found.most or MOST_SEEDS + 1)
    assert inside / 400 == pytest.approx(0.5, abs=0.08)
