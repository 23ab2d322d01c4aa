"""Settings that are tried at short lengths first: rungs, what goes on, and a model that learns what length changes."""

import math

import numpy as np
import optuna
import pytest
import search_fakes as fakes
from scipy.integrate import quad
from scipy.stats import norm

from ablate.images.searching import SEARCHING
from ablate.search.fidelity import ladder_of
from ablate.search.proposer import MOST_CASES, Proposer, _expected_improvement, _normal_scores, _Tried
from ablate.search.settings import Search
from ablate.search.space_file import parse_space
from ablate.search.start import make_searcher
from ablate.search.surrogate import Process
from ablate.search.trials import best_trials
from ablate.store import Owner, open_store
from ablate.task.errors import ConfigError

EPOCHS = {"low": 1, "high": 27}
SPACE = fakes.SPACE | {"train.epochs": EPOCHS, "optimizer.momentum": {"low": 0.0, "high": 0.9}}


def search_of(space=SPACE, **settings):
    node = {"budget": {"runs": 50}, "metric": "val_acc", "sampler": "gp", "fidelity": "train.epochs", **settings}
    return Search(space=space, **node)


@pytest.mark.parametrize(
    ("epochs", "reduction", "rungs"),
    [
        ({"low": 2, "high": 50}, 3.0, (2, 6, 17, 50)),
        ({"low": 1, "high": 27}, 3.0, (1, 3, 9, 27)),
        ({"low": 10, "high": 50, "step": 10}, 3.0, (20, 50)),
        ({"low": 1, "high": 8}, 2.0, (1, 2, 4, 8)),
        ({"low": 3, "high": 4}, 1.5, (3, 4)),
    ],
)
def test_rungs_go_down_from_the_full_length_by_the_reduction(epochs, reduction, rungs):
    space = parse_space({"train.epochs": epochs, "optimizer.lr": [0.1, 0.2]}, SEARCHING)
    ladder = ladder_of(search_of(racing={"reduction": reduction}), space)
    assert ladder.rungs == rungs
    assert all(ladder.factor.distribution._contains(rung) for rung in rungs)


@pytest.mark.parametrize(
    ("space", "fidelity", "message"),
    [
        ({"optimizer.lr": [0.1, 0.2]}, "train.epochs", "is no factor of the space; there are optimizer.lr"),
        ({"train.epochs": [2, 4]}, "train.epochs", "must be a range of whole numbers from 1 up"),
        ({"train.epochs": {"low": 2, "high": 50}}, "train.epochs", "is the only factor of the space"),
        ({"optimizer.lr": {"low": 0.1, "high": 1.0}}, "optimizer.lr", "must be a range of whole numbers from 1 up"),
        (
            {"schedule": ["constant", "cosine"], "train.epochs": {"low": 1, "high": 9, "when": {"schedule": "cosine"}}},
            "train.epochs",
            "without a condition",
        ),
    ],
)
def test_what_cannot_be_a_fidelity_is_refused_with_its_place(space, fidelity, message):
    with pytest.raises(ConfigError, match=r"study\.search\.fidelity = ") as caught:
        ladder_of(search_of(fidelity=fidelity), parse_space(space, SEARCHING))
    assert message in str(caught.value)


@pytest.mark.parametrize("more", [{"sampler": "tpe"}, {"against": "samples"}])
def test_a_fidelity_needs_the_process_and_one_objective(more):
    with pytest.raises(ValueError, match="fidelity: "):
        search_of(**more)


def quality(params):
    """In short runs a high momentum is best and little smoothing; in long ones the other way round."""
    at = math.log(params["train.epochs"]) / math.log(27)
    lr = (math.log10(params["optimizer.lr"]) + 1) ** 2
    momentum = (params["optimizer.momentum"] - 0.9 * (1 - at)) ** 2
    smoothing = (params["train.label_smoothing"] - 0.2 * at) ** 2
    return 0.7 + 0.2 * at - 0.05 * lr - 0.1 * momentum - 2 * smoothing - 0.02 * (params["train.batch_size"] == 64)


