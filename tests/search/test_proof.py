import json

import optuna
import pandas as pd
import pytest
import search_fakes as fakes

from ablate.search.proof import Additivity, additivity, curse, proof_plan
from ablate.search.trials import best_trials, dump_trials, frame_of_trials, read_trials
from ablate.task.errors import ConfigError

COMPARE = {"article": {"optimizer.lr": 0.8, "train.batch_size": 16}}


def study_of(values, seeds=2):
    """Trials at growing learning rates with these values."""
    study = optuna.create_study(direction="maximize")
    space = fakes.order().space
    for i, value in enumerate(values):
        params = {"optimizer.lr": 0.02 * (i + 1), "train.batch_size": 16, "train.label_smoothing": 0.1}
        trial = optuna.trial.create_trial(
            params=params,
            distributions={f.name: f.distribution for f in space.factors},
            value=value,
            intermediate_values={1: 0.3},
            user_attrs={
                "values": {str(1000 + s): value for s in range(seeds)},
                "status": "complete",
                "samples": 18_000,
            },
        )
        study.add_trial(trial)
    return study


def test_the_best_are_proven_on_fresh_seeds_beside_baseline_and_article():
    order = fakes.order(compare=COMPARE, confirm={"top": 2})
    plan = proof_plan(order, study_of([0.7, 0.9, 0.8, 0.6]))
    assert [s.name for s in plan.studies] == ["tiny", "tiny_heldout"]
    labels = {p.setting.label for p in plan.points if p.setting.factor == "setting"}
    assert labels == {"baseline", "article", "best 1", "best 2"}
    assert {p.run.seed for p in plan.points} == {0, 1, 2}
    assert not {p.run.seed for p in plan.points} & set(order.search.seeds)
    best = {p.setting.label: p.run for p in plan.points}
    assert best["best 1"].optimizer.lr == pytest.approx(0.04)
    assert best["best 2"].optimizer.lr == pytest.approx(0.06)
    assert best["article"].optimizer.lr == 0.8
    protocols = {s.name: {p.run.data.protocol for p in plan.points if p.study.name == s.name} for s in plan.studies}
    assert protocols == {"tiny": {"article"}, "tiny_heldout": {"holdout_test"}}
    alone = {p.setting.label for p in plan.points if p.setting.factor == "alone"}
    assert alone == {"baseline", "lr 0.8", "batch size 16"}
    claims = [claim["id"] for claim in plan.studies[0].claims]
    assert claims == ["best-1-beats-baseline", "best-1-beats-article"]


def test_what_is_fixed_in_the_search_is_fixed_for_the_best_only():
    order = fakes.order(compare=COMPARE, fixed={"train.epochs": 5})
    epochs = {p.setting.label: p.run.train.epochs for p in proof_plan(order, study_of([0.7])).points}
    assert (epochs["best 1"], epochs["baseline"], epochs["article"]) == (5, fakes.EPOCHS, fakes.EPOCHS)


def test_settings_with_fewer_seeds_are_not_among_the_best():
    study = study_of([0.7, 0.8])
    study.add_trials(study_of([0.99], seeds=1).trials)
    assert [t.value for t in best_trials(study, fakes.order().search, 5)] == [0.8, 0.7]


def frame(rows):
    columns = ["factor", "label", "seed", "status", "val_acc", "test_acc"]
    return pd.DataFrame([(*row, row[-1]) for row in rows], columns=columns)


def test_the_winners_curse_is_found_minus_confirmed():
    order = fakes.order(confirm={"top": 1})
    runs = frame([("setting", "best 1", s, "complete", v) for s, v in enumerate([0.88, 0.90, 0.89])])
    (entry,) = curse(order, study_of([0.9]), runs)
    assert (entry.n, entry.seeds, entry.trial) == (3, 2, 0)
    assert entry.confirmed == pytest.approx(0.89)
    assert entry.curse == pytest.approx(0.01)
    half = 4.302652729911275 * 0.01 / 3**0.5
    assert entry.interval == pytest.approx((0.89 - half, 0.89 + half))


def gains(extra, noise=(0.0, 0.0, 0.0)):
    rows = []
    for seed in range(3):
        base = 0.5 + 0.1 * seed
        rows += [("setting", "baseline", seed, "complete", base), ("alone", "a", seed, "complete", base + 0.1)]
        rows += [("alone", "b", seed, "complete", base + 0.2)]
        rows += [("setting", "both", seed, "complete", base + 0.3 + extra + noise[seed])]
    return frame(rows)


def test_changes_that_add_up_have_no_interaction():
    found = additivity(gains(0.0, (0.01, -0.01, 0.0)), "both", ["a", "b"], "test_acc")
    assert found.alone == pytest.approx({"a": 0.1, "b": 0.2})
    assert (found.together, found.interaction) == pytest.approx((0.3, 0.0))
    assert "no departure from adding up can be told from noise" in found.sentence("test accuracy")


def test_changes_that_hinder_each_other_are_said_to():
    found = additivity(gains(-0.15, (0.001, -0.001, 0.0)), "both", ["a", "b"], "test_acc")
    assert isinstance(found, Additivity)
    assert found.interaction == pytest.approx(-0.15)
    assert "they do not add up: together they are less" in found.sentence("test accuracy")
    assert found.n == 3


def test_without_a_common_seed_nothing_is_said():
    runs = gains(0.0)
    assert additivity(runs[runs["label"] != "a"], "both", ["a", "b"], "test_acc") is None
    assert additivity(runs, "both", ["a"], "test_acc") is None


def test_trials_survive_as_a_file(tmp_path):
    study, search = study_of([0.7, 0.9]), fakes.order().search
    study.add_trial(optuna.trial.create_trial(state=optuna.trial.TrialState.FAIL, user_attrs={"status": "failed"}))
    (tmp_path / "trials.json").write_text(dump_trials(study))
    again = read_trials(tmp_path / "trials.json")
    assert dump_trials(again) == dump_trials(study)
    pd.testing.assert_frame_equal(frame_of_trials(again, search, "samples"), frame_of_trials(study, search, "samples"))
    row = frame_of_trials(study, search, "samples").iloc[1]
    assert (row["trial"], row["val_acc"], row["seeds"], row["param.optimizer.lr"]) == (1, 0.9, 2, 0.04)
    assert list(frame_of_trials(study, search, "samples")["status"]) == ["complete", "complete", "failed"]


@pytest.mark.parametrize(
    "damage",
    [
        {"user_attrs": None},
        {"user_attrs": []},
        {"number": "x"},
        {"number": None},
        {"state": "GONE"},
        {"params": None},
        {"distributions": []},
        {"values": "0.9"},
        {"values": [None]},
        {"start": 5},
        {"intermediate_values": {"one": 1}},
    ],
    ids=str,
)
def test_a_damaged_trial_is_refused(tmp_path, damage):
    data = json.loads(dump_trials(study_of([0.7, 0.9])))
    data["trials"][1].update(damage)
    (tmp_path / "trials.json").write_text(json.dumps(data))
    with pytest.raises(ConfigError, match=r"trials\.json: holds no trials of a search: "):
        read_trials(tmp_path / "trials.json")


@pytest.mark.parametrize("text", ["{}", "[]", "", "{", '{"study": "s", "directions": ["up"], "trials": []}'])
def test_a_damaged_file_is_refused(tmp_path, text):
    (tmp_path / "trials.json").write_text(text)
    with pytest.raises(ConfigError, match=r"trials\.json: holds no trials of a search: "):
        read_trials(tmp_path / "trials.json")
