"""The simulation of errors in small: levels that are alike are told apart in 5 % of studies at most."""

import pytest
from scipy import stats

from benchmarks.errors import KINDS, NOISES, claim_errors, table_errors


def at_most(rate, studies):
    """The share that a true rate exceeds once in ten thousand such simulations."""
    return stats.binom.ppf(0.9999, studies, rate) / studies


@pytest.mark.parametrize("name", ["normal", "skewed", "heavy-tailed", "collapsing"])
@pytest.mark.parametrize("case", ["all alike", "half differ", "fewer seeds"])
def test_a_table_errs_in_at_most_five_percent_of_studies(name, case):
    rates = table_errors(NOISES[name], 9, 5, case, 300)
    assert max(rates["false: max-T"], rates["false: Holm"]) <= at_most(0.05, 300)
    assert rates["intervals"] >= 1 - at_most(0.07, 300)
    if case == "half differ":
        assert rates["found: max-T"] >= rates["found: Holm"] - 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_a_claim_about_equal_levels_is_rarely_supported(kind):
    level = 0.05 if kind.startswith("equivalent") else 0.025
    for name in ("normal", "heavy-tailed"):
        assert max(claim_errors(NOISES[name], 8, kind, 150)) <= at_most(level, 150), name
