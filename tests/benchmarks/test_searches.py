"""Regret curves of searches: from trials made up by hand."""

from pathlib import Path

import optuna
import pytest

from ablate.search.budget import SPENT
from ablate.search.request import search_request
from benchmarks.searches import ALONE, FULL, METHODS, Search, _bests, _figure, _frame


def a_search(method, repeat, trials):
    study = optuna.create_study(direction="maximize")
    space = {"lr": optuna.distributions.FloatDistribution(0.0, 1.0)}
    space["train.epochs"] = optuna.distributions.IntDistribution(2, 50)
    for lr, epochs, spent, value in trials:
        attributes = {SPENT: spent, "values": {"1000": value}}
        params = {"lr": lr, "train.epochs": epochs}
        study.add_trial(optuna.create_trial(params=params, distributions=space, value=value, user_attrs=attributes))
    return Search(method, repeat, None, study)


def test_a_curve_is_the_best_value_so_far_over_what_was_spent():
    search = a_search(METHODS[0], 0, [(0.1, 2, 100.0, 0.5), (0.2, 2, 100.0, 0.4), (0.1, 6, 300.0, 0.7)])
    assert search.curve == [(100.0, 0.5), (200.0, 0.5), (500.0, 0.7)]
    assert search.settings == 2
    other = a_search(METHODS[1], 2, [(0.3, 50, 600.0, 0.6)])
    frame = _frame([search, other])
    assert list(frame["search"]) == ["ours", "ours", "ours", "tpe"]
    assert list(frame["spent"]) == [100, 200, 500, 600]
    assert _bests([search, other]) == {0: 0.7, 2: 0.6}, "searches of other repeats hold out other images"
    assert _figure([search, other]).startswith(b"\x89PNG")


@pytest.mark.parametrize("repeat", [0, 1])
def test_rivals_search_the_same_space_at_full_length_with_nothing_to_start_from(repeat):
    ours, *rivals = [search_request(method.arguments(repeat, Path("any"))) for method in METHODS]
    assert not ours.search.start
    assert ours.ladder.full == FULL
    names = {factor.name for factor in ours.space.factors}
    for rival in rivals:
        assert {factor.name for factor in rival.space.factors} == names - {"train.epochs"}
        assert dict(rival.search.fixed) == {"train.epochs": FULL}
        assert rival.search.budget == ours.search.budget
        assert rival.search.seeds[0] == ours.search.seeds[0]
        assert not rival.search.races.steps
    assert len({order.name for order in (ours, *rivals)}) == 3


def test_what_was_confirmed_is_that_of_the_search_s_own_proof(tmp_path):
    proof = search_request([*METHODS[0].arguments(1, tmp_path), ALONE])
    assert list(proof.compared) == ["baseline"]
    search = Search(METHODS[0], 1, proof, a_search(METHODS[0], 1, []).study)
    assert search.confirmed() == ""
    folder = Path(proof.launch.results) / f"search_from_scratch{proof.suffix}"
    folder.mkdir(parents=True)
    rows = ["label,test_acc_n,test_acc_mean,test_acc_sd", "baseline,10,0.8,0.01", "best 1,10,0.92327,0.00115"]
    (folder / "table.csv").write_text("\n".join(rows))
    assert search.confirmed() == "0.9233 ± 0.0011 (10)"
