import pytest

from ablate.task.claim import Claim, parse_claim
from ablate.task.errors import ConfigError
from ablate.task.metric import Metric

BETTER = {
    "id": "relu",
    "text": "ReLU is better than sigmoid.",
    "kind": "better",
    "factor": "model.conv_activation",
    "metric": "test_acc",
    "levels": ["relu", "sigmoid"],
}


def test_a_claim_in_full():
    claim = parse_claim(BETTER | {"margin": 1})
    assert claim == Claim(**BETTER | {"levels": ("relu", "sigmoid"), "margin": 1.0})


def test_a_single_level_may_stand_alone():
    assert parse_claim(BETTER | {"kind": "best_in", "levels": 5, "among": [3, 4, 5]}).levels == (5,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "best"}, "kind = 'best': must be one of better, best_in, equivalent, monotone, peaks_inside"),
        ({"kind": None}, "kind = None: must be a text"),
        ({"levels": ["relu"]}, r"levels = \['relu'\]: better needs exactly 2"),
        ({"levels": ["relu", "relu"]}, "a level is listed twice"),
        ({"kind": "monotone", "levels": [1]}, "monotone needs at least 2"),
        ({"kind": "best_in", "levels": []}, "best_in needs at least 1"),
        ({"kind": "equivalent"}, "margin = 0: must be above 0"),
        ({"margin": -0.1}, "margin = -0.1: must be at least 0"),
        ({"margin": "small"}, "margin = 'small': must be a finite number"),
        ({"margin": float("nan")}, "must be a finite number"),
        ({"margin": True}, "must be a finite number"),
        ({"direction": "up"}, "direction = 'up': must be rising or falling"),
        ({"direction": "rising"}, "is of monotone claims only"),
        ({"among": [1, 2]}, "is of best_in and peaks_inside claims only"),
        ({"metrics": "test_acc"}, "metrics: is no field; allowed are id, text"),
        ({"text": ""}, "text = '': must be a text"),
    ],
)
def test_a_claim_with_a_fault_is_refused(change, message):
    with pytest.raises(ConfigError, match=message) as caught:
        parse_claim(BETTER | change)
    assert all(line.startswith("claim 'relu': ") for line in str(caught.value).splitlines())


def test_all_faults_are_reported_at_once():
    with pytest.raises(ConfigError) as caught:
        parse_claim({"id": "x", "kind": "nice", "margin": -1, "levels": [1, 1]})
    lines = str(caught.value).splitlines()
    assert len(lines) == 6
    assert sum("is missing" in line for line in lines) == 3


def test_a_claim_is_about_a_declared_metric():
    given = {"id": "c", "text": "t", "kind": "better", "factor": "lr", "metric": "score", "levels": [1, 2]}
    score = Metric("score", "max")
    assert parse_claim(given, [score]).metric == parse_claim(given).metric == "score"
    with pytest.raises(ConfigError, match="metric = 'score': must be one of speed"):
        parse_claim(given, [Metric("speed", "min")])
