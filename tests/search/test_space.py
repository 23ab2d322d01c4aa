import optuna
import pytest
import search_fakes as fakes

from ablate.images.run import RunConfig
from ablate.images.searching import SEARCHING
from ablate.images.task import IMAGES
from ablate.search.request import search_request
from ablate.search.settings import parse_search
from ablate.search.space_file import parse_space
from ablate.task.errors import ConfigError

ALL = {
    "schedule": ["one_cycle", "constant"],
    "optimizer.lr": {"low": 0.01, "high": 1.0, "log": True},
    "optimizer.momentum": {"low": 0.0, "high": 0.9, "step": 0.3, "when": {"schedule": "one_cycle"}},
    "train.batch_size": {"low": 16, "high": 64, "step": 16},
    "model.channels": [[6, 16], [8, 20]],
    "activations": {"choices": {"sigmoid": {}, "relu": {"model.activation": "relu", "model.activation_c5": "relu"}}},
}
GROUPS = {
    ("schedule", "one_cycle"): {"name": "one_cycle"},
    ("schedule", "constant"): {"name": "constant"},
    ("optimizer", "sgd"): {"name": "sgd", "lr": 0.1},
    ("optimizer", "adam"): {"name": "adam", "lr": 0.001},
}


def proposals(space, count=40):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    return [space.suggest(study.ask()) for _ in range(count)]


def test_every_proposal_lies_in_the_space_and_keeps_the_conditions():
    order = fakes.order(ALL, groups=GROUPS)
    for params in proposals(order.space):
        config = order.build(order.space.changes(params))
        assert 0.01 <= config.optimizer.lr <= 1.0
        assert config.train.batch_size in (16, 32, 48, 64)
        assert config.model.channels in ((6, 16), (8, 20))
        assert (config.model.activation, config.model.activation_c5) in (("sigmoid", "sigmoid"), ("relu", "relu"))
        assert ("optimizer.momentum" in params) == (config.schedule.name == "one_cycle")
        assert config.data.protocol == "holdout"


def test_every_value_has_a_place_from_which_it_comes_back():
    space = parse_space(ALL, SEARCHING)
    by_name = {factor.name: factor for factor in space.factors}
    for params in proposals(space):
        for name, value in params.items():
            factor = by_name[name]
            place = factor.place(value)
            assert factor.value_at(place) == (pytest.approx(value) if name == "optimizer.lr" else value)
            assert 0 <= place <= (factor.count - 1 if factor.has_choices else 1)
    lr, size, momentum = (by_name[name] for name in ("optimizer.lr", "train.batch_size", "optimizer.momentum"))
    assert (lr.place(0.01), lr.place(0.1), lr.place(1.0)) == pytest.approx((0, 0.5, 1))
    assert [size.value_at(place) for place in (0, 0.3, 0.4, 1)] == [16, 32, 32, 64]
    assert momentum.value_at(0.3) == 0.3, "in decimals, as a range in steps has them"
    assert [by_name["schedule"].value_at(number) for number in (0, 1)] == ["one_cycle", "constant"]


def test_one_field_may_have_a_range_for_each_condition():
    space = {
        "optimizer": ["sgd", "adam"],
        "optimizer.lr": [
            {"low": 0.1, "high": 1.0, "when": {"optimizer": "sgd"}},
            {"low": 0.001, "high": 0.01, "log": True, "when": {"optimizer": ["adam"]}},
        ],
    }
    order = fakes.order(space, groups=GROUPS)
    assert [f.name for f in order.space.factors] == [
        "optimizer",
        "optimizer.lr (optimizer=sgd)",
        "optimizer.lr (optimizer=adam)",
    ]
    for params in proposals(order.space):
        config = order.build(order.space.changes(params))
        low, high = (0.1, 1.0) if config.optimizer.name == "sgd" else (0.001, 0.01)
        assert low <= config.optimizer.lr <= high
    order.check()


def test_a_condition_may_stand_before_the_factor_that_it_names():
    space = parse_space({"b": {"choices": [1, 2], "when": {"a": "x"}}, "a": ["x", "y"]}, SEARCHING)
    assert [factor.path for factor in space.factors] == ["a", "b"]


def test_settings_that_share_the_shape_make_one_cohort():
    """The rule by paths agrees with the cohort key of the runs, dropout at 0 apart."""
    space = ALL | {"model.dropout": {"low": 0.1, "high": 0.5}, "train.label_smoothing": {"low": 0.0, "high": 0.1}}
    order = fakes.order(space, groups=GROUPS)
    keys = {}
    for params in proposals(order.space, 120):
        shape = tuple(sorted(order.space.shape(params).items()))
        keys.setdefault(shape, set()).add(order.build(order.space.changes(params)).cohort_key)
    assert all(len(found) == 1 for found in keys.values())
    assert len(set.union(*keys.values())) == len(keys) == 16


def test_a_grid_has_every_setting_once_with_conditions_applied():
    space = {k: v for k, v in ALL.items() if k != "optimizer.lr"}
    grid = fakes.order(space, groups=GROUPS).space.grid()
    assert len(grid) == (4 + 1) * 4 * 2 * 2
    assert len({tuple(sorted(params.items())) for params in grid}) == len(grid)


