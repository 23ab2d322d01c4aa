"""Importances and interactions of functions that are known."""

import optuna
import pytest

from ablate.search.understand import UNSAID, understand


def study_of(function, count=120, names=("a", "b", "c")):
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(count):
        trial = study.ask()
        study.tell(trial, function(*(trial.suggest_float(name, -1, 1) for name in names)))
    return study


def test_a_factor_that_is_all_that_matters_is_named_by_both_methods():
    found = understand(study_of(lambda a, b, c: -((a - 0.3) ** 2) + 0.001 * b))
    assert found.importances[0].name == "a"
    assert found.importances[0].fanova > 0.9
    assert found.disagreement == "Both methods name a as the most important factor."
    assert found.warnings == ()


def test_a_product_is_an_interaction_and_a_sum_is_none():
    product, total = (understand(study_of(f)) for f in (lambda a, b, c: a * b, lambda a, b, c: a + b))
    first = product.interactions[0]
    assert {first.first, first.second} == {"a", "b"}
    assert first.share > 0.4
    assert all(i.share < 0.1 for i in total.interactions)
    assert [i.share for i in product.interactions] == sorted((i.share for i in product.interactions), reverse=True)


def test_a_factor_under_a_condition_is_measured_where_it_holds():
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(60):
        trial = study.ask()
        kind = trial.suggest_categorical("kind", ["x", "y"])
        value = trial.suggest_float("only_x", 0, 1) if kind == "x" else 0.2
        study.tell(trial, value + 0.01 * trial.suggest_float("b", 0, 1))
    found = {i.name: i for i in understand(study).importances}
    assert found["kind"].n == 60
    assert found["only_x"].n == sum("only_x" in t.params for t in study.trials) < 60
    assert found["only_x"].fanova > 0.9


def test_too_few_settings_say_nothing():
    found = understand(study_of(lambda a, b, c: a, count=5))
    assert found.importances == ()
    assert found.warnings == ("5 complete settings: too few to say what mattered (10 needed).",)


def test_without_scikit_learn_one_method_is_left(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    import optuna.importance._fanova._evaluator as evaluator

    def missing(*arguments, **more):
        raise ImportError("sklearn")

    monkeypatch.setattr(evaluator.FanovaImportanceEvaluator, "__init__", missing)
    found = understand(study_of(lambda a, b, c: a, count=80))
    assert found.importances[0].name == "a"
    assert found.importances[0].fanova is None
    assert "pip install scikit-learn" in found.warnings[0]
    assert found.interactions == ()
    assert found.disagreement == ""
    assert found.importances[0].ped_anova == pytest.approx(max(i.ped_anova for i in found.importances))


@pytest.mark.parametrize("value", [0.5, 0.0])
def test_of_values_that_are_all_equal_nothing_is_said_to_matter(value):
    found = understand(study_of(lambda a, b, c: value))
    assert (found.importances, found.interactions, found.warnings) == ((), (), (UNSAID,))


def test_values_too_far_apart_for_their_variance_end_no_report():
    values = iter([1e308, -1e308, 0.5, 0.6] * 10)
    assert understand(study_of(lambda a, b, c: next(values), count=40)).warnings == (UNSAID,)
    values = iter([1e100, 0.5, 0.6, 0.7] * 10)
    assert len(understand(study_of(lambda a, b, c: next(values), count=40)).importances) == 3
