import sys
import types
from dataclasses import replace

import execute_fakes as fakes
import pytest
from execute_fakes import run

from ablate.execute import Limits, Progress, Summary, execute
from ablate.store import Owner, open_store
from ablate.task.errors import ConfigError
from ablate.task.record import Record, Result


@pytest.fixture
def store(tmp_path):
    with open_store(str(tmp_path / "runs.db")) as store:
        yield store


@pytest.fixture
def sweep(store, capfd):
    """Trains with the fakes; gives the summary and the digests of the runs that were started, in order."""

    def sweep(runs, **options):
        options = {"workers": 1, "device": "cpu", "engine": "execute_fakes:Engine"} | options
        capfd.readouterr()
        summary = execute(runs, store, **options)
        lines = capfd.readouterr().out.splitlines()
        return summary, [line.split()[1] for line in lines if line.startswith("start ")]

    return sweep


def results(store, runs):
    """By digest; without the note of what a cohort was expected to take, which depends on the machine."""
    found = store.get(r.digest for r in runs)
    for record in found.values():
        assert set(record.result.notes) <= {"estimated_seconds"}
    return {digest: repr(replace(record.result, notes={})) for digest, record in found.items()}


def expected(runs):
    return {r.digest: repr(fakes.expected(r)) for r in runs}


def test_every_run_is_trained_once_and_a_second_sweep_trains_none(store, sweep):
    runs = [run(lr, seed) for lr in (0.1, 0.2, 0.3, 0.4) for seed in range(3)]
    summary, started = sweep([*runs, *runs], workers=2)
    assert sorted(started) == sorted(r.digest for r in runs)
    assert results(store, runs) == expected(runs)
    assert (summary.planned, summary.complete, summary.trained, summary.reused, summary.missing) == (12, 12, 12, 0, 0)
    assert summary.samples == 12 * 4 * fakes.IMAGES
    summary, started = sweep(runs)
    assert started == []
    assert (summary.complete, summary.trained, summary.reused) == (12, 0, 12)
    assert summary.failures == ()


def test_why_runs_were_trained_apart_is_said_once(sweep):
    lines = []

    class Lines(Progress):
        def say(self, text):
            lines.append(text)

    sweep([run(lr) for lr in (0.1, 0.2, 0.3)], engine="execute_fakes:Apart", max_members=2, progress=Lines())
    said = [line for line in lines if "trained apart" in line]
    assert said == ["runs that could have been trained together are trained apart: its layers do not stack"]


def test_provenance_and_speed_are_kept(store, sweep):
    sweep([run()])
    (record,) = store.all()
    found = record.provenance
    assert {"commit", "versions", "host", "cpu", "started", "ended"} <= set(found)
    assert (found["device"], found["gpu"], found["threads"]) == ("cpu", None, 1)
    assert found["started"] <= found["ended"]
    (speed,) = store.speeds(found["host"])
    assert (speed.cohort_key, speed.members, speed.device) == (run().cohort_key, 1, "cpu")
    assert speed.samples_per_second > 0


def test_faults_cost_only_the_runs_that_have_them(store, sweep):
    fine = [run(lr, seed) for lr in (0.1, 0.2, 0.3) for seed in range(2)]
    company = [run(fakes.DIVERGES), run(fakes.KILLS_IN_COMPANY)]
    bad = [run(fakes.FAILS), run(fakes.RAISES), run(fakes.KILLS)]
    summary, _ = sweep([*fine, *company, *bad], workers=2)
    assert results(store, [*fine, *company]) == expected([*fine, *company])
    assert (summary.complete, summary.diverged, summary.failed) == (7, 1, 3)
    assert summary.deaths >= 2
    failed = store.get(r.digest for r in bad)
    assert "ArithmeticError: an injected fault" in failed[bad[0].digest].result.error
    assert "ArithmeticError: the cohort raises" in failed[bad[1].digest].result.error
    assert "was ended by SIGKILL" in failed[bad[2].digest].result.error
    assert {failure.digest for failure in summary.failures} == {r.digest for r in bad}
    lines = str(summary).splitlines()
    assert lines[0].startswith("11 runs: 7 complete, 1 diverged, 3 failed (11 trained in")
    assert "failed: optimizer.lr=102.0 seed=0: ArithmeticError: an injected fault" in lines


