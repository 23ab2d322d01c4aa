"""``--json``: answers alone on standard output, levels as numbers, the same numbers as in the tables."""

import csv
import json

import numpy as np
import pytest

PROGRAM = """
def train(config, seed, report):
    if config["lr"] == 0.5 and seed == 3:
        raise RuntimeError("no luck")
    report(1, {"loss": 1 - config["lr"] + seed / 100})
"""
PROJECT = """
[tool.ablate.tasks.mine]
kind = "function"
function = "mine:train"
defaults = { lr = 0.1 }
metrics.loss = { goal = "min", unit = "nats", low = 0 }
"""
STUDY = """
study:
  task: mine
  question: Is faster better?
  factors: {lr: [0.1, 0.3, 0.5]}
  seeds: 6
  claims:
    - {id: faster, text: "Faster is better.", kind: better, factor: lr, metric: loss, levels: [0.3, 0.1]}
"""


@pytest.mark.parametrize("last", ["test_acc", "train_loss"])
def test_the_answer_is_about_the_metric_that_the_study_names_last(results, ablate, last):
    results("pooling")
    others = [name for name in ("train_loss", "train_acc", "test_acc") if name != last]
    words = f"study.metrics=[{','.join([*others, last])}]"
    (study,) = json.loads(ablate("report", "pooling", words, "--json"))["studies"]
    title = {"test_acc": "test accuracy", "train_loss": "train loss"}[last]
    assert f" in {title}" in str(study["answer"])


def test_what_a_report_answers_is_what_its_tables_say(results, ablate):
    folder = results("pooling") / "pooling"
    found = json.loads(ablate("report", "pooling", "--json"))
    assert found["schema"] == 1
    (study,) = found["studies"]
    assert (study["study"], study["folder"]) == ("pooling", "results/pooling")
    assert study["metrics"]["test_acc"] == {
        "label": "test accuracy",
        "goal": "max",
        "unit": "fraction",
        "low": 0.0,
        "high": 1.0,
        "split": "test",
        "exact": False,
    }
    ((path, factor),) = study["factors"].items()
    rows = {row["label"]: row for row in csv.DictReader((folder / "table.csv").read_text().splitlines())}
    runs = list(csv.DictReader((folder / "runs.csv").read_text().splitlines()))
    assert path == "model.pooling"
    for level in factor["levels"]:
        row, one = rows[level["label"]], level["metrics"]["test_acc"]
        values = [float(run["test_acc"]) for run in runs if run["config.model.pooling"] == level["label"]]
        assert one["mean"] == pytest.approx(np.mean(values))
        assert one["sd"] == pytest.approx(np.std(values, ddof=1))
        assert one["interval"] == pytest.approx([float(row["test_acc_low"]), float(row["test_acc_high"])])
        assert level["runs"]["complete"] == one["n"] == 10
        assert (one["difference"] is None) == level["is_baseline"]
    (difference,) = (level["metrics"]["test_acc"]["difference"] for level in factor["levels"][1:])
    assert difference["value"] == pytest.approx(0.0180, abs=5e-5)
    assert difference["standing"] == "better"
    (verdict,) = study["verdicts"]
    assert (verdict["id"], verdict["outcome"]) == ("pooling-same", "refuted")


def test_a_sweep_answers_with_levels_as_numbers_and_says_all_else_aside(folder, write, ablate):
    write("mine.py", PROGRAM)
    write("pyproject.toml", PROJECT)
    write("sweeps/first.yaml", STUDY)
    found = json.loads(ablate("sweep", "first", "workers=1", "--json", code=1, output="stdout"))
    assert {key: found["sweep"][key] for key in ("planned", "complete", "failed", "trained")} == {
        "planned": 18,
        "complete": 17,
        "failed": 1,
        "trained": 18,
    }
    assert "no luck" in found["sweep"]["failures"][0]["error"]
    (study,) = found["studies"]
    levels = study["factors"]["lr"]["levels"]
    assert [level["level"] for level in levels] == [0.1, 0.3, 0.5]
    assert [level["runs"]["failed"] for level in levels] == [0, 0, 1]
    assert levels[1]["metrics"]["loss"]["difference"]["value"] == pytest.approx(-0.2)
    assert study["factors"]["lr"]["best"]["loss"]["label"] == "0.5"
    assert [verdict["outcome"] for verdict in study["verdicts"]] == ["supported"]
    again = json.loads(ablate("compare", "first", "results/ablate.db", "--json"))
    assert (again["schema"], again["a"]) == (1, "first")


def test_a_search_answers_with_settings_and_what_was_confirmed(results, ablate):
    folder = results("search", "search_heldout")
    found = json.loads(ablate("report", "search", "--json"))
    assert found["study"] == "search"
    assert sum(found["settings"].values()) == len(json.loads((folder / "search" / "trials.json").read_text())["trials"])
    values = [setting["value"] for setting in found["best"]]
    assert values == sorted(values, reverse=True)
    assert isinstance(found["best"][0]["setting"]["optimizer.lr"], float)
    assert found["confirmed"][0]["mean"] == pytest.approx(0.9240, abs=5e-5)


def test_a_sweep_leaves_off_at_the_first_failure_or_when_its_time_is_over(results, ablate, monkeypatch):
    folder = results()
    (folder.parent / "mine.py").write_text(PROGRAM)
    (folder.parent / "pyproject.toml").write_text(PROJECT)
    (folder.parent / "sweeps").mkdir()
    (folder.parent / "sweeps" / "fast.yaml").write_text(STUDY)
    said = ablate("sweep", "fast", "workers=1", "--max-hours", "0.0000001", code=4)
    assert "the time is over (--max-hours), and nothing more is trained" in said
    assert "ablate: runs are left; the same command goes on from here" in said
    said = ablate("sweep", "fast", "workers=1", "--fail-fast", code=1)
    assert "a run has failed, and nothing more is trained: " in said
    said = ablate("sweep", "fast", "workers=1", code=1, output="stdout")
    assert "17 complete, 0 diverged, 1 failed" in said
