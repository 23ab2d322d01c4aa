import json

import pytest

from benchmarks.table_changes import changes, same


def report(folder, mean="0.5", outcome="supported", warnings=(), column="acc_mean"):
    folder = folder / "study"
    folder.mkdir(parents=True)
    (folder / "table.csv").write_text(f"factor,label,{column},text\nlr,0.1,{mean},a\nlr,0.2,,b\n")
    verdict = {"id": "a", "outcome": outcome, "evidence": "e", "needed": ""}
    summary = {"runs": {"complete": 2}, "published": {}, "verdicts": [verdict], "warnings": list(warnings)}
    (folder / "summary.json").write_text(json.dumps(summary))


def listed(tmp_path, **after):
    report(tmp_path / "before")
    report(tmp_path / "after", **after)
    return list(changes(tmp_path / "before", tmp_path / "after"))


def test_the_same_reports_have_no_changes(tmp_path):
    assert listed(tmp_path) == []


@pytest.mark.parametrize(
    ("after", "line"),
    [
        ({"mean": "0.51"}, "study: acc_mean: 1 of 2 levels, the most at 0.1: 0.5 to 0.51"),
        ({"mean": ""}, "study: acc_mean: 1 of 2 levels, the most at 0.1: 0.5 to nan"),
        ({"outcome": "undecided"}, "study: claim a, outcome: 'supported' to 'undecided'"),
        ({"warnings": ("beware",)}, "study: warns: beware"),
    ],
)
def test_every_change_is_a_line(tmp_path, after, line):
    assert listed(tmp_path, **after) == [line]


def test_columns_that_come_and_go_are_named(tmp_path):
    assert listed(tmp_path, column="f1_mean") == ["study: columns gone: acc_mean", "study: columns new: f1_mean"]


def test_numbers_may_differ_by_rounding_of_the_last_digit():
    assert same(0.1 + 0.2, 0.3)
    assert same(float("nan"), float("nan"))
    assert not same(0.3, 0.3 + 1e-9)
