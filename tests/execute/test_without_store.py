"""A store that goes away in the middle of a sweep: nothing trained is lost, and nobody is told that all is well."""

import dataclasses
import os
import sys

import execute_fakes as fakes
import pytest
from execute_fakes import run

from ablate.execute import Progress, execute
from ablate.execute.checkpoints import KeptCheckpoints
from ablate.store import Owner, StoreUnavailable, open_store
from ablate.store.rescue import ENDING

OPTIONS = {"device": "cpu", "engine": "execute_fakes:Engine", "max_members": 1}


class Heard(Progress):
    """Does something when the first cohort has ended."""

    def __init__(self, then=lambda: None):
        self.lines, self.then = [], then

    def say(self, line):
        self.lines.append(line)
        if "ended after" in line:
            self.then()
            self.then = lambda: None


def rescued(folder):
    return [path for path in folder.iterdir() if path.name.endswith(ENDING)]


def check(store, runs):
    found = store.get(r.digest for r in runs)
    assert {d: repr(r.result.curves) for d, r in found.items()} == {
        r.digest: repr(fakes.expected(r).curves) for r in runs
    }


@pytest.mark.parametrize("engine", ["Engine", "Resuming"])
@pytest.mark.parametrize("workers", [1, 2])
def test_results_that_the_store_cannot_take_are_kept_and_taken_up(tmp_path, monkeypatch, workers, engine):
    told = {"engine": f"execute_fakes:{engine}", "checkpoints": KeptCheckpoints(tmp_path / "checkpoints", 0.0)}
    root = tmp_path / "begun"
    root.mkdir()
    path, runs = tmp_path / "runs.db", [run(lr, root=str(root)) for lr in (0.1, 0.2, 0.3, 0.4)]
    with open_store(str(path)) as store:

        def full(*_, **__):
            raise StoreUnavailable("store = runs.db: database or disk is full")

        gone = Heard(lambda: monkeypatch.setattr(store, "add", full))
        with pytest.raises(StoreUnavailable) as caught:
            execute(runs, store, workers=workers, progress=gone, **OPTIONS | told)
        first, kept = caught.value.problems
        assert "disk is full" in first
        (file,) = rescued(tmp_path)
        assert str(file) in kept
        assert "the next sweep on this store takes them up" in kept
    monkeypatch.undo()
    with open_store(str(path)) as store:
        done = len(store.all())
        heard = Heard()
        summary = execute(runs, store, workers=1, progress=heard, **OPTIONS)
        assert done >= 1
        assert summary.reused > done
        assert summary.trained == 4 - summary.reused
        assert any(f"taken up from {file}" in line for line in heard.lines)
        check(store, runs)
    assert rescued(tmp_path) == []


@pytest.mark.parametrize("move", [os.unlink, lambda path: os.rename(path, f"{path}.moved")], ids=["deleted", "moved"])
def test_a_store_that_is_moved_or_deleted_in_the_middle_is_noticed(tmp_path, move):
    path, runs = tmp_path / "runs.db", [run(lr) for lr in (0.1, 0.2, 0.3, 0.4)]
    with open_store(str(path)) as store, pytest.raises(StoreUnavailable, match="was moved, deleted or replaced"):
        execute(runs, store, workers=2, progress=Heard(lambda: move(path)), **OPTIONS)
    assert not path.exists()
    with open_store(str(path)) as store:
        execute(runs, store, workers=1, **OPTIONS)
        check(store, runs)


def test_what_was_taken_over_while_the_sweep_was_suspended_is_left_to_others(tmp_path, monkeypatch):
    """The renewal finds other owners' leases where it had its own, and the worker is ended."""
    path, runs = tmp_path / "runs.db", [run(0.1), run(fakes.BLOCKS)]
    other = Owner.current()
    monkeypatch.setattr(sys.modules["ablate.execute.sweep"], "RENEWAL", 0.0)
    with open_store(str(path)) as store, open_store(str(path)) as theirs:

        def take_over():
            mine = theirs._database
            mine.write(lambda c, _: c.exec_driver_sql("UPDATE ablate_leases SET owner = ?", (other.name,)))
            record = dataclasses.replace(theirs.all()[0], digest=runs[1].digest, config=runs[1].identity)
            theirs.add(record)
            theirs.release(other)

        heard = Heard(take_over)
        summary = execute(runs, store, workers=2, progress=heard, **OPTIONS)
        assert any("has taken over a cohort" in line for line in heard.lines)
        assert (summary.trained, summary.elsewhere) == (1, 1)
