import json

import pandas as pd
import pytest

from ablate.report.console import listed
from ablate.task.memory import in_words


def test_plan_says_when_seeds_are_too_few_to_decide_anything(results, ablate):
    results()
    said = ablate("plan", "pooling", "study.seeds=3")
    assert "3 seeds cannot decide any of its 1 comparisons with the baseline at 5 %" in said
    assert "that takes 6 seeds" in said
    assert "cannot decide" not in ablate("plan", "pooling", "lr", "quickstart")


def test_plan_says_which_differences_its_seeds_find(results, ablate):
    results("pooling")
    said = " ".join(ablate("plan", "pooling").split())
    assert "with 10 seeds and 1 comparisons, differences of about" in said
    assert "below 6 seeds none" in said
    ablate("merge", "results/pooling")
    (study,) = json.loads(ablate("plan", "pooling", "--json"))["studies"]
    runs = pd.read_csv("results/pooling/runs.csv").pivot(
        index="config.seed", columns="config.model.pooling", values="test_acc"
    )
    sd = (runs["max"] - runs["avg"]).std()
    assert study["visible"] == pytest.approx(sd * study["visible_sd"])
    assert (study["seeds_needed"], study["comparisons"], study["spread_settings"]) == (6, 1, 1)


def test_the_table_of_cohorts_leaves_out_what_a_task_does_not_have(results, ablate):
    results()
    found = json.loads(ablate("plan", "pooling", "--json"))
    assert found["step"] == "epoch"
    assert {cohort["length"] for cohort in found["cohorts"]} == {10}
    assert "epochs" in ablate("plan", "pooling")


def test_the_table_of_cohorts_says_steps_once_where_they_are_the_unit_of_work(write, results, ablate):
    results()
    write(
        "ablate.toml",
        '[tasks.t]\nkind = "function"\nfunction = "trainer:train"\nstep = "epoch"\nsteps = "epochs"\n'
        'defaults = {epochs = 7, lr = 0.5}\nmetrics.acc = {goal = "max"}\n',
    )
    write("trainer.py", "def train(config, seed, report): ...\n")
    write("sweeps/s.yaml", "study: {task: t, factors: {lr: [0.1]}, seeds: 2}\n")
    (heading,) = [line for line in ablate("plan", "s").splitlines() if "members" in line]
    assert heading.replace("┃", " ").split() == ["members", "seeds", "epochs", "epochs/s", "time"]


@pytest.mark.parametrize(
    ("command", "study", "words", "why"),
    [
        ("plan", "pooling", ["keep=correctness", "data.protocol=holdout"], "holdout reads no test images"),
        ("sweep", "pooling", ["keep=correctness", "data.protocol=holdout"], "must be article or holdout_test"),
        ("plan", "search", ["keep=correctness"], "keep = correctness: data.protocol = holdout reads no test images"),
        ("search", "search", ["keep=weights,correctness"], "reads no test images; must be article or holdout_test"),
        ("plan", "s", ["keep=state"], "keep = state: runs of task t leave no state that could be kept"),
        ("sweep", "s", ["keep=[weights,correctness]"], "keep = correctness: runs of task t leave no correctness"),
    ],
)
def test_what_runs_cannot_leave_is_refused_before_anything_is_trained(command, study, words, why, write, ablate):
    declared = 'kind = "function"\nfunction = "trainer:train"\nmetrics.acc = {goal = "max"}\ndefaults = {lr = 0.5}\n'
    write("ablate.toml", f"[tasks.t]\n{declared}")
    write("trainer.py", "def train(config, seed, report): ...\n")
    file = write("sweeps/s.yaml", "study: {task: t, factors: {lr: [0.1, 0.2]}, seeds: 2}\n")
    assert why in ablate(command, study, *words, code=2)
    assert not (file.parents[1] / "results").exists()


def test_a_factor_that_is_no_field_is_told_once_with_the_fields(write, ablate):
    declared = 'kind = "function"\nfunction = "trainer:train"\nmetrics.acc = {goal = "max"}\n'
    write("ablate.toml", f"[tasks.t]\n{declared}defaults = {{lr = 0.5, depth = 1}}\n")
    write("trainer.py", "def train(config, seed, report): ...\n")
    write("sweeps/s.yaml", "study: {task: t, factors: {learning_rate: [0.1, 0.2]}, seeds: 2}\n")
    said = ablate("plan", "s", code=2)
    assert said.count("study.factors.learning_rate: there is no such field; fields are lr, depth") == 1
    assert said.count("learning_rate") == 1


