"""A program that never reads one of its hyperparameters: sweep, report and plan say so."""

import json

import pytest

PROGRAM = """
import random
def train(config, seed, report):
    random.seed(seed)
    report(1, {"val_acc": round(0.8 + random.gauss(0, 0.02), 4) + 0.05 * (config["lr"] > 0.2)})
"""
PROJECT = """
[tool.ablate.tasks.mine]
kind = "function"
function = "unread:train"
defaults = { lr = 0.1, width = 32 }
metrics.val_acc = { goal = "max", low = 0, high = 1, split = "val" }
"""
STUDY = "study: {task: mine, factors: {lr: [0.1, 0.3], width: [32, 64]}, seeds: 8}\n"
ASKED = "64 is identical to the baseline (32) on every seed (8 seeds): is it read?"


@pytest.fixture
def project(results, write):
    results()
    write("unread.py", PROGRAM)
    write("pyproject.toml", PROJECT)
    write("sweeps/first.yaml", STUDY)


def test_sweep_and_report_ask_whether_a_level_is_read(project, ablate):
    said = ablate("sweep", "first", "workers=1")
    assert f"Width: {ASKED}" in said
    assert "is open" not in said
    (study,) = json.loads(ablate("report", "first", "--json"))["studies"]
    assert study["answer"][1] == f"Width: {ASKED}"
    (level,) = [level for level in study["factors"]["width"]["levels"] if not level["is_baseline"]]
    assert level["metrics"]["val_acc"]["difference"]["standing"] == "identical"


def test_plan_takes_no_power_from_differences_without_spread(project, ablate):
    ablate("sweep", "first", "workers=1")
    said = " ".join(ablate("plan", "first").split())
    assert "e-1" not in said
    assert "study first: with 8 seeds and 2 comparisons, differences of about 1." in said
    assert "(how large that is cannot be told: differences of 2 settings in the store do not scatter at all)" in said
    assert (
        "study first: width = 64 is identical to the baseline in val acc on every seed in the store: is it read?"
        in (said)
    )
    (study,) = json.loads(ablate("plan", "first", "--json"))["studies"]
    assert (study["unread"], study["spread_settings"], "visible" in study) == (["width = 64"], 2, False)


def test_plan_is_silent_where_no_seed_gives_another_value(project, write, ablate):
    write("unread.py", PROGRAM.replace("random.gauss(0, 0.02)", "0"))
    ablate("sweep", "first", "workers=1")
    said = ablate("plan", "first")
    assert "identical" not in said
    assert "e-1" not in said


def test_plan_is_silent_of_one_seed(project, ablate):
    ablate("sweep", "first", "workers=1", "study.seeds=1")
    assert "identical" not in ablate("plan", "first")
