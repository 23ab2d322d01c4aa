"""A search with a fidelity in words: a setting that was tried at several lengths is one setting."""

import optuna
import pytest
import search_fakes as fakes

from ablate.report.view import Cited
from ablate.search.answers import search_answers
from ablate.search.found import answer, found_setting, starts_of
from ablate.search.methods import search_sentences
from ablate.search.page import search_view
from ablate.search.space import key_of
from ablate.search.trials import best_trials, counts_of

SPACE = fakes.SPACE | {"train.epochs": {"low": 1, "high": 9}}
ARTICLE = {"optimizer.lr": 0.5, "train.batch_size": 16}
OTHER = {"optimizer.lr": 0.2, "train.batch_size": 64, "train.label_smoothing": 0.1}


@pytest.fixture
def order():
    return fakes.order(
        space=SPACE,
        sampler="gp",
        fidelity="train.epochs",
        seeds=1,
        start=[{"optimizer.lr": 0.03}],
        compare={"a": ARTICLE},
    )


def study_of(order, *told):
    """Trials of (a start's name or parameters, epochs, value; None: it failed)."""
    study = optuna.create_study(direction="maximize")
    for setting, epochs, value in told:
        params = {**OTHER, **(order.starts[setting] if isinstance(setting, str) else setting), "train.epochs": epochs}
        study.add_trial(
            optuna.trial.create_trial(
                params=params,
                distributions={factor.name: factor.distribution for factor in order.space.factors},
                value=value,
                state=optuna.trial.TrialState.FAIL if value is None else optuna.trial.TrialState.COMPLETE,
                user_attrs={
                    "samples": 10,
                    "values": {} if value is None else {"1000": value},
                    "status": "failed" if value is None else "complete",
                },
            )
        )
    return study


def sentences_of(order, study):
    return ["".join("" if isinstance(p, Cited) else p for p in s) for s in search_sentences(order, study)]


def test_the_key_of_a_setting_is_one_at_all_lengths():
    assert key_of({"b": 1, "a": 2}) == key_of({"a": 2, "b": 1}) != key_of({"a": 2})
    assert key_of({"a": 2, "epochs": 1}, "epochs") == key_of({"a": 2, "epochs": 9}, "epochs") == key_of({"a": 2})


def test_a_start_is_found_at_whatever_length_and_has_the_value_of_the_longest(order):
    study = study_of(order, ("a", 1, 0.3), ("baseline", 1, 0.2), (OTHER, 1, 0.25), ("a", 3, 0.6), ("a", 9, 0.8))
    study.add_trials(study_of(order, (OTHER, 9, 0.7), ("baseline", 3, 0.5)).trials)
    setting = found_setting(order, study)
    starts = {start.name: start for start in starts_of(order, study, setting.trial)}
    assert {name: (start.trial, start.value, start.won) for name, start in starts.items()} == {
        "a": (4, 0.8, True),
        "baseline": (6, 0.5, False),
    }
    assert (starts["a"].title, starts["baseline"].title) == ("a", "baseline at train.epochs = 3")
    said = answer(order, setting, list(starts.values()), 3)
    assert said[1] == "It is a setting that the search was given: a. No proposed one beats it."
    (_, said) = answer(order, setting, [starts["baseline"]], 3)
    assert said.endswith("the nearest is baseline at train.epochs = 3 with 0.5000.")
    rows = search_view(order, study, {}, (), {}).starts.rows
    assert [row[0] for row in rows] == ["baseline at train.epochs = 3", "a"]


def test_settings_are_counted_and_not_trials_each_as_it_ended_at_its_longest(order):
    study = study_of(order, ("a", 1, 0.3), ("a", 9, 0.8), (OTHER, 1, 0.25), (OTHER, 3, None), ("baseline", 1, 0.2))
    assert counts_of(study, order.search) == {"complete": 2, "failed": 1}
    assert [trial.number for trial in best_trials(study, order.search, 9)] == [1], "at full length"
    assert (
        "3 settings were tried (2 complete, 1 failed), which took 50 training samples." in sentences_of(order, study)[0]
    )
    assert search_answers(order, study, {})["settings"] == {"complete": 2, "failed": 1}
    view = search_view(order, study, {}, (), {})
    assert view.answer[0].startswith("The best of 3 settings, ")
    assert {"1 seed", "2 complete", "1 failed"} <= set(view.facts)
    assert [row[:2] for row in view.spending.rows] == [("complete", "4"), ("failed", "1")]


def test_what_of_the_baseline_the_search_does_not_try_is_said(order):
    def outside(**space):
        return fakes.order(space=space, sampler="gp", fidelity="train.epochs", seeds=1).outside

    own = order.build(()).train.epochs
    rate = {"low": 0.001, "high": 0.9}
    said = "the proof compares with the baseline, whose train.batch_size = 256 the search does not try"
    assert order.outside == said
    assert search_view(order, study_of(order, ("a", 9, 0.8)), {}, (), {}).warnings[0] == f"{said.capitalize()}."
    assert outside(**{"optimizer.lr": rate, "train.epochs": {"low": 1, "high": own}}) == ""
    assert f"train.epochs = {own} " in outside(**{"optimizer.lr": rate, "train.epochs": {"low": 1, "high": own - 1}})
    assert f"train.epochs = {own} " in outside(**{"optimizer.lr": rate, "train.epochs": {"low": 1, "high": own + 9}})
    rate = {"low": 1e-9, "high": 1e-8}
    both = outside(**{"optimizer.lr": rate, "train.epochs": {"low": own + 1, "high": own + 9}})
    assert "optimizer.lr = " in both
    assert f", train.epochs = {own} " in both


def test_the_methods_name_the_lengths_and_what_proposed(order):
    found = search_sentences(order, study_of(order, ("a", 9, 0.8)))
    first, second = sentences_of(order, study_of(order, ("a", 9, 0.8)))[:2]
    assert "over 3 factors" in first
    assert " by ablate's own Gaussian process with a covariance that is additive over factors" in first
    assert "with one seed each, " in first
    assert "mean over" not in first
    assert "(train.epochs = 1 and 3)" in second
    assert "up to 9" in second
    keys = [key for sentence in found[:2] for part in sentence if isinstance(part, Cited) for key in part.keys]
    assert keys == ["akiba2019", "duvenaud2011", "kandasamy2015", "li2020"]


def test_without_a_fidelity_a_process_is_optunas_and_seeds_are_averaged():
    order = fakes.order(sampler="gp")
    (first, *rest) = sentences_of(order, optuna.create_study(direction="maximize"))
    assert " by Gaussian processes for the highest" in first
    assert "mean over up to 2 seeds, " in first
    assert not any("length" in sentence for sentence in rest)
