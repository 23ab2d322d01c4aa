"""The simulation of errors in small: levels that are alike are told apart in 5 % of studies at most."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ablate.analyse import sequential
from ablate.analyse.family import correct
from ablate.analyse.sequential import Looks, follow
from benchmarks import errors, errors_along, errors_of_claims, errors_of_claims_along
from benchmarks.errors_of_claims import CASES, TOGETHER
from benchmarks.errors_of_tables import measure as table_errors
from benchmarks.many_studies import Followed, told_together
from benchmarks.noises import NOISES

STUDIES = 300


@pytest.fixture(autouse=True)
def few_vectors(monkeypatch):
    monkeypatch.setattr(sequential, "VECTORS", 499)


def at_most(rate, studies):
    """The share that a true rate exceeds once in ten thousand such simulations."""
    return stats.binom.ppf(0.9999, studies, rate) / studies


@pytest.mark.parametrize("name", ["normal", "skewed", "heavy-tailed", "collapsing"])
@pytest.mark.parametrize("case", ["all alike", "half differ", "fewer seeds"])
def test_a_table_errs_in_at_most_five_percent_of_studies(name, case):
    rates = table_errors(name, case, 5, 9, STUDIES)
    assert max(rates["false: max-T"], rates["false: Holm"]) <= at_most(0.05, STUDIES)
    assert rates["intervals"] >= 1 - at_most(0.07, STUDIES)
    if case == "half differ":
        assert rates["found: max-T"] >= rates["found: Holm"] - 0.01


@pytest.mark.parametrize("claim", [*CASES, TOGETHER])
def test_a_claim_about_equal_levels_is_rarely_supported(claim):
    level = 0.05 if claim.startswith(("equivalent", "four")) else 0.025
    for name in ("normal", "heavy-tailed"):
        rates = errors_of_claims.measure(claim, name, 8, STUDIES)
        assert rates["supported"] <= at_most(level, STUDIES), name
        assert not rates["refuted"] > at_most(level, STUDIES), name


@pytest.mark.parametrize("case", ["all alike", "half differ", "fewer values"])
def test_a_study_with_looks_errs_in_at_most_five_percent_of_studies(case):
    rates = errors_along.measure("normal", case, 4, 1.0, 200)
    assert rates["false"] <= at_most(0.05, 200)
    assert rates["intervals"] >= 1 - at_most(0.06, 200)
    if case == "all alike":
        assert rates["false: naive"] > 2 * rates["false"]
    if case == "half differ":
        assert rates["found"] >= rates["found: same cost"] - 0.01
        assert rates["found"] > rates["found: 10 seeds"]


@pytest.mark.parametrize("claim", ["better", "best_in, 1 of 4", "peaks_inside, 5", "monotone, 3", TOGETHER])
def test_a_claim_that_is_followed_over_looks_errs_no_more_often_than_one_that_is_judged_once(claim):
    """Every hundredth study is followed by the analysis, too, which must come to the same end with the same seeds."""
    rates = errors_of_claims_along.measure(claim, "equal means", "normal", STUDIES)
    level = 0.05 if claim == TOGETHER else 0.025
    assert rates["supported"] <= at_most(level, STUDIES)
    assert not rates["refuted"] > at_most(level, STUDIES)
    if claim != TOGETHER:
        true = errors_of_claims_along.measure(claim, "true", "normal", 100)
        assert true["supported"] >= true["same cost"] - 0.02
        assert true["runs"] < 20 < rates["runs"]


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("margin", [0.0, 0.8])
def test_many_studies_at_once_are_what_they_are_one_by_one(name, margin):
    generator, looks = np.random.default_rng(3), Looks((6, 10, 16), margin=margin)
    values = np.array([NOISES[name](generator, 5, 16) for _ in range(8)])
    differences = values[:, 1:] - values[:, :1] + np.array([0.0, 0.7, 1.5, -2.0])[:, None]
    differences[::2, 0, 3:5] = np.nan
    followed, there = Followed(differences, looks, 5), np.ones((4, 16), dtype=bool)
    for study, one in enumerate(differences):
        followed.hold(study, follow(4, lambda _, d=one: (d, there), looks, 5))
    assert len(np.unique(followed.settled)) >= 2
    for n in (8, 16):
        found = told_together(differences[..., :n], 5, 0.05)
        expected = [correct(one[:, :n], "max-t", 5).p <= 0.05 for one in differences]
        np.testing.assert_array_equal(found, expected)


def test_what_differs_from_the_analysis_is_refused():
    differences = np.random.default_rng(0).standard_normal((2, 3, 16))
    looks, there = Looks((6, 10, 16)), np.ones((3, 16), dtype=bool)
    followed = Followed(differences, looks, 1)
    with pytest.raises(AssertionError, match="study 0"):
        followed.hold(0, follow(3, lambda _: (differences[1] + 9, there), looks, 1))


def test_where_an_error_is_above_its_level_is_said_with_the_reason():
    frame = pd.DataFrame({"shape": ["normal", "collapsing", "collapsing"], "false": [0.05, 0.064, np.nan]})
    text = errors.finding(frame, "false", 0.05, 2000)
    assert "in 1 of 2 rows" in text
    assert "`collapsing`, 1 of 1 rows, 0.064 at most: few runs far from the others" in text
    assert errors.finding(frame, "false", 0.06, 2000).endswith("in 0 of 2 rows.")


def test_a_table_is_written_from_the_rows(tmp_path, monkeypatch):
    cells = errors_along.cells(20)[:5]
    monkeypatch.setattr(errors_along, "cells", lambda studies: cells)
    of_claims = errors_of_claims_along.cells(20)[:2]
    monkeypatch.setattr(errors_of_claims_along, "cells", lambda studies: of_claims)
    text = errors.run("sequential", 20, tmp_path, 1)
    assert "20 studies a row" in text
    assert text.count("| all alike |") == 5
    assert (tmp_path / "errors_sequential.csv").read_text().count("\n") == 6
    assert text.count("| better | equal means |") == 2


@pytest.mark.parametrize("part", errors.PARTS)
def test_the_committed_rows_give_the_committed_table(part, monkeypatch, tmp_path):
    (tmp_path / f"errors_{part}.csv").write_bytes((errors.OUT / f"errors_{part}.csv").read_bytes())
    claims = (errors.OUT / "errors_sequential_claims.csv").read_bytes()
    (tmp_path / "errors_sequential_claims.csv").write_bytes(claims)
    for module in (errors.PARTS[part][0], errors_of_claims_along):
        monkeypatch.setattr(module, "measure", None)  # nothing is measured: all rows are there
    assert errors.run(part, 2000, tmp_path, 1) + "\n" == (errors.OUT / f"errors_{part}.md").read_text()