@pytest.mark.parametrize("command", ["plan", "sweep", "report", "search", "watch"])
@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["lr=0.1"], "lr=0.1: there is no such field; did you mean optimizer.lr=0.1?"),
        (["+epochs=1,2"], "did you mean train.epochs=1,2?"),
        (["seeds=3", "results=out"], "did you mean study.seeds=3?"),
        (["optimizer.lr=0.1"], "name at least one study"),
    ],
)
def test_overrides_alone_are_told_what_was_meant(command, words, hint, results, ablate):
    said = ablate(command, *words, code=2)
    assert "name at least one study" in said
    assert hint in said
    assert "results" not in said


@pytest.mark.parametrize("word", ["lr", "sweeps/lr.yaml", "study=lr"])
def test_a_study_of_which_runs_are_asked_is_named_by_an_option(word, results, ablate):
    assert "did you mean --study lr?" in ablate("runs", word, code=2)
    assert "did you mean kernel_size" in ablate("runs", "kernelsize", code=2)


def test_long_lists_of_levels_are_shortened_in_tables():
    rates = [f"{i / 10}" for i in range(18)]
    assert listed(rates) == ", ".join(rates), "they fit"
    grid = [f"lr {lr}, batch {size}" for lr in (0.1, 0.2, 0.4, 0.8, 1.6) for size in (64, 128)]
    shown = "lr 0.1, batch 64; lr 0.1, batch 128; lr 0.2, batch 64; …; lr 1.6, batch 128 (10 in all)"
    assert listed(grid) == shown
    assert listed(["a" * 60, "b" * 60]) == f"{'a' * 60}, {'b' * 60}", "nothing is left out of so few"


@pytest.mark.slow
def test_plan_says_how_much_memory_its_cohorts_take_and_forms_smaller_ones_where_there_is_less(
    results, ablate, monkeypatch
):
    results()
    assert "memory: not worked out; --measure does" in ablate("plan", "pooling", "train.batch_size=199")
    words = ["pooling", "workers=2", "device=cpu", "train.batch_size=200"]
    monkeypatch.setattr("ablate.execute.fitting.available", lambda: 64 * 2**30)
    found = json.loads(ablate("plan", *words, "--measure", "--json"))
    sizes = [cohort["memory"] for cohort in found["cohorts"]]
    assert found["memory"] == {"worker": max(sizes), "workers": sum(sizes[:2]), "at_hand": 64 * 2**30, "smaller": {}}
    assert 200 * 2**20 < min(sizes) <= max(sizes) < 2 * 2**30
    said = ablate("plan", *words)
    assert f"memory: at most about {in_words(max(sizes))} a worker, " in said
    assert "for 2 workers, of 64.0 GiB at hand" in said
    most = max(cohort["members"] for cohort in found["cohorts"])

    (single,) = (
        min(c["memory"] for c in json.loads(ablate("plan", *words, "cohort_size=1", "--measure", "--json"))["cohorts"]),
    )
    middle = (single + max(sizes)) // 2
    monkeypatch.setattr("ablate.execute.fitting.available", lambda: int(2 * middle / 0.9) + 1)
    fewer = json.loads(ablate("plan", *words, "--measure", "--json"))
    assert 1 < max(cohort["members"] for cohort in fewer["cohorts"]) < most
    assert max(cohort["memory"] for cohort in fewer["cohorts"]) <= middle
    assert sum(cohort["members"] for cohort in fewer["cohorts"]) == fewer["to_train"]
    assert "there is no memory for more" in ablate("plan", *words)

    monkeypatch.setattr("ablate.execute.fitting.available", lambda: single)
    assert {c["members"] for c in json.loads(ablate("plan", *words, "--measure", "--json"))["cohorts"]} == {1}
    assert "fewer workers (workers=1) or a smaller batch take less" in ablate("plan", *words)
