"""What is trained is what the study file says, or it is refused when planning."""

import pytest
from click.testing import CliRunner

from ablate.cli import main
from ablate.plan.compose import sources
from ablate.plan.plan import make_plan
from ablate.plan.study import parse_study
from ablate.task.errors import ConfigError


@pytest.fixture
def planned(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweeps").mkdir()

    def plan(text, *arguments):
        (tmp_path / "sweeps" / "mine.yaml").write_text(text)
        return make_plan(sources(["sweeps=mine", "study.seeds=1", *arguments]))

    return plan


def refused(planned, *arguments):
    with pytest.raises(ConfigError) as caught:
        planned(*arguments)
    return "\n".join(caught.value.problems)


def by_label(plan):
    return {point.setting.label: point.run for point in plan.points}


def test_a_link_follows_every_level(planned):
    found = by_label(
        planned("study: {factors: {model.activation: [relu, tanh]}}\nmodel: {activation_c5: '${model.activation}'}\n")
    )
    assert {label: run.model.activation_c5 for label, run in found.items()} == {label: label for label in found}
    assert {"relu", "tanh"} < set(found)


def test_a_level_of_a_group_brings_its_own_fields_and_a_note_says_what_does_not_carry_over(planned):
    text = "study: {factors: {optimizer: [sgd, adam]}}\noptimizer: {lr: 0.1, momentum: 0.9}\n"
    plan = planned(text)
    found = by_label(plan)
    assert (found["sgd"].optimizer.lr, found["sgd"].optimizer.momentum) == (0.1, 0.9)
    (alone,) = make_plan(sources(["optimizer=adam"])).runs
    assert found["adam"].optimizer == alone.optimizer
    assert found["adam"].optimizer.lr != 0.1
    (note,) = plan.notes["mine"]
    assert note.startswith("optimizer = adam: lr ")
    assert note.endswith("the baseline's lr 0.1, momentum 0.9 is for sgd alone.")


def test_a_named_level_of_a_group_may_set_its_fields(planned):
    found = by_label(planned("study: {factors: {o: {adam 0.1: {optimizer.lr: 0.1, optimizer: adam}}}}\n"))
    assert (found["adam 0.1"].optimizer.name, found["adam 0.1"].optimizer.lr) == ("adam", 0.1)


def test_names_of_levels_stay_the_text_of_the_file(planned):
    names = ["on", "off", "no", "5", "1e3", "null", "007", "0.10"]
    levels = ", ".join(f"{name}: {{train.epochs: {epochs}}}" for epochs, name in enumerate(names, start=21))
    found = planned(f"study: {{factors: {{length: {{{levels}}}}}}}\n")
    assert {p.setting.label: p.run.train.epochs for p in found.points if not p.setting.is_baseline} == {
        name: epochs for epochs, name in enumerate(names, start=21)
    }


@pytest.mark.parametrize(("value", "name"), [(True, "on"), (False, "no"), (5, "5"), (1000.0, "1e3"), (None, "null")])
def test_a_claim_means_the_name_that_it_was_read_from(value, name):
    factors = {"f": {name: {"train.epochs": 1}, "other": {"train.epochs": 2}}}
    claim = {"factor": "f", "levels": [value, "other"], "kind": "better"}
    assert parse_study("mine", {"factors": factors, "claims": [claim]}).claims[0]["levels"] == [name, "other"]


def test_a_range_on_the_command_line_is_exact(planned):
    text = "study: {factors: {optimizer.lr: [0.1]}}\n"
    found = planned(text, "optimizer.lr=range(0.1,0.5,0.1)")
    assert {p.setting.level for p in found.points} == {0.1, 0.2, 0.3, 0.4, 0.9}  # 0.9: the baseline's
    exact = planned("study: {factors: {optimizer.lr: [0.3]}}\n")
    of_range = {r.digest for r in found.runs if r.optimizer.lr == 0.3}
    assert of_range
    assert of_range == {r.digest for r in exact.runs if r.optimizer.lr == 0.3}


def test_a_range_of_one_level_is_refused(planned):
    said = refused(planned, "study: {factors: {optimizer.lr: [0.1]}}\n", "optimizer.lr=range(0.1,0.5)")
    assert "makes 1 level(s) in steps of 1; say the step" in said


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("factors: {optimizer.lr: [0.5, 1, 1.0]}", "1.0 is the same setting as 1"),
        ("factors: {f: {a: {train.epochs: 3}, b: {train.epochs: 3}, c: {train.epochs: 4}}}", "b is the same setting"),
        (
            "design: leave-one-out, factors: {optimizer.momentum: 0.0, model.pooling: max}",
            "is the same setting as nothing (baseline)",
        ),
    ],
)
def test_one_setting_under_several_names_is_counted_once_and_said(planned, text, note):
    plan = planned(f"study: {{{text}}}\noptimizer: {{momentum: 0.0}}\n")
    assert any(note in said for said in plan.notes["mine"])
    settings = {(point.setting.factor, point.setting.order) for point in plan.points}
    assert len(settings) == len({point.run.digest for point in plan.points})


