"""What the store knows of a space before a search of it begins."""

import pytest
import search_fakes as fakes

from ablate.search.evidence import evidence
from ablate.search.start import make_searcher
from ablate.store import Owner, open_store
from ablate.task.record import Record

GROUPS = {
    ("optimizer", "sgd"): {"name": "sgd", "lr": 0.9, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0},
    ("optimizer", "adam"): {
        "name": "adam",
        "lr": 0.001,
        "beta1": 0.9,
        "beta2": 0.999,
        "weight_decay": 0.0,
        "eps": 1e-8,
    },
}
SPACE = {
    "optimizer": ["sgd", "adam"],
    "optimizer.lr": {"low": 1e-4, "high": 1.0, "log": True},
    "optimizer.momentum": {"low": 0.0, "high": 0.9, "when": {"optimizer": "sgd"}},
    "train.epochs": {"low": 1, "high": 9},
    "data.flip": [False, True],
}
LENGTHS = {"sampler": "gp", "fidelity": "train.epochs"}


@pytest.fixture
def order(tmp_path):
    return fakes.order(SPACE, results=tmp_path, groups=GROUPS, evidence=True, **LENGTHS)


@pytest.fixture
def store(order):
    with open_store(order.launch.store_location) as store:
        yield store


def record(run, status="complete"):
    (result,) = fakes.train([run])
    return Record(run.digest, run.identity, type(result)(status, result.curves))


def value_of(run):
    return list(fakes.curve(run))[-1].values["val_acc"]


def test_runs_whose_setting_lies_in_the_space_are_evidence_and_no_others(order, store):
    sgd = [("optimizer.lr", 0.1), ("optimizer.momentum", 0.5), ("train.epochs", 4), ("data.flip", True)]
    adam = [("optimizer", "adam"), ("optimizer.lr", 0.01), ("train.epochs", 9)]
    twice = [order.build(sgd).with_seed(seed) for seed in (7, 8)]
    inside = order.build(adam).with_seed(7)
    outside = [
        order.build([*sgd, ("train.batch_size", 3)]).with_seed(7),  # another field
        order.build([("optimizer.lr", 2.0), ("train.epochs", 4)]).with_seed(7),  # beyond a range
        order.build([("optimizer.lr", 0.1), ("train.epochs", 12)]).with_seed(7),  # longer than full
        order.build([*sgd, ("data.flip", False)]).with_seed(order.study.seeds[0]),  # a seed of the proof
    ]
    unfinished = order.build([("optimizer.lr", 0.3), ("train.epochs", 4)]).with_seed(7)
    store.add(*map(record, [*twice, inside, *outside]), record(unfinished, "diverged"))
    found = evidence(order, store)
    assert [params for params, _ in found] == [
        {"optimizer": "sgd", "optimizer.lr": 0.1, "optimizer.momentum": 0.5, "train.epochs": 4, "data.flip": True},
        {"optimizer": "adam", "optimizer.lr": 0.01, "train.epochs": 9, "data.flip": False},
    ]
    assert found[0][1] == pytest.approx(sum(map(value_of, twice)) / 2)
    assert found[1][1] == pytest.approx(value_of(inside))


def test_a_search_begins_with_what_the_store_knows_and_keeps_to_it(order, store):
    rates = [0.001 * 1.4**k for k in range(18)]
    known = [order.build([("optimizer.lr", lr), ("train.epochs", 9)]).with_seed(7) for lr in rates]
    store.add(*map(record, known))
    searcher = make_searcher(order, store, Owner.current(), fakes.Bench(), lambda line: None)
    batch = searcher._ask()
    kept = searcher.study.user_attrs["evidence"]
    assert len(kept) == len(rates)
    # Of the settings that are new none is at random any more: the best known is around 0.1.
    new = [p.params["optimizer.lr"] for p in batch if p.number]
    assert len(new) > 4
    assert sum(0.02 < lr < 0.5 for lr in new) > len(new) / 2
    store.add(record(order.build([("optimizer.lr", 0.5), ("train.epochs", 9)]).with_seed(7)))
    again = make_searcher(order, store, Owner.current(), fakes.Bench(), lambda line: None)
    again._ask()
    assert again.study.user_attrs["evidence"] == kept


def test_evidence_needs_a_fidelity():
    with pytest.raises(ValueError, match="evidence: needs a fidelity"):
        fakes.order(SPACE, groups=GROUPS, evidence=True)


def test_of_many_settings_the_best_and_the_latest_are_known(order, store, monkeypatch):
    monkeypatch.setattr("ablate.search.evidence.MOST", 6)
    rates = [0.1, 0.11, 0.09, *(0.001 * 1.2**k for k in range(12))]
    store.add(*[record(order.build([("optimizer.lr", lr), ("train.epochs", 9)]).with_seed(7)) for lr in rates])
    assert [params["optimizer.lr"] for params, _ in evidence(order, store)] == [*rates[:3], *rates[-3:]]