def searched(search, budget, value=quality, noise=0.002):
    """The trials of a search in which each setting is told at once; the budget in epochs."""
    space = parse_space(search.space, SEARCHING)
    proposer = Proposer(space, ladder_of(search, space), search)
    study = optuna.create_study(direction="maximize" if search.higher_is_better else "minimize")
    rng, spent = np.random.default_rng(search.seed), 0
    while spent + proposer.ladder.full <= budget:
        params = proposer.propose(study.get_trials(deepcopy=False), spent / budget, {})
        study.enqueue_trial(params)
        trial = study.ask()
        assert space.suggest(trial) == params
        trial.set_user_attr("runs", {"1000": str(trial.number)})
        spent += params["train.epochs"]
        study.tell(trial, value(params) + noise * rng.normal())
    return study


@pytest.fixture(scope="module")
def study():
    return searched(search_of(seed=1), 27 * 12)


def test_it_learns_that_long_runs_want_other_settings_than_short_ones(study):
    best = max((t for t in study.trials if t.params["train.epochs"] == 27), key=lambda t: t.value)
    wanted = quality(
        {
            "train.epochs": 27,
            "optimizer.lr": 0.1,
            "optimizer.momentum": 0.0,
            "train.label_smoothing": 0.2,
            "train.batch_size": 16,
        }
    )
    rng = np.random.default_rng(0)
    random = []
    for _ in range(200):
        params = {
            "train.epochs": 27,
            "optimizer.lr": 10 ** rng.uniform(-2, 0),
            "optimizer.momentum": rng.uniform(0, 0.9),
            "train.label_smoothing": rng.uniform(0, 0.2),
            "train.batch_size": rng.choice([16, 64]),
        }
        random.append(quality(params))
    # What the best of as many full runs at random is worth, in the mean.
    of_random = np.mean([max(rng.choice(random, 16)) for _ in range(200)])
    assert wanted - quality(best.params) < (wanted - of_random) / 3


def test_about_one_in_three_goes_on_and_the_second_half_is_spent_at_full_length(study):
    lengths = [t.params["train.epochs"] for t in study.trials]
    counts = [lengths.count(rung) for rung in (1, 3, 9, 27)]
    assert set(lengths) == {1, 3, 9, 27}
    assert counts[0] >= 2.5 * counts[1]
    assert counts[1] >= 2.5 * counts[2]
    spent = np.cumsum(lengths)
    late = [length for length, before in zip(lengths[1:], spent, strict=False) if before >= 27 * 6]
    assert len(late) >= 5
    assert set(late) == {27}


def test_no_setting_is_trained_twice_at_a_length(study):
    keys = [tuple(sorted(t.params.items())) for t in study.trials]
    assert len(keys) == len(set(keys))


def test_the_lowest_loss_is_looked_for_as_the_highest_accuracy_is():
    up = searched(search_of(seed=3), 27 * 6)
    down = searched(search_of(seed=3, metric="val_loss", goal="min"), 27 * 6, lambda p: -quality(p), -0.002)
    assert [t.params for t in up.trials] == [t.params for t in down.trials]


def test_settings_in_training_are_not_proposed_again_and_failures_are_avoided():
    search = search_of(seed=4)
    space = parse_space(SPACE, SEARCHING)
    proposer = Proposer(space, ladder_of(search, space), search)
    study = optuna.create_study(direction="maximize")
    seen = []
    for number in range(40):
        params = proposer.propose(study.get_trials(deepcopy=False), 0.1, {})
        assert params not in seen
        seen.append(params)
        study.enqueue_trial(params)
        trial = study.ask()
        space.suggest(trial)
        if number % 4 == 3:
            continue  # is being trained
        trial.set_user_attr("runs", {"1000": str(number)})
        if params["optimizer.lr"] > 0.2:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, quality(params))
    assert all(params["optimizer.lr"] <= 0.2 for params in seen if params["train.epochs"] > 1), "a failure goes on"
    new = [params["optimizer.lr"] for params in seen if params["train.epochs"] == 1]
    assert np.mean([lr > 0.3 for lr in new[12:]]) < 0.15  # a quarter of the range