def test_failed_runs_are_trained_again_by_the_next_sweep(store, sweep):
    runs = [run(fakes.FAILS), run(0.1)]
    sweep(runs)
    summary, started = sweep(runs)
    assert started == [runs[0].digest]
    assert (summary.reused, summary.failed) == (1, 1)
    store.add(Record(runs[0].digest, runs[0].identity, fakes.expected(runs[0])))
    summary, started = sweep(runs)
    assert (started, summary.reused) == ([], 2)


def test_shorter_runs_are_read_off_the_longest(store, sweep):
    runs = [run(lr, 0, epochs) for lr in (0.1, fakes.DIVERGES) for epochs in (2, 5, 1)]
    summary, started = sweep(runs)
    assert sorted(started) == sorted([runs[1].digest, runs[4].digest])
    assert results(store, runs) == expected(runs)
    assert (summary.trained, summary.read_off) == (2, 4)
    assert store.get([runs[0].digest])[runs[0].digest].provenance["prefix_of"] == runs[1].digest
    later = [run(0.1, 0, 3), run(fakes.DIVERGES, 0, 9)]
    summary, started = sweep(later)
    assert started == []
    assert results(store, later) == expected(later)
    assert summary.read_off == 2


def test_prefixes_of_a_run_that_fails_early_fail_with_it(store, sweep):
    runs = [run(fakes.FAILS, 0, epochs) for epochs in (1, 3, 5)]
    summary, _ = sweep(runs)
    assert (summary.complete, summary.failed) == (1, 2)
    assert "an injected fault" in store.get([runs[1].digest])[runs[1].digest].result.error


def test_results_that_do_not_fit_are_a_failure(store, sweep):
    summary, _ = sweep([run()], engine="execute_fakes:TooFew")
    assert summary.failures[0].error == "RuntimeError: 0 results of 1 runs"


def test_data_that_cannot_be_read_fails_the_runs(store, sweep):
    summary, _ = sweep([run(0.1), run(0.2)], engine="execute_fakes:Unreadable")
    assert summary.failed == 2
    assert summary.failures[0].error == "OSError: the disk is on fire"


def test_missing_data_is_the_users_error(store, sweep):
    with pytest.raises(ConfigError, match=r"data\.root: no such folder"):
        sweep([run(0.1), run(0.2)], engine="execute_fakes:Missing")
    assert store.all() == []
    assert store.lease([run(0.1).digest], Owner.current()) == {run(0.1).digest}


def test_workers_that_cannot_start_end_the_sweep(store, sweep, monkeypatch):
    vanished = types.ModuleType("vanished")
    vanished.Place = type("Place", (str,), {"__module__": "vanished"})
    monkeypatch.setitem(sys.modules, "vanished", vanished)
    with pytest.raises(RuntimeError, match="worker processes cannot be started: the last exited with code 1"):
        sweep([run()], engine=vanished.Place("execute_fakes:Engine"))


def test_an_engine_that_cannot_be_made_ends_the_sweep(store, sweep):
    with pytest.raises(RuntimeError, match=r"worker processes cannot be started\n(.|\n)*this engine does not start"):
        sweep([run(0.1), run(0.2)], engine="execute_fakes:Broken")
    with pytest.raises(ConfigError, match="execute_fakes:Nothing: cannot be loaded"):
        sweep([run()], engine="execute_fakes:Nothing")
    assert store.all() == []


