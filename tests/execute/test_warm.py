"""Workers that go on from one sweep to the next of the same process."""

import multiprocessing
import os

import execute_fakes as fakes
import pytest
from execute_fakes import run

from ablate.execute import execute
from ablate.execute.warm import WarmWorkers
from ablate.store import open_store


def alive():
    return {child.pid for child in multiprocessing.active_children()}


@pytest.fixture
def sweep(tmp_path):
    with open_store(str(tmp_path / "runs.db")) as store:

        def sweep(runs, **options):
            options = {"workers": 2, "device": "cpu", "engine": "execute_fakes:Engine"} | options
            summary = execute(runs, store, **options)
            found = store.get(r.digest for r in runs)
            assert {d: r.result.curves for d, r in found.items()} == {r.digest: fakes.expected(r).curves for r in runs}
            return summary

        yield sweep


def test_the_same_processes_train_again_and_end_with_the_block(sweep):
    with WarmWorkers() as warm:
        sweep([run(lr) for lr in (0.1, 0.2)], max_members=1, warm=warm)
        first = alive()
        assert len(first) == 2
        assert warm.held > 2 * 2**20
        sweep([run(lr) for lr in (0.3, 0.4, 0.5)], max_members=1, warm=warm)
        assert alive() == first
        summary = sweep([run(lr) for lr in (0.3, 0.4)], warm=warm)
        assert (summary.reused, alive()) == (2, first)
    assert alive() == set()


def test_without_it_they_end_with_the_sweep(sweep):
    sweep([run(0.1), run(0.2)])
    assert alive() == set()


def test_workers_with_other_settings_are_replaced(sweep):
    with WarmWorkers() as warm:
        sweep([run(0.1), run(0.2)], max_members=1, warm=warm)
        first = alive()
        sweep([run(0.3)], warm=warm)  # one with the threads of both
        assert len(alive()) == 1
        assert not alive() & first


def test_one_that_has_died_meanwhile_is_replaced(sweep):
    with WarmWorkers() as warm:
        sweep([run(0.1)], workers=1, warm=warm)
        (dead,) = multiprocessing.active_children()
        os.kill(dead.pid, 9)
        dead.join()
        assert sweep([run(0.2)], workers=1, warm=warm).complete == 1
        assert len(alive()) == 1


def test_what_goes_wrong_ends_them(sweep):
    with WarmWorkers() as warm:
        sweep([run(0.1)], workers=1, warm=warm)
        with pytest.raises(RuntimeError, match="cannot be started"):
            sweep([run(0.2)], workers=1, engine="execute_fakes:Broken", warm=warm)
        assert alive() == set()
        sweep([run(0.2)], workers=1, warm=warm)