def test_a_grid_needs_steps():
    with pytest.raises(ConfigError, match=r"optimizer.lr: a grid needs choices or a step"):
        fakes.order(ALL, groups=GROUPS).space.grid()


def test_the_setting_most_like_another_leaves_out_what_lies_outside():
    space = fakes.order(ALL, groups=GROUPS).space
    assert space.nearest(RunConfig(), {"schedule": "constant"}) == {
        "schedule": "constant",
        "optimizer.lr": 0.9,
        "model.channels": "6-16",
        "activations": "sigmoid",
    }


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"optimizer.lr": {"low": 1, "high": 1}}, "optimizer.lr: low = 1, high = 1: is an empty range"),
        ({"optimizer.lr": {"low": 2, "high": 1}}, "is an empty range"),
        ({"optimizer.lr": {"low": 0, "high": 1, "log": True}}, "low = 0: a logarithmic range must start above 0"),
        ({"optimizer.lr": {"low": -1, "high": 1, "log": True}}, "must start above 0"),
        ({"optimizer.lr": {"low": 0.1}}, "high must be a number"),
        ({"optimizer.lr": {"low": "a", "high": 1}}, "low must be a number"),
        ({"optimizer.lr": {"low": 0.1, "high": 1, "step": 0.4}}, "does not lead from 0.1 to 1"),
        ({"optimizer.lr": {"low": 0.1, "high": 1, "step": 0.1, "log": True}}, "both log and step"),
        ({"optimizer.lr": {"low": 0.1, "high": 1, "steps": 3}}, "steps is unknown"),
        ({"optimizer.lr": []}, "must be a list of at least one value"),
        ({"optimizer.lr": [0.1, 0.1]}, "a choice is listed twice"),
        ({"optimizer.lr": 0.1}, "must be a list of choices"),
        ({"optimizer.lr": {"choices": [0.1], "when": {"schedul": "x"}}}, "when.schedul: is no factor of the space"),
        ({"a": ["x"], "b": {"choices": [1], "when": {"a": "y"}}}, "a = 'y': is no choice of a; choices are x"),
        ({"a": {"low": 0, "high": 1}, "b": {"choices": [1], "when": {"a": 1}}}, "a: is a range"),
        ({"a": {"choices": [1], "when": {"b": 1}}, "b": {"choices": [1], "when": {"a": 1}}}, "go in a circle"),
        ({"data.protocol": ["article"]}, "is not searched"),
        ({"data.split_seed": [1, 2]}, "is not searched"),
    ],
)
def test_a_space_that_cannot_be_used_is_refused_in_one_line(space, message):
    with pytest.raises(ConfigError) as error:
        parse_space(space, SEARCHING)
    (problem,) = error.value.problems
    assert message in problem


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"optimizer.lrr": [1, 2]}, "optimizer.lrr: there is no such field"),
        ({"optimizer.speed.up": [1, 2]}, "optimizer.speed.up: there is no such field"),
        ({"train.batch_size": [0, 16]}, "train.batch_size = 0"),
        ({"optimizer.momentum": {"low": 0.0, "high": 2.0}}, "optimizer.momentum = 2.0"),
        ({"seed": [1, 2]}, "seed: is no factor"),
    ],
)
def test_values_that_no_setting_accepts_are_named(space, message):
    with pytest.raises(ConfigError) as error:
        fakes.order(space).check()
    assert any(message in problem for problem in error.value.problems)


def test_a_space_without_a_valid_setting_is_refused():
    space = {"model.kernel_size": [14, 15], "model.pool_size": [9, 10]}
    with pytest.raises(ConfigError) as error:
        fakes.order(space).check()
    assert any("leaves an output of" in problem for problem in error.value.problems)


def test_a_setting_under_compare_must_be_valid():
    with pytest.raises(ConfigError, match=r"study.search.compare.odd: train.epochs = 0"):
        fakes.order(compare={"odd": {"train.epochs": 0}}).check()


def test_a_setting_to_start_from_comes_first_and_lies_in_the_space():
    order = fakes.order(start=[{"optimizer.lr": 0.2, "train.label_smoothing": 0.1}])
    order.check()
    assert order.start[0]["optimizer.lr"] == 0.2
    assert order.start[0]["train.label_smoothing"] == 0.1
    assert order.start[1:] == fakes.order().start
    assert order.name != fakes.order().name
    with pytest.raises(ConfigError) as error:
        fakes.order(start=[{"optimizer.lr": 0.2}, {"optimizer.lr": 1e6}, {"train.epochs": 0}, {"seed": 3}]).check()
    assert error.value.problems[:2] == [
        "study.search.start[1]: optimizer.lr = 1000000.0 lies outside the space",
        "study.search.start[2]: train.epochs = 0: input should be greater than or equal to 1",
    ]
    assert len(error.value.problems) == 3


def test_the_packaged_search_composes_and_passes_its_check():
    order = search_request(["sweeps=search"])
    order.check()
    assert order.search == parse_search(order.study.search, order.study.seeds, IMAGES)
    assert order.start
    assert max(run.train.epochs for run in order.corners) <= 50
    assert {run.model.widths for run in order.corners} == {(120, 84)}
    assert {run.model.channels for run in order.corners} == {(6, 16)}


def test_a_study_without_a_search_is_refused():
    with pytest.raises(ConfigError, match="exactly one study with a search"):
        search_request(["sweeps=lr"])