def test_workers_import_only_what_they_need(store, sweep):
    sweep([run()], engine="execute_fakes:ImportsNothing")
    assert "torch" not in store.all()[0].result.notes["loaded"]


def test_nothing_to_do_starts_nothing(store, sweep):
    summary, _ = sweep([])
    assert replace(summary, seconds=0.0) == Summary(planned=0, statuses={}, unit="units of work")


class OtherSweep(Progress):
    """Acts for another sweep as soon as this one waits for it."""

    def __init__(self, act):
        self.act, self.acted = act, False

    def update(self, state):
        if state.elsewhere and not state.running and not self.acted:
            self.acted = True
            self.act()


def test_runs_of_another_sweep_are_waited_for(store, sweep, monkeypatch):
    monkeypatch.setattr("ablate.execute.leasing.POLL_SECONDS", (0.0, 0.0))
    runs = [run(lr) for lr in (0.1, 0.2, 0.3)]
    theirs, other = runs[:2], Owner.current()
    assert len(store.lease([r.digest for r in theirs], other)) == 2
    done = [fakes.expected(theirs[0]), Result("failed", error="Traceback\nValueError: theirs")]

    def finish():
        store.add(*(Record(r.digest, r.identity, result) for r, result in zip(theirs, done, strict=True)))
        store.release(other)

    summary, started = sweep(runs, progress=OtherSweep(finish))
    assert started == [runs[2].digest]
    assert (summary.trained, summary.elsewhere, summary.complete, summary.failed) == (1, 2, 2, 1)
    assert summary.failures[0].error == "ValueError: theirs"


def test_runs_of_a_sweep_that_gave_up_are_taken_over(store, sweep, monkeypatch):
    monkeypatch.setattr("ablate.execute.leasing.POLL_SECONDS", (0.0, 0.0))
    runs, other = [run(lr) for lr in (0.1, 0.2, 0.3)], Owner.current()
    store.lease([runs[0].digest], other)
    summary, started = sweep(runs, progress=OtherSweep(lambda: store.release(other)))
    assert sorted(started) == sorted(r.digest for r in runs)
    assert started[-1] == runs[0].digest
    assert (summary.trained, summary.elsewhere) == (3, 0)


def test_leases_end_with_the_sweep(store, sweep):
    runs = [run(lr) for lr in (fakes.FAILS, fakes.KILLS)]
    sweep(runs)
    assert len(store.lease([r.digest for r in runs], Owner.current())) == 2


def test_fail_fast_leaves_off_at_the_first_failure(store, sweep):
    runs = [run(fakes.FAILS), *(run(0.1, seed) for seed in range(6))]
    summary, started = sweep(runs, max_members=1, limits=Limits(fail_fast=True))
    assert summary.failed == 1
    assert summary.missing > 0
    assert len(started) < len(runs)
    assert len(store.all()) == len(runs) - summary.missing
    summary, _ = sweep(runs, max_members=1)  # waits for nobody: no lease is left
    assert (summary.missing, summary.failed, summary.complete) == (0, 1, 6)


def test_after_the_hours_nothing_more_is_begun_and_what_trains_is_kept(store, sweep, monkeypatch):
    runs = [run(0.1, seed) for seed in range(3)]
    summary, started = sweep(runs, max_members=1, limits=Limits(hours=1e-9))
    assert (started, summary.missing, len(store.all())) == ([], 3, 0)

    class AtTheFirst(Limits):
        def is_out_of_time(self, seconds):
            return bool(store.mark() or started_one.flights)

    class Flights(Progress):
        flights = False

        def update(self, state):
            self.flights = self.flights or state.running > 0

    started_one = Flights()
    summary, started = sweep(runs, max_members=1, limits=AtTheFirst(hours=1.0), progress=started_one)
    assert len(started) == len(store.all()) == 3 - summary.missing
    assert 0 < summary.missing < 3
    summary, _ = sweep(runs, limits=Limits(hours=1.0))
    assert summary.missing == 0
