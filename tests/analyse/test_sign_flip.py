import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from ablate.analyse.sign_flip import is_found, least_pairs, pairwise, sign_flip


@pytest.mark.parametrize("n", [2, 5, 8])
@pytest.mark.parametrize(
    ("side", "alternative"), [("two_sided", "two-sided"), ("greater", "greater"), ("less", "less")]
)
def test_exact_p_is_scipys_permutation_test(n, side, alternative):
    differences = np.random.default_rng(n).normal(0.3, 1.0, (4, n))
    ours = getattr(sign_flip(differences), side)
    for row, p in zip(differences, ours, strict=True):
        expected = stats.permutation_test(
            (row,), np.mean, permutation_type="samples", alternative=alternative, n_resamples=np.inf
        )
        assert p == pytest.approx(expected.pvalue)


def test_by_hand():
    test = sign_flip(np.array([[1.0, 2.0, 3.0]]))  # sums: 6 4 2 0 0 -2 -4 -6
    assert (test.greater[0], test.less[0], test.two_sided[0]) == (1 / 8, 1.0, 2 / 8)
    test = sign_flip(np.array([[1.0, -2.0, 3.0]]))
    assert (test.greater[0], test.two_sided[0]) == (3 / 8, 6 / 8)


def test_five_seeds_cannot_reach_five_percent_two_sided():
    test = sign_flip(np.array([[5.0, 6.0, 7.0, 8.0, 9.0]]))
    assert (test.two_sided[0], test.greater[0]) == (0.0625, 0.03125)
    assert (least_pairs(0.05, two_sided=True), least_pairs(0.05, two_sided=False)) == (6, 5)


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 17, 0.0625, 0.5])
@pytest.mark.parametrize("two_sided", [True, False])
def test_least_pairs_is_the_first_n_that_can_reach_alpha(alpha, two_sided):
    n = least_pairs(alpha, two_sided=two_sided)
    tails = 2 if two_sided else 1
    assert tails / 2**n <= alpha
    assert n == 1 or tails / 2 ** (n - 1) > alpha


@pytest.mark.parametrize("n", range(2, 13))
def test_is_found_is_what_the_test_says(n):
    differences = np.round(np.random.default_rng(n).standard_normal((300, n)), 1) + 0.3
    found = sign_flip(differences)
    for alpha in (0.001, 0.05, 0.2, 0.7):
        assert (is_found(differences, alpha, two_sided=True) == (found.two_sided <= alpha)).all()
        assert (is_found(differences, alpha, two_sided=False) == (found.greater <= alpha)).all()


def test_equal_sums_count_in_spite_of_rounding():
    test = sign_flip(np.array([[0.1, 0.2, 0.3]]))  # 0.1 + 0.2 - 0.3 is not 0 in floating point
    assert test.greater[0] == 1 / 8
    assert sign_flip(np.array([[0.1, 0.2, -0.3]])).two_sided[0] == 1.0


def test_monte_carlo_beyond_fourteen_pairs_is_near_the_exact_p_and_seeded():
    differences = np.random.default_rng(3).normal(0.4, 1.0, (1, 16))
    drawn = sign_flip(differences, seed=1)
    expected = stats.permutation_test((differences[0],), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert not drawn.exact
    assert drawn.two_sided[0] == pytest.approx(expected, abs=4 * np.sqrt(expected / 20_000))
    assert drawn.two_sided[0] == sign_flip(differences, seed=1).two_sided[0]
    assert sign_flip(np.full((1, 20), 1.0)).greater[0] >= 1 / 20_000


def test_no_pairs_say_nothing():
    assert sign_flip(np.empty((2, 0))).two_sided.tolist() == [1.0, 1.0]


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, (2, 6), elements=st.integers(-20, 20).map(float)))
def test_turning_the_sign_swaps_the_sides(differences):
    test, turned = sign_flip(differences), sign_flip(-differences)
    np.testing.assert_array_equal(test.greater, turned.less)
    np.testing.assert_array_equal(test.two_sided, turned.two_sided)
    assert (test.two_sided <= 1).all()
    assert (test.greater + test.less >= 1).all()


def test_pairwise_is_the_test_of_every_pair_on_its_common_seeds():
    values = np.random.default_rng(0).normal(0, 1, (4, 7))
    values[1, 2] = values[3, 5] = values[3, 6] = np.nan
    tests = pairwise(values, margin=0.2)
    for i in range(4):
        for j in range(4):
            row = values[i] - values[j]
            row = row[np.isfinite(row)]
            assert tests.n[i, j] == len(row)
            assert tests.difference[i, j] == pytest.approx(row.mean())
            assert tests.sd[i, j] == pytest.approx(row.std(ddof=1))
            assert tests.p[i, j] == sign_flip(row[None] - 0.2).greater[0]


def test_pairwise_of_a_loss_prefers_the_lower():
    values = np.array([[0.1] * 5, [0.9] * 5])
    tests = pairwise(-values)
    assert (tests.p[0, 1], tests.p[1, 0]) == (1 / 32, 1.0)


def test_levels_without_common_seeds_say_nothing():
    values = np.array([[1.0, np.nan], [np.nan, 2.0]])
    tests = pairwise(values)
    assert tests.p[0, 1] == 1.0
    assert tests.n[0, 1] == 0
    assert np.isnan(tests.difference[0, 1])
