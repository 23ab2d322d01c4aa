import pytest

from ablate.plan.study import parse_levels, parse_study
from ablate.task.errors import ConfigError


def problems(values):
    with pytest.raises(ConfigError) as caught:
        parse_study("mine", values)
    return caught.value.problems


def test_a_range_has_no_floating_point_crumbs():
    levels, _ = parse_levels("optimizer.lr", {"start": 0.0, "stop": 1.7, "step": 0.1})
    assert list(levels) == [float(f"{i // 10}.{i % 10}") for i in range(18)]
    levels, _ = parse_levels("train.epochs", {"start": 1, "stop": 10, "step": 3})
    assert levels == (1, 4, 7, 10)
    assert all(type(level) is int for level in levels)


def test_seeds_are_a_count_or_a_list():
    factors = {"optimizer.lr": [0.1]}
    assert parse_study("s", {"factors": factors, "seeds": 3}).seeds == (0, 1, 2)
    assert parse_study("s", {"factors": factors, "seeds": [5, 0]}).seeds == (5, 0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"factors": {"optimizer.lr": []}}, "study.factors.optimizer.lr: has no levels"),
        ({"factors": {"optimizer.lr": [1, 1]}}, "a level is listed twice"),
        ({"factors": {"optimizer.lr": 0.1}}, "must be a list of levels"),
        ({"factors": {"optimizer.lr": {"start": 0, "stop": 1}}}, "start, stop and step"),
        ({"factors": {"optimizer.lr": {"start": 1, "stop": 0, "step": 1}}}, "stop not below start"),
        ({"factors": {"optimizer.lr": {"start": 0, "stop": 1, "step": 0}}}, "step above 0"),
        ({"factors": {"optimizer.lr": {"start": 0, "stop": 1, "step": 1e-7}}}, "at most 10000"),
        ({"factors": {"x": {"a": 3}}}, "a named level maps paths to values"),
        ({"factors": {"optimizer.lr": [0.1]}, "seeds": 0}, "study.seeds = 0"),
        ({"factors": {"optimizer.lr": [0.1]}, "seeds": [1, 1]}, "a seed is listed twice"),
        (
            {"factors": {"optimizer.lr": [0.1]}, "seeds": "many"},
            "study.seeds = 'many': must be a count such as 10, a list of seeds, or {looks: [6, 10, 16]}",
        ),
        ({"factors": {"optimizer.lr": [0.1]}, "design": "random"}, "'one-at-a-time', 'grid' or 'leave-one-out'"),
        ({"factors": {"optimizer.lr": [0.1]}, "metrics": ["accuracy"]}, "study.metrics = ['accuracy']: allowed are"),
        ({"factors": {"optimizer.lr": [0.1]}, "experiment": 1}, "study.experiment: there is no such field"),
        ({"factors": {"optimizer.lr": [0.1]}, "labels": {"train.epochs": "e"}}, "is no factor of this study"),
        ({}, "needs at least one factor"),
    ],
)
def test_bad_study_files(values, message):
    assert message in "\n".join(problems(values))


def test_several_problems_at_once():
    found = problems({"factors": {"optimizer.lr": [], "train.epochs": [1, 1]}, "seeds": 0})
    assert len(found) == 3
