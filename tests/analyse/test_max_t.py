"""Joint sign flips against slow enumeration of the definition, and the properties that a test of levels must have."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from ablate.analyse.family import correct
from ablate.analyse.max_t import exploded, together
from ablate.analyse.sign_flip import sign_flip

GENERATOR = np.random.default_rng(3)


def rarity(values):
    """SciPy's paired t as the normal deviate that is about as rare (Wallace 1959)."""
    values = values[np.isfinite(values)]
    if np.ptp(values) < 1e-12:
        return 0.0 if abs(values[0]) < 1e-12 else 1e6
    df, t = len(values) - 1, stats.ttest_1samp(values, 0.0).statistic
    return np.sqrt(df * np.log1p(t**2 / df)) * (8 * df + 1) / (8 * df + 3)


@pytest.mark.parametrize("df", [5, 9, 19])
def test_the_scale_is_that_of_the_normal_deviate(df):
    values = np.random.default_rng(df).normal(1.0, 1.0, df + 1)
    assert rarity(values) == pytest.approx(stats.norm.isf(stats.ttest_1samp(values, 0.0).pvalue / 2), abs=0.02)


def slowly(differences, statistic=lambda row, values: rarity(values)):
    """Step-down max-T, a hypothesis at a time, from all 2^n joint sign vectors."""
    signs = np.array(list(itertools.product([1, -1], repeat=differences.shape[1])))
    observed = [statistic(*row) for row in enumerate(differences)]
    flipped = np.array([[statistic(row, own * vector) for row, own in enumerate(differences)] for vector in signs])
    p, left, floor = np.empty(len(differences)), set(range(len(differences))), 0.0
    while left:
        strongest = max(left, key=lambda row: observed[row])
        largest = flipped[:, sorted(left)].max(axis=1)
        floor = max(floor, float(np.mean(largest >= observed[strongest] - 1e-7)))
        p[strongest] = floor
        left.remove(strongest)
    return p


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_step_down_definition_enumerated(seed):
    noise = np.random.default_rng(seed).normal(0, [[1.0], [1.0], [3.0], [0.5]], (4, 7))
    differences = noise + np.array([[0.0], [1.5], [1.0], [0.2]]) - np.random.default_rng(seed + 9).normal(0, 1, 7)
    np.testing.assert_allclose(together(differences).p, slowly(differences), atol=1e-12)


def test_levels_with_other_numbers_of_seeds_are_on_one_scale():
    differences = GENERATOR.normal(0.8, 1.0, (3, 7))
    differences[1, :3] = np.nan
    differences[2, 5:] = np.nan
    np.testing.assert_allclose(together(differences).p, slowly(differences), atol=1e-12)


def test_one_level_is_the_sign_flip_test():
    for n in (5, 10, 20):
        differences = np.random.default_rng(n).normal(0.5, 1.0, (1, n))
        assert together(differences).p == pytest.approx(sign_flip(differences).two_sided, abs=0.01 if n > 14 else 1e-12)


def test_the_floor_does_not_rise_with_the_number_of_levels_as_holms_does():
    differences = GENERATOR.normal(3.0, 1.0, (10, 8)) + 2
    assert (together(differences).p <= 0.05).all()
    assert (correct(differences, "holm").p > 0.05).all()


def explodes(seed, seeds=8):
    """Nine levels like the baseline, or nearly, and before them one whose runs all end at huge values."""
    generator = np.random.default_rng(seed)
    runs = generator.normal(0, 1, (11, seeds))
    runs[1] = 9e5 * generator.exponential(1.0, seeds) + 100
    return runs[1:] - runs[0] + np.r_[[0.0] * 7, 1.0, 4.0, 4.0][:, None]


@pytest.mark.parametrize("seed", range(5))
def test_a_level_that_explodes_is_told_by_the_signs_of_its_differences(seed):
    differences = explodes(seed)
    assert exploded(differences).tolist() == [True, *[False] * 9]

    def statistic(row, values):
        one_way = np.sign(values).sum() * values.sum() > 0
        return max(rarity(values), rarity(np.sign(values)) if row == 0 and one_way else 0.0)

    found = together(differences)
    np.testing.assert_allclose(found.p, slowly(differences, statistic), atol=1e-12)
    assert found.p[0] == 2 / 2**8
    assert found.low[0] > 0
    # The others are told as if it were not there: with so few seeds no p is below its own.
    np.testing.assert_allclose(found.p[1:], together(differences[1:]).p, atol=1e-12)


