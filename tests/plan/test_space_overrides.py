import pytest

from ablate.plan.compose import sources
from ablate.task.errors import ConfigError


@pytest.fixture(scope="module")
def space_of():
    """The space of the packaged search with overrides, as plain data."""

    def space_of(*overrides):
        (source,) = sources(["sweeps=search", *overrides])
        return source.study.search["space"]

    return space_of


def test_an_entry_is_replaced_whatever_it_was(space_of):
    before = space_of()
    assert isinstance(before["optimizer.lr"], list)
    after = space_of("study.search.space.optimizer.lr={low: 0.1, high: 1.0, log: true, when: {optimizer: [sgd]}}")
    assert after["optimizer.lr"] == {"low": 0.1, "high": 1.0, "log": True, "when": {"optimizer": ["sgd"]}}
    assert list(after) == list(before), "another order is another search"
    assert {**after, "optimizer.lr": None} == {**before, "optimizer.lr": None}


@pytest.mark.parametrize("plus", ["", "+", "++"])
def test_an_entry_is_added(space_of, plus):
    after = space_of(f"{plus}study.search.space.model.bias=[true,false]")
    assert after == space_of() | {"model.bias": [True, False]}


def test_a_key_of_an_entry_is_changed(space_of):
    after = space_of("study.search.space.model.dropout.high=0.5", "study.search.space.train.epochs.step=15")
    assert after["model.dropout"] == {"low": 0.0, "high": 0.5}
    assert after["train.epochs"] == space_of()["train.epochs"] | {"step": 15}


def test_an_entry_is_left_out(space_of):
    assert "model.dropout" not in space_of("~study.search.space.model.dropout")


def test_both_spellings_mean_the_same(space_of):
    entry = "{low: 0.1, high: 0.5}"
    dotted = space_of(f"study.search.space.optimizer.momentum={entry}")
    assert dotted == space_of(f"study.search.space={{optimizer.momentum: {entry}}}")


@pytest.mark.parametrize(
    ("study", "override", "message"),
    [
        (
            "search",
            "study.search.space.optimizer.lr.low=0.1",
            r"the entry is a list; give all of it: study.search.space",
        ),
        ("search", "study.search.space.optimizer.lr=0.1,0.2", r"must be a list, \[...\]"),
        ("search", "study.search.space=3", "study.search.space=3: must map factors"),
        ("search", "~study.search.space.seed", "is no factor of the space; factors are optimizer, optimizer.lr, "),
        ("lr", "study.search.space.optimizer.lr=[0.1]", r"optimizer.lr=\[0.1\]: the study has no search"),
    ],
)
def test_an_override_that_fits_nothing_is_refused(study, override, message):
    with pytest.raises(ConfigError, match=message):
        sources([f"sweeps={study}", override])