def test_conditions_and_the_shape_of_a_family_hold():
    space = parse_space(
        {
            "optimizer": ["sgd", "adam"],
            "optimizer.lr": [
                {"low": 0.01, "high": 1.0, "log": True, "when": {"optimizer": "sgd"}},
                {"low": 1e-4, "high": 1e-2, "log": True, "when": {"optimizer": "adam"}},
            ],
            "optimizer.momentum": {"low": 0.0, "high": 0.9, "step": 0.1, "when": {"optimizer": "sgd"}},
            "train.epochs": {"low": 2, "high": 8},
            "train.batch_size": [16, 64],
        },
        SEARCHING,
    )
    search = search_of()
    proposer = Proposer(space, ladder_of(search, space), search)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    for number in range(40):
        shape = {"train.batch_size": 64} if number % 2 else {}
        params = proposer.propose(study.get_trials(deepcopy=False), 0.1, shape)
        study.enqueue_trial(params)
        trial = study.ask()
        assert space.suggest(trial) == params, "a value lies outside its range, or one is missing"
        assert params["train.batch_size"] == 64 or not shape or params["train.epochs"] > 2
        trial.set_user_attr("runs", {"1000": str(number)})
        study.tell(trial, 0.5 + 0.1 * (params["optimizer"] == "sgd") + 0.001 * number)


def told(study, proposer, params, value):
    """One setting more, trained."""
    study.enqueue_trial(params)
    trial = study.ask()
    assert proposer.space.suggest(trial) == params
    trial.set_user_attr("runs", {"1000": str(trial.number)})
    study.tell(trial, value)


def test_a_family_s_shape_holds_for_a_factor_that_others_depend_on():
    space = parse_space(
        {
            "model.dropout": {"low": 0.0, "high": 0.5},
            "optimizer.lr": {"low": 0.01, "high": 1.0, "log": True, "when": {"train.batch_size": 16}},
            "train.batch_size": [16, 64],
            "train.epochs": {"low": 2, "high": 8},
        },
        SEARCHING,
    )
    search = search_of()
    proposer = Proposer(space, ladder_of(search, space), search)
    study = optuna.create_study(direction="maximize")
    for number in range(30):
        shape = {"train.batch_size": 64 if number % 2 else 16}
        params = proposer.propose(study.get_trials(deepcopy=False), 0.1, shape)
        if params["train.epochs"] == 2:
            assert shape.items() <= params.items()
        told(study, proposer, params, 0.5 + 0.1 * (params["train.batch_size"] == 16) + 0.001 * number)


def test_what_is_no_valid_setting_is_not_proposed():
    """The two best choices exclude each other: what would be best if effects add up cannot be trained."""
    space = parse_space(
        {f"model.kwargs.f{i}": [False, True] for i in range(4)} | {"train.epochs": {"low": 2, "high": 8}}, SEARCHING
    )
    search = search_of()

    def is_valid(params):
        return not (params["model.kwargs.f0"] and params["model.kwargs.f1"])

    proposer = Proposer(space, ladder_of(search, space), search, is_valid)
    study = optuna.create_study(direction="maximize")
    for number in range(28):
        params = proposer.propose(study.get_trials(deepcopy=False), number / 28, {})
        if params is None:
            break
        assert is_valid(params)
        told(study, proposer, params, sum(map(bool, (params[f"model.kwargs.f{i}"] for i in range(4)))) / 10)
    best = max((t for t in study.trials if t.params["train.epochs"] == 8), key=lambda t: t.value)
    assert best.value == 0.3


def test_where_nothing_is_valid_an_invalid_setting_is_proposed_so_that_the_search_can_say_so():
    space = parse_space({"optimizer.lr": [0.1, 0.2], "train.epochs": {"low": 2, "high": 8}}, SEARCHING)
    search = search_of()
    params = Proposer(space, ladder_of(search, space), search, lambda params: False).propose([], 0.0, {})
    assert params["train.epochs"] == 3


@pytest.mark.parametrize("shapes", [False, True])
def test_a_space_that_is_used_up_is_tried_at_full_length_and_then_left(shapes):
    space = parse_space(
        {
            "train.batch_size": [16, 64],
            "model.pooling": ["avg", "max", "mixed"],
            "train.epochs": {"low": 1, "high": 9},
        },
        SEARCHING,
    )
    search = search_of()
    proposer = Proposer(space, ladder_of(search, space), search)
    study = optuna.create_study(direction="maximize")
    shape = {"train.batch_size": 16} if shapes else {}
    while (params := proposer.propose(study.get_trials(deepcopy=False), 0.1, shape)) is not None:
        told(study, proposer, params, params["train.epochs"] / 10 + 0.001 * len(study.trials))
    trained = [tuple(sorted(t.params.items())) for t in study.trials]
    assert len(set(trained)) == len(trained) == 6 * 3
    assert proposer.propose(study.get_trials(deepcopy=False), 0.9, shape) is None


