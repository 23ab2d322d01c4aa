"""``ablate compare``: whatever holds the runs, the same runs are the same."""

import itertools
import json
from dataclasses import replace

import pytest

from ablate.store import open_store
from ablate.store.frames import read_folder, write_folder
from ablate.task.record import Measurement, Result


@pytest.fixture
def kinds(results, ablate):
    """The same runs as a study, a store, a CSV file and a folder."""
    results("pooling")
    ablate("merge", "results/pooling", "--store", "other.db")
    return ("pooling", "other.db", "results/pooling/runs.csv", "results/pooling")


def test_the_same_runs_are_identical_whatever_holds_them(kinds, ablate):
    for a, b in itertools.combinations_with_replacement(kinds, 2):
        for names in {(a, b), (b, a)}:
            said = " ".join(ablate("compare", *names).split())
            assert "identical: 80 of 80 values of runs on both sides are exactly the same." in said, names


def test_runs_that_ended_otherwise_are_not_identical(kinds, ablate, tmp_path):
    records = read_folder(tmp_path / "results" / "pooling")
    values = Measurement(1, {"train_loss": float("nan"), "train_acc": 0.1}, 1.0)
    changed = [replace(r, result=Result("diverged", (values,))) if i < 3 else r for i, r in enumerate(records)]
    write_folder(tmp_path / "other", changed)
    said = " ".join(ablate("compare", "pooling", "other", code=3).split())
    assert "identical: " not in said
    assert "3 runs ended otherwise, in 1 of 2 settings." in said
    assert "(7, 3 diverged)" in said


def test_what_a_machine_reads(kinds, ablate, tmp_path):
    same = json.loads(ablate("compare", "pooling", "other.db", "--json"))
    assert (same["outcome"], same["ended_otherwise"]) == ("identical", 0)
    assert same["ended"]["a"] == same["ended"]["b"] == {"complete": 20}
    records = read_folder(tmp_path / "results" / "pooling")
    write_folder(tmp_path / "other", [replace(r, result=lowered(r.result)) for r in records])
    other = json.loads(ablate("compare", "pooling", "other", "--json", code=3))
    pooled = {row["metric"]: row for row in other["pooled"]}
    assert other["outcome"] == "changed"
    assert pooled["test_acc"]["standing"] == "worse"
    assert pooled["train_loss"]["standing"] == "identical"
    assert "changed: " in " ".join(ablate("compare", "pooling", "other", code=3).split())


def lowered(result):
    """A result with a test accuracy that is lower by 0.05."""
    *curves, last = result.curves
    values = {**last.values, "test_acc": last.values["test_acc"] - 0.05}
    return replace(result, curves=(*curves, replace(last, values=values)))


def test_another_value_is_no_identity(kinds, ablate, tmp_path):
    records = read_folder(tmp_path / "results" / "pooling")
    *curves, last = records[0].result.curves
    values = {**last.values, "test_acc": last.values["test_acc"] + 1e-9}
    result = replace(records[0].result, curves=(*curves, replace(last, values=values)))
    write_folder(tmp_path / "other", [replace(records[0], result=result), *records[1:]])
    said = ablate("compare", "results/pooling", "other", "--markdown")
    assert "\n\n79 of 80 values of runs on both sides are exactly the same.\n" in said


def test_what_has_nothing_in_common_says_what_each_side_has(results, ablate):
    results("pooling", "combination")
    said = ablate("compare", "pooling", "quickstart", code=2)
    assert "(pooling has 20 runs; quickstart has 0 runs)" in said
    assert "must be a runs.csv" in ablate("compare", "pooling", "results/pooling/table.csv", code=2)


def test_a_store_that_is_not_empty_by_mistake(results, ablate, tmp_path):
    with open_store(str(tmp_path / "empty.db")):
        pass
    assert "empty.db has 0 runs" in ablate("compare", "empty.db", "empty.db", code=2)
