"""Settings of a table's runs: one at a time with a baseline, or a grid; what is neither is refused."""

import pytest

from ablate.judge.metric_spec import parse_metric
from ablate.task.errors import ConfigError
from ablate.task.metric import Metric
from tests.judge.judge_fakes import arranged, csv

ONE = csv("lr,seed,acc", *(f"{lr},{seed},1" for lr in ("0.5", "0.1", "1e-1", "1") for seed in (0, 1) if lr != "1e-1"))
STAR = csv("lr,w,seed,acc", "0.1,8,0,1", "0.2,8,0,1", "0.1,16,0,1", "0.1,4,0,1")
GRID = csv("opt.lr,w,seed,acc", *(f"{lr},{w},0,1" for lr in (0.1, 0.2) for w in (8, 16)))


def settings(study):
    return [(s.factor, s.level, s.label, s.order, s.is_baseline) for s in study.settings]


def test_one_factor(tmp_path):
    assert settings(arranged(tmp_path, ONE)) == [
        ("lr", 0.1, "0.1", 0, False),
        ("lr", 0.5, "0.5", 1, False),
        ("lr", 1.0, "1.0", 2, False),
    ]
    for baseline in ("0.5", "5e-1", "lr=.50"):
        study = arranged(tmp_path, ONE, baseline=[baseline])
        assert [s.label for s in study.settings if s.is_baseline] == ["0.5"]
        assert study.seeds == (0, 1)


def test_texts_keep_the_order_of_the_table(tmp_path):
    study = arranged(tmp_path, csv("lr,seed,acc", "sgd,0,1", "adam,0,1"), baseline=["adam"])
    assert [(s.level, s.is_baseline) for s in study.settings] == [("sgd", False), ("adam", True)]


def test_factors_one_at_a_time(tmp_path):
    study = arranged(tmp_path, STAR, factors=["lr", "w"], baseline=["lr=0.1", "w=8"])
    assert study.design == "one-at-a-time"
    assert settings(study) == [
        ("lr", 0.1, "0.1", 0, True),
        ("lr", 0.2, "0.2", 1, False),
        ("w", 4, "4", 0, False),
        ("w", 8, "8", 1, True),
        ("w", 16, "16", 2, False),
    ]


def test_a_baseline_that_nobody_named_is_asked_for(tmp_path):
    with pytest.raises(ConfigError, match=r"give --baseline lr=0\.1 --baseline w=8 to compare"):
        arranged(tmp_path, STAR, factors=["lr", "w"])
    assert arranged(tmp_path, STAR, factors=["lr", "w"], design="grid").design == "grid"


def test_a_grid(tmp_path):
    study = arranged(tmp_path, GRID, factors=["opt.lr", "w"])
    assert study.design == "grid"
    assert settings(study)[:2] == [
        ("opt.lr x w", (0.1, 8), "lr 0.1, w 8", 0, False),
        ("opt.lr x w", (0.1, 16), "lr 0.1, w 16", 1, False),
    ]
    based = arranged(tmp_path, GRID, factors=["opt.lr", "w"], baseline=["opt.lr=0.2", "w=8"])
    assert [s.label for s in based.settings if s.is_baseline] == ["lr 0.2, w 8"]


def test_a_grid_with_holes_is_said(tmp_path):
    holes = "\n".join(GRID.splitlines()[:-1]) + "\n0.3,32,0,1\n0.3,64,0,1\n"
    study = arranged(tmp_path, holes, factors=["opt.lr", "w"])
    assert "of the grid's 12 settings 7 are not in the table" in study.notes


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (dict(content=ONE, baseline=["0.7"]), "--baseline 0.7: is no level of lr; levels are 0.1, 0.5, 1.0"),
        (dict(content=ONE, baseline=["fast"]), "--baseline fast: is no level of lr"),
        (dict(content=STAR, factors=["lr", "w"], baseline=["0.1"]), "it is FACTOR=LEVEL, one for each"),
        (dict(content=STAR, factors=["lr", "w"], baseline=["lr=0.1"]), "needs a level of w too"),
        (dict(content=STAR, factors=["lr", "w"], baseline=["lr=0.1", "lr=0.2"]), "lr has one already"),
        (dict(content=STAR, factors=["lr", "w"], baseline=["lr=0.2", "w=16"]), "there is no run of it"),
        (dict(content=STAR, factors=["lr", "w"], design="one-at-a-time"), "needs --baseline FACTOR=LEVEL"),
        (
            dict(content=GRID, factors=["opt.lr", "w"], design="one-at-a-time", baseline=["opt.lr=0.1", "w=8"]),
            "opt.lr = 0.2, w = 16 differs from the baseline in several factors",
        ),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, given, says):
    with pytest.raises(ConfigError) as caught:
        arranged(tmp_path, **given)
    assert says in str(caught.value)


def test_seeds_that_every_setting_should_have(tmp_path):
    lacking = "\n".join(ONE.splitlines()[:-1])
    assert arranged(tmp_path, lacking).seeds == (0, 1)
    apart = csv("lr,seed,acc", "0.1,0,1", "0.1,1,1", "0.2,2,1", "0.2,3,1")
    study = arranged(tmp_path, apart)
    assert study.seeds == ()
    assert "no seed is at every setting" in study.notes[0]
    assert "there is one seed only" in arranged(tmp_path, csv("lr,seed,acc", "0.1,7,1", "0.2,7,1")).notes[0]


@pytest.mark.parametrize(
    ("text", "metric"),
    [
        ("acc:max", Metric("acc", "max")),
        ("val/loss:min[0..]:nats", Metric("val/loss", "min", unit="nats", low=0.0)),
        ("metrics.a:b:max[-1..1]", Metric("metrics.a:b", "max", low=-1.0, high=1.0)),
        ("time:min:s", Metric("time", "min", unit="s")),
    ],
)
def test_metrics_as_they_are_declared(text, metric):
    assert parse_metric(text) == metric


@pytest.mark.parametrize(
    "text", ["acc", "acc:high", ":max", "acc:max[1..0]", "acc:max[a..1]", "seed:max", "acc:max[0]"]
)
def test_metrics_that_are_no_declaration(text):
    with pytest.raises(ConfigError, match="--metric"):
        parse_metric(text)