@pytest.mark.parametrize("budget", [{"steps": 45}, {"steps": 90}, {"samples": 5 * 9 * fakes.IMAGES}])
def test_about_half_of_a_small_budget_too_is_spent_at_full_length(budget, tmp_path):
    space = {
        "optimizer.lr": {"low": 1e-3, "high": 1.0, "log": True},
        "data.flip": [False, True],
        "train.epochs": {"low": 3, "high": 9},
    }
    order = fakes.order(space, results=tmp_path, sampler="gp", fidelity="train.epochs", budget=budget, seeds=1)
    with open_store(order.launch.store_location) as store:
        searcher = make_searcher(order, store, Owner.current(), fakes.Bench(), lambda line: None)
        searcher.run()
        lengths = [trial.params["train.epochs"] for trial in searcher.study.trials]
    assert 0.35 <= sum(length for length in lengths if length == 9) / sum(lengths) <= 0.65


LR = {"optimizer.lr": {"low": 1e-3, "high": 1.0, "log": True}, "train.epochs": {"low": 3, "high": 9}}


@pytest.mark.parametrize("starts", [0, 3])
def test_the_smallest_budget_that_is_taken_ends_with_a_setting_at_full_length(starts, tmp_path):
    start = [{"optimizer.lr": lr} for lr in (0.1, 0.2, 0.3)[:starts]]
    least = 9 + 3 * (starts + 1)
    settings = {"sampler": "gp", "fidelity": "train.epochs", "seeds": 1, "start": start}
    small = fakes.order(LR, results=tmp_path, budget={"steps": least - 1}, **settings)
    with open_store(small.launch.store_location) as store:
        with pytest.raises(
            ConfigError, match=rf"budget = {least - 1} steps: .* at full length, beside .* takes {least}"
        ):
            make_searcher(small, store, Owner.current(), fakes.Bench(), lambda line: None)
        for budget in (least, least + 1, least + 5):
            order = fakes.order(LR, results=tmp_path / str(budget), budget={"steps": budget}, **settings)
            with open_store(order.launch.store_location) as own:
                searcher = make_searcher(order, own, Owner.current(), fakes.Bench(), lambda line: None)
                searcher.run()
                assert [t.params["train.epochs"] for t in searcher.study.trials].count(9) == 1
                assert searcher.purse.spent() <= budget
                (best,) = best_trials(searcher.study, searcher.search, 5)
                assert best.params["train.epochs"] == 9


def test_a_range_whose_low_end_is_no_rung_is_paid_at_the_rungs_alone(tmp_path):
    space = LR | {"train.epochs": {"low": 8, "high": 9}}
    settings = {"sampler": "gp", "fidelity": "train.epochs", "seeds": 1}
    order = fakes.order(space, results=tmp_path, budget={"steps": 8}, **settings)
    with open_store(order.launch.store_location) as store, pytest.raises(ConfigError, match=r"single run; .* takes 9"):
        make_searcher(order, store, Owner.current(), fakes.Bench(), lambda line: None)


def test_what_is_not_at_full_length_is_not_the_best():
    study = optuna.create_study(direction="maximize")
    space = parse_space(LR, SEARCHING)
    search = search_of(LR)
    proposer = Proposer(space, ladder_of(search, space), search)
    name = next(factor.name for factor in space.factors if factor.path == "optimizer.lr")
    for length, value in ((3, 0.9), (9, 0.5)):
        told(study, proposer, {name: 0.1 * length, "train.epochs": length}, value)
        study.trials[-1].user_attrs["values"] = {}
    assert [trial.values[0] for trial in best_trials(study, search, 3)] == [0.5]


def test_other_lengths_are_another_search(tmp_path):
    def name(**settings):
        return fakes.order(LR, results=tmp_path, sampler="gp", fidelity="train.epochs", **settings).name

    assert name() == name(racing={"reduction": 3}) != name(racing={"reduction": 2})