def test_without_the_signs_an_exploded_level_would_be_undecided():
    assert slowly(explodes(0))[0] > 0.05
    assert together(explodes(0)).p[0] <= 0.05


def test_a_level_whose_mean_and_signs_go_two_ways_is_not_told():
    differences = explodes(1)
    differences[0, :2] = -1e9 * np.array([1.0, 2.0])
    assert exploded(differences)[0]
    assert together(differences).p[0] > 0.05


def test_what_explodes_depends_on_sizes_alone_and_not_on_a_unit():
    differences = explodes(2)
    signs = np.random.default_rng(5).choice([-1.0, 1.0], differences.shape)
    for same in (-differences, differences * signs, differences * 1e-9, differences[:, ::-1]):
        np.testing.assert_array_equal(exploded(same), exploded(differences))
    assert not exploded(differences[:1]).any()  # alone there is nothing that is usual
    assert not exploded(np.full((3, 6), 1e6) * [[1e-6], [1.0], [1e-6]]).any()  # huge without scatter: |t| sees it
    differences[0, 3] = 0.5  # one of its runs is like all others
    assert not exploded(differences).any()


def test_holm_on_request_is_statsmodels_over_scipys_sign_flips():
    differences = GENERATOR.normal(0.7, 1.0, (4, 9))
    differences[3, 0] = np.nan
    single = [
        stats.permutation_test((row[np.isfinite(row)],), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
        for row in differences
    ]
    found = correct(differences, "holm")
    assert found.p == pytest.approx(multipletests(single, method="holm")[1])
    whole = stats.ttest_1samp(differences[0], 0.0).confidence_interval(1 - 0.05 / 4)
    assert (found.low[0], found.high[0]) == pytest.approx((whole.low, whole.high))


def test_below_six_pairs_the_interval_is_bonferronis_and_nothing_is_decided():
    differences = GENERATOR.normal(9.0, 1.0, (3, 5))
    found = together(differences)
    assert (found.p >= 2 / 2**5).all()
    for row, low, high in zip(differences, found.low, found.high, strict=True):
        expected = stats.ttest_1samp(row, 0.0).confidence_interval(1 - 0.05 / 3)
        assert (low, high) == pytest.approx((expected.low, expected.high))


def test_what_has_too_few_pairs_is_left_out():
    differences = np.array([[1.0, np.nan, np.nan], [np.nan] * 3, [1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
    found = together(differences)
    assert np.isnan(found.p[:2]).all()
    assert np.isnan(found.low[:2]).all()
    assert found.p[2] == 2 / 2**3
    assert found.p[3] == 1.0
    assert np.isnan(together(np.full((2, 3), np.nan)).p).all()


SAMPLES = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(SAMPLES, st.integers(6, 9), st.integers(1, 6), st.floats(0.1, 10.0))
def test_order_units_and_names_do_not_matter_and_intervals_agree_with_p(seed, n, levels, scale):
    generator = np.random.default_rng(seed)
    differences = np.round(generator.normal(generator.uniform(-1, 1, (levels, 1)), 1.0, (levels, n)), 2)
    differences[generator.random((levels, n)) < 0.1] = np.nan
    found = together(differences)
    for other, turned in (
        (together(differences * scale), False),
        (together(differences[:, generator.permutation(n)]), False),
        (together(-differences), True),
    ):
        np.testing.assert_allclose(other.p, found.p, atol=1e-9)
        if turned:
            np.testing.assert_allclose((other.low, other.high), (-found.high, -found.low), atol=1e-9)
    shuffled = generator.permutation(levels)
    np.testing.assert_allclose(together(differences[shuffled]).p, found.p[shuffled], atol=1e-9)
    pairs = np.isfinite(differences).sum(axis=1)
    decided = (found.p <= 0.05)[pairs >= 6]
    assert (((found.low <= 0) & (found.high >= 0))[pairs >= 6] == ~decided).all()


def test_simultaneous_intervals_hold_all_truths_together():
    generator, held = np.random.default_rng(0), 0
    truth = np.array([[0.0], [0.5], [1.0], [0.0], [2.0]])
    for _ in range(400):
        runs = generator.normal(0, 1, (6, 8))
        found = together(runs[1:] - runs[0] + truth)
        held += bool(((found.low <= truth[:, 0]) & (truth[:, 0] <= found.high)).all())
    assert held / 400 >= 0.92
