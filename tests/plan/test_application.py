"""The baseline of an application: overrides of levels over its own, options of groups with their own values."""

import pytest

from ablate.plan.application import ApplicationBaseline
from ablate.task.errors import ConfigError
from ablate.task.task import composes_itself
from tests.hydra_app.applications import USUAL, task, write


@pytest.fixture
def usual(tmp_path):
    found = task(write(tmp_path, USUAL))
    yield found
    found.composing.close()


def test_what_composes_itself_is_asked_without_being_started(usual):
    assert composes_itself(usual)
    assert usual.composing._process is None


def test_levels_over_the_baselines_changes(usual):
    baseline = ApplicationBaseline(usual, (("optimizer.lr", 0.3), ("epochs", 8)))
    assert baseline.run.config["optimizer"]["lr"] == 0.3
    assert baseline.configure([("optimizer.lr", 0.7)]).config["optimizer"]["lr"] == 0.7
    assert baseline.configure([("epochs", 8)]).digest == baseline.run.digest
    assert baseline.configure([("optimizer", "sgd")]).digest == baseline.run.digest
    assert baseline.chosen["optimizer"] == "sgd"
    assert set(baseline.groups) == {"optimizer", "experiment"}


def test_another_option_of_a_group_brings_its_own_values(usual):
    baseline = ApplicationBaseline(usual, (("optimizer.lr", 0.3), ("epochs", 8)))
    adam = baseline.configure([("optimizer", "adam")]).config
    assert (adam["optimizer"]["lr"], adam["epochs"], adam["warmup"]) == (0.001, 8, 2)
    assert baseline.note("optimizer", "adam") == (
        "optimizer = adam: lr 0.001 (its own); the baseline's lr 0.3 is for sgd alone."
    )
    assert baseline.note("optimizer", "sgd") == ""
    both = baseline.configure([("optimizer.lr", 0.5), ("optimizer", "adam")]).config
    assert both["optimizer"]["lr"] == 0.5


def test_the_baseline_may_choose_options(usual):
    baseline = ApplicationBaseline(usual, (("optimizer", "adam"), ("optimizer.lr", 0.02)))
    assert baseline.run.config["optimizer"]["lr"] == 0.02
    assert baseline.configure([("optimizer", "sgd")]).config["optimizer"] == {"lr": 0.1, "warmup": 1}
    assert baseline.configure([("experiment", "long")]).config["epochs"] == 40


def test_problems_name_the_change(usual):
    baseline = ApplicationBaseline(usual)
    for changes, says in (
        ([("seed", 3)], "seeds belong to study.seeds"),
        ([("optimizer.lrr", 3)], "optimizer.lrr"),
        ([("hydra.run.dir", "x")], "Hydra's own settings"),
        ([("optimizer._target_", "os.system")], "names code"),
    ):
        with pytest.raises(ConfigError, match=says):
            baseline.configure(changes)
    with pytest.raises(ConfigError, match="are names of its options"):
        baseline.option("optimizer", 3)