def test_a_search_of_a_space_that_is_used_up_ends(tmp_path):
    space = {"train.batch_size": [16, 64], "data.flip": [False, True], "train.epochs": {"low": 3, "high": 9}}
    order = fakes.order(space, results=tmp_path, sampler="gp", fidelity="train.epochs", seeds=1)
    with open_store(order.launch.store_location) as store:
        searcher = make_searcher(order, store, Owner.current(), fakes.Bench(), lambda line: None)
        searcher.run()
        trained = [tuple(sorted(trial.params.items())) for trial in searcher.study.trials]
    assert sum(("train.epochs", 9) in one for one in trained) == 4


def test_a_budget_in_runs_counts_short_ones_as_much_as_long_ones_and_is_refused(tmp_path):
    order = fakes.order(SPACE, results=tmp_path, sampler="gp", fidelity="train.epochs", budget={"runs": 12})
    with pytest.raises(ConfigError, match=r"study\.search\.budget = 12 runs: with a fidelity .*in samples, steps"):
        order.check()


def test_a_likely_optimum_has_the_best_branch_of_what_others_depend_on():
    """Choosing adam by itself looks bad; with its rate at the right end it is best."""
    space = parse_space(
        {
            "optimizer": ["sgd", "adam"],
            "optimizer.lr": [
                {"low": 0.01, "high": 1.0, "log": True, "when": {"optimizer": "sgd"}},
                {"low": 1e-4, "high": 1e-2, "log": True, "when": {"optimizer": "adam"}},
            ],
            "train.batch_size": [16, 32, 64],
            "train.epochs": {"low": 2, "high": 8},
        },
        SEARCHING,
    )
    search = search_of()
    proposer = Proposer(space, ladder_of(search, space), search)
    rng = np.random.default_rng(0)
    tried, scores = [], []
    for _ in range(60):
        params = proposer._random(rng, {})
        tried.append(_Tried(params, 8, None))
        rate = params.get("optimizer.lr (optimizer=adam)")
        scores.append(1.0 if rate is None else 2 + 2 * math.log10(rate / 1e-2))
        scores[-1] += 0.3 * (params["train.batch_size"] == 32)
    process = Process.fitted([f.has_choices for f in proposer._factors], proposer._points(tried), np.array(scores))
    found = proposer._likely_optima(rng, process, {})
    right = [p.get("optimizer.lr (optimizer=adam)", 0) > 5e-3 and p["train.batch_size"] == 32 for p in found]
    assert np.mean(right) > 0.9
    shaped = proposer._likely_optima(rng, process, {"train.batch_size": 64})
    assert {p["train.batch_size"] for p in shaped} == {64}


def test_where_many_factors_decide_over_others_some_of_their_combinations_are_gone_through():
    flags = [f"model.kwargs.flag{i}" for i in range(8)]
    space = parse_space(
        {flag: [False, True] for flag in flags}
        | {f"{flag}_by": {"low": 0.1, "high": 1.0, "when": {flag: True}} for flag in flags}
        | {"train.epochs": {"low": 2, "high": 8}},
        SEARCHING,
    )
    search = search_of()
    cases = Proposer(space, ladder_of(search, space), search)._cases(np.random.default_rng(0))
    assert len(cases) == MOST_CASES < 2**8
    assert all(set(case) == set(flags) for case in cases)


def test_expected_improvement_is_the_integral_that_it_stands_for():
    for mean, deviation, best in ((0.0, 1.0, 0.5), (1.0, 0.2, 0.5), (-2.0, 0.7, 0.1)):
        upper = mean + 12 * deviation
        wanted, _ = quad(lambda v, m=mean, d=deviation, b=best: (v - b) * norm.pdf(v, m, d), best, max(upper, best + 1))
        (found,) = _expected_improvement(np.array([mean]), np.array([deviation]), best)
        assert found == pytest.approx(wanted, rel=1e-6, abs=1e-9)


def test_scores_depend_on_ranks_alone_and_no_value_is_the_worst():
    values = [0.9, 0.1, 0.5, -math.inf, 0.5]
    scores = _normal_scores(values)
    assert list(np.argsort(scores, kind="stable")) == [3, 1, 2, 4, 0]
    assert scores[2] == scores[4] == pytest.approx(norm.ppf(0.6))
    assert np.allclose(scores, _normal_scores([math.exp(v) for v in values]))
