import dataclasses
import subprocess
import sys

import pytest

from ablate.images.run import RunConfig
from ablate.store import Owner, leases, open_store
from ablate.task.record import Record, Result

RUNS = [RunConfig(seed=seed) for seed in range(3)]
DIGESTS = {run.digest for run in RUNS}


@pytest.fixture
def store(tmp_path):
    with open_store(str(tmp_path / "runs.db")) as store:
        yield store


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1e9

    monkeypatch.setattr(leases.time, "time", lambda: Clock.now)
    return Clock


def add(store, run, status):
    store.add(Record(run.digest, run.identity, Result(status)))


def test_a_run_is_leased_to_one_owner(store):
    one, other = Owner.current(), Owner.current()
    assert store.lease(DIGESTS, one) == DIGESTS
    assert store.lease(DIGESTS, one) == DIGESTS
    assert store.lease(DIGESTS, other) == set()
    store.release(one, [RUNS[0].digest])
    assert store.lease(DIGESTS, other) == {RUNS[0].digest}
    store.release(one)
    store.release(one)
    assert store.lease(DIGESTS, other) == DIGESTS


def test_only_what_has_no_final_record_is_leased(store):
    mark = store.mark()
    for run, status in zip(RUNS, ("complete", "diverged", "failed"), strict=True):
        add(store, run, status)
    owner = Owner.current()
    assert store.lease(DIGESTS, owner) == {RUNS[2].digest}
    assert store.lease(DIGESTS, owner, since=mark) == set()
    assert store.lease(DIGESTS, owner, since=store.mark()) == {RUNS[2].digest}


def test_the_lease_of_a_process_that_has_ended_is_free_at_once(store):
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    here = Owner.current()
    started = leases_of_pid(process.pid)
    gone = dataclasses.replace(here, name="gone", pid=process.pid, process_started=started)
    store.lease(DIGESTS, gone)
    assert store.lease(DIGESTS, here) == set()
    process.communicate(b"\n")
    assert store.lease(DIGESTS, here) == DIGESTS


def leases_of_pid(pid):
    from ablate.store.owner import _process_started

    return _process_started(pid)


def test_a_process_number_used_again_is_another_process(store):
    here = Owner.current()
    before = dataclasses.replace(here, name="before", process_started="17")
    store.lease(DIGESTS, before)
    assert store.lease(DIGESTS, here) == DIGESTS


def test_a_lease_on_another_machine_lasts_until_it_expires(store, clock):
    here = Owner.current()
    there = dataclasses.replace(here, name="there", machine="elsewhere", pid=1, process_started="1")
    store.lease(DIGESTS, there)
    clock.now += leases.LEASE
    assert store.lease(DIGESTS, here) == set()
    store.renew(there)
    clock.now += leases.LEASE
    assert store.lease(DIGESTS, here) == set()
    clock.now += 1
    assert store.lease(DIGESTS, here) == DIGESTS
    store.renew(there)
    store.release(there)
    assert store.lease(DIGESTS, there) == set()


def test_many_at_once(store):
    many = {f"{number:064}" for number in range(2000)}
    assert store.lease(many, Owner.current()) == many
    assert store.lease(many, Owner.current()) == set()
