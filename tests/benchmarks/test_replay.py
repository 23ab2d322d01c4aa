"""The replay of committed runs: a claim is judged by the first seeds alone, with the share of the error of its look."""

import math

import pandas as pd
import pytest

from ablate.analyse.claims import judge
from ablate.analyse.sequential import Looks
from benchmarks import races_along
from benchmarks.committed import RESULTS, STUDIES, committed
from benchmarks.records_along import _panel_of, claims_table, first, levels_table, measure, settle, summary
from benchmarks.replay import DESIGNS, OUT, Settled, levels_of
from benchmarks.replay import settle as settle_by_runs


@pytest.fixture(scope="module")
def pooling():
    return committed("pooling")


def test_committed_runs_are_read_as_the_report_has_them(pooling):
    assert len(pooling.runs) == 20
    table = pd.read_csv(RESULTS / "pooling" / "table.csv", dtype={"label": str})
    means = pooling.runs.groupby("label")["test_acc"].mean()
    assert means.to_dict() == pytest.approx(table.set_index("label")["test_acc_mean"].to_dict())


def test_a_claim_settles_at_the_first_look_that_decides_it(pooling):
    looks = Looks((6, 8, 10))
    (found,), (claim,) = settle_by_runs(pooling, looks), pooling.claims
    decided = [
        n
        for n, share in zip(looks.at, looks.shares(), strict=True)
        if judge(pooling.first(n), claim, pooling.declared, alpha=share).outcome != "undecided"
    ]
    assert found == (
        Settled("undecided", 10, False)
        if not decided
        else Settled(judge(pooling.first(decided[0]), claim, pooling.declared).outcome, decided[0], False)
    )
    (left,) = settle_by_runs(pooling, Looks((8, 40), alpha=1e-4))
    assert str(left) == "open after 8"


def test_runs_are_counted_up_to_what_settles_levels_and_claims(pooling):
    assert levels_of(pooling, Looks((6, 10))) == (1, 0, 20)


def test_panels_of_records_are_cut_and_judged_as_their_runs_are(pooling):
    panel, (claim,) = _panel_of("pooling")
    part = first(panel, [6, 6])
    pd.testing.assert_series_equal(
        pd.Series(part.values[0, :6]),
        pooling.first(6).query("label == 'avg'").sort_values("seed")["test_acc"].reset_index(drop=True),
        check_names=False,
    )
    looks = Looks((6, 10))
    (by_runs,) = settle_by_runs(pooling, looks)
    path = settle(panel, claim, looks)
    assert (path.verdict.outcome, max(path.counts)) == (by_runs.outcome, by_runs.seeds)


def test_the_committed_table_names_every_claim_and_design():
    claims = pd.read_csv(OUT / "replay.csv")
    assert set(claims["study"]) == set(STUDIES)
    assert [f"looks at {name}" for name in DESIGNS] == [name for name in claims if name.startswith("looks at")]
    wanted = [claim.text for study in ("pooling", "kernel_size") for claim in committed(study).claims]
    assert set(wanted) <= set(claims["claim"])


def test_looks_and_fixed_designs_are_followed_on_resampled_records():
    row = measure("pooling", 0.01, 5)
    assert row["decided"] == row["at 40"] == row["same"] == 1
    assert row["fixed: runs"] == 2 * row["fixed: seeds"] <= row["runs at 40"] == 80
    assert 2 * 10 <= row["runs"] <= row["claims: runs"] <= 80
    assert row["wrong"] == 0
    assert math.isnan(measure("pooling", 0.0, 2)["claims decided"])


def test_the_committed_rows_give_the_committed_table():
    frame = pd.read_csv(OUT / "records_along.csv")
    levels, claims = levels_table(frame), claims_table(frame)
    text = (OUT / "records_along.md").read_text()
    assert summary(levels, claims) in text
    for margin, part in frame.groupby("margin"):
        one = levels[(levels["margin"] == margin) & (levels["study"] == "together")].iloc[0]
        assert one["of fixed"] == pytest.approx(part["runs"].sum() / part["fixed: runs"].sum())


def test_a_race_stops_what_is_behind_early_and_counts_what_that_changes():
    row = races_along.measure("combination", 0.4, 0.1, 2)
    assert row["stopped"] == 1, "both levels are at chance from the first epochs on"
    assert 0 < row["saved"] < 0.6
    assert (row["changed"], row["wrong"]) == (0, 0)
    found = races_along.table(pd.read_csv(OUT / "races_along.csv"))
    text = (OUT / "races_along.md").read_text()
    assert races_along.finding(found) in text
    assert text.count("\n|") == len(found) + 2