def test_levels_that_are_all_one_setting_are_refused(planned):
    said = refused(
        planned, "study: {factors: {f: {a: {optimizer.lr: 0.5}, b: {optimizer.lr: 0.5}}}}\noptimizer: {lr: 0.5}\n"
    )
    assert "one and the same setting; there is nothing to compare" in said


def test_a_named_level_equal_to_the_baseline_is_the_baseline(planned):
    plan = planned(
        "study: {factors: {f: {as it is: {optimizer.lr: 0.5}, less: {optimizer.lr: 0.1}}}}\noptimizer: {lr: 0.5}\n"
    )
    assert {p.setting.label: p.setting.is_baseline for p in plan.points} == {"as it is": True, "less": False}


def test_a_list_for_leave_one_out_is_refused(planned):
    assert "has one level, the component switched off" in refused(
        planned, "study: {design: leave-one-out, factors: {optimizer.nesterov: [true, false]}}\n"
    )


def test_every_problem_is_told_at_once(planned):
    said = refused(planned, "study: {factors: {optimizer.lr: [-1, 0.1], train.epochs: [0], model.poling: [max]}}\n")
    assert "optimizer.lr = -1" in said
    assert "train.epochs = 0" in said
    assert "study.factors.model.poling: there is no such field" in said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seeds: 1000000000, factors: {optimizer.lr: [0.1]}", "at most 100,000"),
        ("factors: {optimizer.lr: {start: 0, stop: 1, step: 1e-9}}", "at most 10000"),
    ],
)
def test_sizes_are_limited_before_anything_is_built(text, message, planned):
    import yaml

    with pytest.raises(ConfigError) as caught:
        parse_study("mine", yaml.safe_load(f"{{{text.replace('1e-9', '0.000000001')}}}"))
    assert message in "\n".join(caught.value.problems)


def test_long_lists_and_large_grids_are_refused(planned):
    with pytest.raises(ConfigError) as caught:
        parse_study("mine", {"factors": {"train.epochs": list(range(1, 200_001))}})
    assert "has 200,000 levels; at most 10,000" in str(caught.value)
    steps = "{start: 1, stop: 10000, step: 1}"
    factors = ", ".join(f"{path}: {steps}" for path in ("train.epochs", "train.batch_size", "optimizer.lr"))
    said = refused(planned, f"study: {{design: grid, factors: {{{factors}}}}}\n")
    assert "makes 1,000,000,000,000 settings" in said


def test_plan_prints_what_was_decided(planned):
    planned("study: {factors: {optimizer: [sgd, adam], optimizer.lr: [1, 1.0, 2]}}\noptimizer: {lr: 0.1}\n")
    done = CliRunner().invoke(main, ["plan", "mine", "device=cpu"])
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "the baseline's lr 0.1 is for sgd alone." in said
    assert "1.0 is the same setting as 1, and counted once." in said
