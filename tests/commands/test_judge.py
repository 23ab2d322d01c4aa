"""``ablate judge`` as a user meets it: from a table to verdicts and a page; never over somebody else's report."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "table" / "lenet_learning_rate.csv"


ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


@pytest.fixture
def judge(tmp_path):
    """Runs the command in an empty folder."""

    def run(*arguments, code=0):
        command = [sys.executable, "-m", "ablate", "judge", *map(str, arguments)]
        done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    run.folder = tmp_path
    return run


def table(folder, name="mine.csv", rows=None):
    rows = rows or [(lr, seed, 0.5 + lr / 10 + seed / 100) for lr in (0.1, 0.2) for seed in range(6)]
    with (folder / name).open("w", newline="") as file:
        csv.writer(file).writerows([("lr", "seed", "val_acc"), *rows])
    return name


ASKED = ["--factor", "lr", "--seed", "seed", "--metric", "val_acc:max[0..1]"]


def test_the_example(judge):
    done = judge(
        *(EXAMPLE, "--factor", "lr", "--seed", "seed", "--baseline", "0.90", "--guess", "test_acc=0.1:10000"),
        *("--metric", "train_loss:min[0..]:nats", "--metric", "test_acc:max[0..1]"),
        *("--study", EXAMPLE.with_name("study.yaml")),
    )
    assert "supported  A learning rate of 1.3 reaches a higher test accuracy than 0.9." in done.stdout
    out = judge.folder / "results" / "lenet_learning_rate"
    assert {"report.html", "table.csv", "table.md", "runs.csv", "curves.csv", "summary.json", "judge.json"} <= {
        path.name for path in out.iterdir()
    }
    rows = list(csv.DictReader(EXAMPLE.read_text().splitlines()))
    values = {
        lr: np.array([float(row["test_acc"]) for row in rows if float(row["lr"]) == lr]) for lr in (0.0, 0.9, 1.3)
    }
    table = {float(row["level"]): row for row in csv.DictReader((out / "table.csv").read_text().splitlines())}
    assert float(table[1.3]["test_acc_mean"]) == pytest.approx(values[1.3].mean())
    difference = values[1.3] - values[0.9]
    low, high = (float(table[1.3][f"test_acc_difference_{end}"]) for end in ("low", "high"))
    alone, all_by_bonferroni = (
        stats.t.interval(1 - 0.05 / pairs, 9, difference.mean(), stats.sem(difference)) for pairs in (1, len(table) - 1)
    )
    assert (low + high) / 2 == pytest.approx(difference.mean())
    assert all_by_bonferroni[0] < low < alone[0]  # simultaneous for all levels, which are correlated
    assert "edge of the range" in done.stdout
    page = (out / "report.html").read_text()
    assert "Which learning rate suits plain SGD on LeNet?" in page
    assert "ablate judge" in page
    summary = json.loads((out / "summary.json").read_text())
    assert summary["runs"] == {"complete": 180, "diverged": 0, "failed": 0, "missing": 0}
    assert [verdict["id"] for verdict in summary["verdicts"]] == ["gain", "best", "same"]


def test_any_metric_twice_into_its_own_folder_(judge):
    name = table(judge.folder)
    for _ in range(2):
        done = judge(name, *ASKED, "--baseline", "0.1", "--claim", "{kind: better, levels: [2e-1, 0.10]}")
        assert "supported  In val_acc, lr = 0.2 is better than 0.1." in done.stdout
    out = judge.folder / "results" / "mine"
    first = (out / "runs.csv").read_bytes()
    table(judge.folder, rows=[(lr, seed, 0.5) for lr in (0.1, 0.2) for seed in range(6)])
    judge(name, *ASKED)
    assert (out / "runs.csv").read_bytes() != first


def test_a_claim_over_a_column_is_judged_at_each_of_its_levels(judge):
    gains = {"first": 0.1, "second": -0.1}
    lines = [
        f"{d},{lr},{s},{0.5 + (lr > 0.1) * g + s / 100}"
        for d, g in gains.items()
        for lr in (0.1, 0.2)
        for s in range(8)
    ]
    (judge.folder / "two.csv").write_text("data,lr,seed,val_acc\n" + "\n".join(lines) + "\n")
    done = judge("two.csv", "--factor", "data", *ASKED, "--claim", "{kind: better, over: data, levels: [0.20, 0.1]}")
    assert "refuted  In val_acc, lr = 0.2 is better than 0.1. At every level of data." in done.stdout
    out = judge.folder / "results" / "two"
    for text in ((out / "table.md").read_text(), (out / "report.html").read_text()):
        assert "first: supported. In val acc 0.2 leads 0.1 by 0.1000" in text
        assert "second: refuted. In val acc 0.2 trails 0.1 by 0.1000" in text


def test_failed_and_diverged_runs_and_lacking_seeds_are_counted(judge):
    rows = [("0.1", 0, 0.5), ("0.1", 1, 0.6), ("0.1", 2, "nan"), ("0.2", 0, 0.7), ("0.2", 1, "")]
    table(judge.folder, rows=rows)
    judge("mine.csv", *ASKED, "--baseline", "0.1")
    summary = json.loads((judge.folder / "results/mine/summary.json").read_text())
    assert summary["runs"] == {"complete": 3, "diverged": 1, "failed": 1, "missing": 1}


def test_nothing_of_others_is_overwritten(judge):
    name = table(judge.folder)
    taken = judge.folder / "results" / "mine"
    taken.mkdir(parents=True)
    (taken / "runs.csv").write_text("somebody's")
    assert "holds something else than a judged table" in judge(name, *ASKED, code=2).stderr
    assert [path.name for path in taken.iterdir()] == ["runs.csv"]
    judge(name, *ASKED, "--name", "other")
    (judge.folder / "else").mkdir()
    again = table(judge.folder, "else/other.csv")
    assert "holds the report of another table" in judge(again, *ASKED, code=2).stderr
    assert "is the name of a study" in judge(name, *ASKED, "--name", "lr", code=2).stderr
    assert "is no name of a folder" in judge(name, *ASKED, "--name", "../x", code=2).stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--factor", "lr", "--seed", "run", "--metric", "val_acc:max"], "has no column 'run'"),
        (["--factor", "lr", "--seed", "seed", "--metric", "val_acc"], "must say whether high or low is good"),
        ([*ASKED, "--metric", "val_acc:min"], "is declared twice"),
        ([*ASKED, "--baseline", "0.3"], "is no level of lr; levels are 0.1, 0.2"),
        ([*ASKED, "--where", "lr"], "must be COLUMN=VALUE"),
        ([*ASKED, "--claim", "{kind: better, levels: [0.2, 0.9]}"], "lr has no level 0.9; levels are 0.1, 0.2"),
        ([*ASKED, "--claim", "{kind: beter, levels: [0.2, 0.1]}"], "kind = 'beter'"),
        ([*ASKED, "--claim", "better"], "must be a mapping"),
        ([*ASKED, "--claim", "{kind: better, over: data, levels: [0.2, 0.1]}"], "over = ['data']: must be all factors"),
        ([*ASKED, "--guess", "acc=0.1"], "--guess acc=0.1: must be METRIC=VALUE of one of val_acc"),
        ([*ASKED, "--study", "none.yaml"], "none.yaml: cannot be read"),
    ],
)
def test_bad_input_is_one_message_and_writes_nothing(judge, arguments, says):
    name = table(judge.folder)
    done = judge(name, *arguments, code=2)
    assert says in done.stderr
    assert not (judge.folder / "results").exists()
