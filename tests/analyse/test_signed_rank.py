import baycomp
import numpy as np
import pytest

from ablate.analyse.signed_rank import signed_rank


@pytest.mark.parametrize(("n", "mean", "margin"), [(3, 0.0, 1.0), (8, 0.5, 0.6), (10, 1.5, 1.0), (25, -0.4, 0.5)])
def test_probabilities_are_those_of_baycomp(n, mean, margin):
    differences = np.random.default_rng(n).normal(mean, 1.0, n)
    found = signed_rank(differences, margin)
    expected = baycomp.SignedRankTest(np.zeros(n), differences, margin, nsamples=20_000, random_state=1).probs()
    assert [found.below, found.same, found.above] == pytest.approx(expected, abs=0.015)  # 3 sd of the draws
    assert found.below + found.same + found.above == pytest.approx(1)


def test_one_pair_is_weighed_by_hand():
    """Weight w of the pair and 1 - w of the 0 before: above are w^2, within the rest; w^2 > 1/2 decides."""
    weight = np.random.default_rng(5).beta(1.0, 0.5, 200_000)
    assert signed_rank(np.array([3.0]), 2.0).above == pytest.approx((weight**2 > 0.5).mean(), abs=0.015)


def test_it_follows_the_sign_and_the_unit():
    differences = np.random.default_rng(0).normal(0.3, 1.0, 9)
    one, other = signed_rank(differences, 0.5), signed_rank(-differences, 0.5)
    assert (one.below, one.same, one.above) == (other.above, other.same, other.below)
    assert signed_rank(64 * differences, 32.0) == one


def test_more_seeds_make_it_surer():
    same = [signed_rank(np.random.default_rng(1).normal(0, 1, n), 0.7).same for n in (5, 20, 80)]
    assert same == sorted(same)
    assert same[-1] > 0.99
