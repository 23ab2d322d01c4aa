"""What sweeps tell of runs in training: of each run what its sweep says, and nothing of a sweep that has ended."""

from dataclasses import replace

import pytest
from execute_fakes import run

from ablate.execute import execute
from ablate.execute.interim import InterimFile, read_interim
from ablate.store import Owner, open_store

RUNS = [run(0.1, seed) for seed in range(3)]
DIGESTS = [one.digest for one in RUNS]


@pytest.fixture
def store(tmp_path):
    with open_store(str(tmp_path / "runs.db")) as store:
        yield store


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "interim"


def named(name, **fields):
    return replace(Owner.current(), name=name, **fields)


@pytest.mark.parametrize(("dead", "heir"), [("a", "b"), ("b", "a")])
def test_the_value_of_the_sweep_that_trains_a_run_counts_whatever_a_dead_one_left(store, folder, dead, heir):
    killed, living = named(dead, process_started="0"), named(heir)
    store.lease(DIGESTS[:2], killed)
    InterimFile(folder, store, killed).write({digest: ("loss", 1.0) for digest in DIGESTS[:2]})
    assert read_interim(folder, store.held()) == {}
    store.lease(DIGESTS[:2], living)
    assert read_interim(folder, store.held()) == {}, "not measured anew yet"
    InterimFile(folder, store, living).write({DIGESTS[0]: ("loss", 0.5)})
    assert read_interim(folder, store.held()) == {DIGESTS[0]: ("loss", 0.5)}


def test_a_sweep_removes_what_sweeps_on_its_store_left_that_train_nothing_any_more(store, folder, tmp_path):
    killed = named("killed", process_started="0")
    here, there = named("here"), named("there", machine="elsewhere", pid=1, process_started="1")
    for digest, owner in zip(DIGESTS, (killed, here, there), strict=True):
        store.lease([digest], owner)
        InterimFile(folder, store, owner).write({digest: ("loss", 1.0)})
    with open_store(str(tmp_path / "another.db")) as another:
        InterimFile(folder, another, named("neighbour")).write({})
    InterimFile(folder, store, named("mine")).begin()
    assert sorted(file.stem.rpartition("-")[2] for file in folder.iterdir()) == ["here", "neighbour", "there"]


def test_a_whole_sweep_leaves_nothing_of_itself_nor_of_one_that_was_killed(store, folder):
    InterimFile(folder, store, named("killed")).write({DIGESTS[0]: ("loss", 1.0)})
    summary = execute(RUNS, store, workers=1, device="cpu", engine="execute_fakes:Engine", interim=folder)
    assert summary.complete == len(RUNS)
    assert not folder.exists()
